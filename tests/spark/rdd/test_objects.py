"""Files of RDDs in an object store: moto's S3, by the URLs that Spark's users write."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from smackbox.spark.rdd.context import SparkContext
from smackbox.spark.rdd.errors import JobError
from smackbox.spark.rdd.files import alternatives

BUCKET = "events"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def s3(endpoint: str) -> Any:
    client = boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
    )
    client.create_bucket(Bucket=BUCKET)
    for month, day in (("08", "31"), ("09", "01"), ("09", "02")):
        lines = "".join(f"{month}-{day} {number}\n" for number in range(3))
        client.put_object(Bucket=BUCKET, Key=f"2015/{month}/{day}.gz", Body=gzip.compress(lines.encode()))
    client.put_object(Bucket=BUCKET, Key="2015/09/_SUCCESS", Body=b"")
    client.put_object(Bucket=BUCKET, Key="2016/01/01.gz", Body=gzip.compress(b"later\n"))
    plain = "".join(f"line {number:04}\n" for number in range(1000)).encode()
    client.put_object(Bucket=BUCKET, Key="plain/a b.txt", Body=plain)
    return client


@pytest.fixture(scope="module", params=["local[1]", "local[2]"])
def sc(request: pytest.FixtureRequest, endpoint: str, s3: Any) -> Iterator[SparkContext]:
    conf = {
        "spark.hadoop.fs.s3a.endpoint": endpoint,
        "fs.s3a.access.key": "a",
        "fs.s3n.awsSecretAccessKey": "b",
        "fs.s3a.endpoint.region": "us-east-1",
    }
    with SparkContext(request.param, conf=conf) as context:
        yield context


@pytest.mark.parametrize("scheme", ["s3", "s3n", "s3a"])
def test_the_talks_glob_of_zipped_files(sc: SparkContext, scheme: str) -> None:
    lines = sc.textFile(f"{scheme}://{BUCKET}/2015/*/*.gz").collect()
    assert lines == [f"{day} {number}" for day in ("08-31", "09-01", "09-02") for number in range(3)]


def test_a_directory_an_object_and_several_patterns(sc: SparkContext) -> None:
    assert sc.textFile(f"s3://{BUCKET}/2015/09/").count() == 6  # _SUCCESS is left out
    assert sc.textFile(f"s3://{BUCKET}/2015/09/01.gz").count() == 3
    assert sc.textFile(f"s3://{BUCKET}/2015/0[89]/{{01,31}}.gz,s3://{BUCKET}/2016/01/0?.gz").count() == 7


def test_lines_are_read_once_however_an_object_is_cut(sc: SparkContext) -> None:
    lines = sc.textFile(f"s3://{BUCKET}/plain/a b.txt", 7)
    assert lines.getNumPartitions() >= 7
    assert lines.collect() == [f"line {number:04}" for number in range(1000)]


def test_whole_objects(sc: SparkContext) -> None:
    found = dict(sc.wholeTextFiles(f"s3://{BUCKET}/2016/01").collect())
    assert found == {f"s3://{BUCKET}/2016/01/01.gz": "later\n"}


@pytest.mark.parametrize("codec", [None, "org.apache.hadoop.io.compress.GzipCodec"])
def test_what_is_saved_can_be_read(sc: SparkContext, s3: Any, codec: str | None, tmp_path: Path) -> None:
    url = f"s3a://{BUCKET}/out/{tmp_path.name}"
    sc.parallelize(["one", "two", "three"], 2).saveAsTextFile(url, codec)
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"out/{tmp_path.name}/")["Contents"]
    ending = ".gz" if codec else ""
    names = [entry["Key"].rpartition("/")[2] for entry in listed]
    assert names == ["_SUCCESS", f"part-00000{ending}", f"part-00001{ending}"]
    assert sc.textFile(url).collect() == ["one", "two", "three"]
    with pytest.raises(JobError, match="already exists"):
        sc.parallelize(["x"]).saveAsTextFile(url, codec)


def test_what_is_not_there_is_named(sc: SparkContext) -> None:
    for path in (f"s3://{BUCKET}/2014/*/*.gz", f"s3://{BUCKET}/2015/09/03.gz"):
        with pytest.raises(JobError, match="Input path does not exist: s3://events/201"):
            sc.textFile(path)


def test_alternatives_are_written_out() -> None:
    assert alternatives("a,b/{1,2}/{x,y}") == ["a", "b/1/x", "b/1/y", "b/2/x", "b/2/y"]
    assert alternatives("plain") == ["plain"]
