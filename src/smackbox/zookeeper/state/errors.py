"""The errors that a request can be answered with."""

from __future__ import annotations

from smackbox.base.errors import RequestError
from smackbox.zookeeper.wire.codes import Code


class ZooKeeperError(RequestError):
    """A request that fails with one of the protocol's error codes."""

    def __init__(self, code: Code, path: str = "") -> None:
        super().__init__(f"{code.name} {path}".strip())
        self.code = code
        self.path = path
