"""What the tests of streams share: Amazon's services as moto's server has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def aws() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def client_of(aws: str) -> Callable[[str], Any]:
    import boto3

    def make(service: str) -> Any:
        keys = {"aws_access_key_id": "k", "aws_secret_access_key": "s"}
        return boto3.client(service, region_name="eu-west-1", endpoint_url=aws, **keys)

    return make
