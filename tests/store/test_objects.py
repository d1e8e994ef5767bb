"""Objects in folders and buckets alike, and a bucket whose network and server misbehave."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from tests.store.s3_faults import Fault, FaultyProxy

from smackbox.base.errors import SettingError, StorageError
from smackbox.store import objects as module
from smackbox.store.fs import Disk, DiskFile, FaultyDisk
from smackbox.store.objects import (
    BucketObjects,
    FolderObjects,
    MissingObjectError,
    ObjectInfo,
    Objects,
    folder_of,
    is_url,
    open_objects,
)

BUCKET = "safe"
OPTIONS = (("access_key_id", "a"), ("region", "us-east-1"), ("secret_access_key", "b"))
BIG = bytes(range(256)) * 4_096 * 3
"""3 MiB: many packets, so that a request can be cut in its middle."""


@pytest.fixture(scope="module")
def moto() -> Iterator[tuple[str, int]]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = server.get_host_and_port()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{address[0]}:{address[1]}",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket=BUCKET)
    yield address
    server.stop()


Proxied = Callable[[Callable[[str, str], Fault | None]], tuple[Objects, FaultyProxy]]


@pytest.fixture
def proxied(moto: tuple[str, int], request: pytest.FixtureRequest) -> Iterator[Proxied]:
    proxies: list[FaultyProxy] = []

    def make(fault: Callable[[str, str], Fault | None]) -> tuple[Objects, FaultyProxy]:
        proxies.append(FaultyProxy(moto, fault))
        place = f"s3://{BUCKET}/{request.node.name}?endpoint={proxies[-1].url}"
        return open_objects(place, OPTIONS), proxies[-1]

    yield make
    for proxy in proxies:
        proxy.close()


@pytest.fixture(params=["folder", "bucket"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    if request.param == "folder":
        return open_objects(str(tmp_path / "objects"))
    host, port = request.getfixturevalue("moto")
    return open_objects(f"s3://{BUCKET}/{tmp_path.name}?endpoint=http://{host}:{port}", OPTIONS)


def test_objects_are_kept_listed_replaced_and_removed(objects: Objects) -> None:
    assert list(objects.list()) == []
    objects.put("a/b/one", b"1")
    objects.put("a/two", b"22")
    objects.put("ab", b"")
    assert sorted(objects.list()) == [ObjectInfo("a/b/one", 1), ObjectInfo("a/two", 2), ObjectInfo("ab", 0)]
    assert sorted(objects.list("a")) == [ObjectInfo("a/b/one", 1), ObjectInfo("a/two", 2)]
    assert list(objects.list("none")) == []
    objects.put("a/two", b"333")
    assert (objects.get("a/two"), objects.get("ab")) == (b"333", b"")
    for _ in range(2):
        objects.delete("a/two")
    with pytest.raises(MissingObjectError, match="has no object a/two"):
        objects.get("a/two")


def test_a_large_object_is_kept_byte_by_byte(objects: Objects) -> None:
    objects.put("big", BIG)
    assert objects.get("big") == BIG


def test_writers_of_one_key_at_once_leave_one_of_their_objects(objects: Objects) -> None:
    contents = [bytes([number]) * 10_000 for number in range(8)]
    threads = [threading.Thread(target=objects.put, args=("same", content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert objects.get("same") in contents
    assert [info.key for info in objects.list()] == ["same"]


def test_what_a_killed_writer_left_is_no_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = FolderObjects(tmp_path)

    class KilledError(BaseException):
        pass

    def kill(*_: object) -> None:
        raise KilledError

    for owner, name in ((DiskFile, "append"), (Disk, "rename")):
        with monkeypatch.context() as patched, pytest.raises(KilledError):
            patched.setattr(owner, name, kill)
            objects.put("key", b"half")
    assert len(list(tmp_path.iterdir())) == 2
    assert list(objects.list()) == []
    objects.sweep("")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Disk", lambda: FaultyDisk(3))
    with pytest.raises(StorageError, match="No space left"):
        FolderObjects(tmp_path).put("key", b"four")
    assert list(tmp_path.iterdir()) == []


def test_what_is_gone_needs_no_sync(objects: Objects) -> None:
    objects.put("kept", b"x")
    objects.put("gone", b"x")
    objects.delete("gone")
    objects.sync()
    objects.sweep("")
    assert [info.key for info in objects.list()] == ["kept"]


def test_an_object_that_goes_while_others_are_listed_is_left_out(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path)
    for name in "abc":
        objects.put(name, b"x")
    listing = objects.list()
    first = next(listing)
    for name in "abc":
        if name != first.key:
            objects.delete(name)
    assert list(listing) == []


def test_a_folder_that_refuses_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot make"):
        FolderObjects(tmp_path / "file").put("key", b"x")
    (tmp_path / "key").mkdir()
    with pytest.raises(StorageError, match="cannot"):
        FolderObjects(tmp_path).put("key", b"x")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["file"]
    with pytest.raises(StorageError, match="cannot read"):
        FolderObjects(tmp_path).get("key")


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("ftp://x/y", "begins with s3://, gs://, az://"),
        ("s3:///key", "the bucket is missing"),
        ("s3://b/k?secret=x", "no option 'secret'; a URL takes endpoint and region"),
    ],
)
def test_a_url_that_is_none_says_what_one_is(place: str, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        open_objects(place)


def test_which_places_are_urls() -> None:
    assert [is_url(place) for place in ("s3://b", "gs://b/x", "/tmp/x", "x", "file:///tmp")] == [True, True] + [
        False
    ] * 3
    assert folder_of("file:///tmp/x") == folder_of("file:/tmp/x") == folder_of("/tmp/x") == Path("/tmp/x")


@pytest.mark.parametrize("fault", ["error", "torn", "lost"])
def test_a_put_that_fails_twice_is_tried_again(proxied: Proxied, fault: Fault) -> None:
    left = 2

    def two(method: str, _: str) -> Fault | None:
        nonlocal left
        if method == "PUT" and left:
            left -= 1
            return fault
        return None

    objects, proxy = proxied(two)
    objects.put("key", BIG)
    assert objects.get("key") == BIG
    assert [found for method, _, found in proxy.requests if method == "PUT"] == [fault, fault, None]


@pytest.mark.parametrize("fault", ["error", "cut"])
def test_a_get_that_fails_twice_is_tried_again(proxied: Proxied, fault: Fault) -> None:
    left = 2

    def two(method: str, _: str) -> Fault | None:
        nonlocal left
        if method == "GET" and left:
            left -= 1
            return fault
        return None

    objects, _ = proxied(two)
    objects.put("key", BIG)
    assert objects.get("key") == BIG


def test_a_server_that_never_works_ends_in_an_error(proxied: Proxied, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRIES", 2)
    objects, proxy = proxied(lambda *_: "error")
    for work in (lambda: objects.put("key", b"x"), lambda: objects.get("key"), lambda: list(objects.list())):
        with pytest.raises(StorageError, match=f"cannot .* of s3://{BUCKET}/"):
            work()
    assert len(proxy.requests) == 9


def test_a_server_that_does_not_answer_ends_in_an_error(proxied: Proxied, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REQUEST_LIMIT_S", 0.3)
    monkeypatch.setattr(module, "RETRY_LIMIT_S", 1)
    objects, _ = proxied(lambda *_: "stall")
    with pytest.raises(StorageError, match="cannot write key"):
        objects.put("key", b"x")
    with pytest.raises(StorageError, match="cannot read key"):
        objects.get("key")


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRIES", 1)
    objects = open_objects(f"s3://{BUCKET}/x?endpoint=http://127.0.0.1:9", OPTIONS)
    assert isinstance(objects, BucketObjects)
    with pytest.raises(StorageError, match="cannot write key"):
        objects.put("key", b"x")


def test_the_environment_names_the_endpoint(moto: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{moto[0]}:{moto[1]}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    objects = open_objects(f"s3a://{BUCKET}/environment")
    objects.put("key", b"x")
    assert objects.get("key") == b"x"


@pytest.mark.parametrize(("scheme", "path"), [("gs", "/bucket/folder%2Fkey"), ("az", "/bucket/folder/key")])
def test_other_clouds_are_asked_at_the_endpoint_of_the_url(
    scheme: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"GOOGLE_SKIP_SIGNATURE": "true", "AZURE_SKIP_SIGNATURE": "true"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        objects = open_objects(f"{scheme}://bucket/folder?endpoint=http://127.0.0.1:{server.server_port}")
        with pytest.raises(MissingObjectError):
            objects.get("key")
        server.shutdown()
        thread.join()
    assert [found.partition("?")[0].removeprefix("/account") for found in asked] == [path]


@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_a_region_is_amazons_alone(scheme: str) -> None:
    with pytest.raises(SettingError, match="only s3:// has a region"):
        open_objects(f"{scheme}://bucket/folder?region=eu")
