from pathlib import Path

import pytest

from smackbox.base.errors import StartError
from smackbox.net import listener
from smackbox.net.listener import bind, free_port, is_loopback


def test_port_zero_picks_a_free_one() -> None:
    with bind("127.0.0.1", 0, name="kafka", insecure=False) as listener:
        assert listener.getsockname()[1] > 0


def test_a_taken_port_says_so() -> None:
    with bind("127.0.0.1", 0, name="kafka", insecure=False) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(StartError, match=f"kafka cannot listen on 127.0.0.1:{port}: Address already in use"):
            bind("127.0.0.1", port, name="kafka", insecure=False)


def test_beyond_loopback_needs_authentication_or_insecure() -> None:
    with pytest.raises(StartError, match="will not listen on 0.0.0.0 without authentication"):
        bind("0.0.0.0", 0, name="kafka", insecure=False)
    bind("0.0.0.0", 0, name="kafka", insecure=True).close()
    bind("0.0.0.0", 0, name="kafka", insecure=False, authenticated=True).close()


def test_an_unknown_host_says_so() -> None:
    with pytest.raises(StartError, match="cannot listen on no.such.host.invalid"):
        bind("no.such.host.invalid", 0, name="kafka", insecure=True)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.8.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("db", False)],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_a_port_is_shared_only_by_those_that_all_ask_for_it() -> None:
    with bind("127.0.0.1", 0, name="ingest", insecure=False, reuse_port=True) as first:
        port = first.getsockname()[1]
        bind("127.0.0.1", port, name="ingest", insecure=False, reuse_port=True).close()
        with pytest.raises(StartError, match="Address already in use"):
            bind("127.0.0.1", port, name="ingest", insecure=False)


def test_a_free_port_is_none_that_the_kernel_lends_to_clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "range").write_text("20000\t60999\n")
    monkeypatch.setattr(listener, "EPHEMERAL_PORTS", tmp_path / "range")
    ports = {free_port("127.0.0.1") for _ in range(20)}
    assert len(ports) > 10
    assert all(10_000 <= port < 20_000 for port in ports)
    for port in ports:
        bind("127.0.0.1", port, name="kafka", insecure=False).close()


def test_a_free_port_where_none_is_outside_of_the_kernels_range(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in ("1024\t60999\n", "nonsense", ""):
        (tmp_path / "range").write_text(text)
        monkeypatch.setattr(listener, "EPHEMERAL_PORTS", tmp_path / "range")
        assert free_port("127.0.0.1") > 0
    monkeypatch.setattr(listener, "EPHEMERAL_PORTS", tmp_path / "none")
    assert free_port("127.0.0.1") > 0


def test_a_free_port_is_not_one_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with bind("127.0.0.1", free_port("127.0.0.1"), name="kafka", insecure=False) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(listener, "FIRST_PORT", port)
        monkeypatch.setattr(listener, "LAST_PORT", port)
        assert free_port("127.0.0.1") not in {0, port}
