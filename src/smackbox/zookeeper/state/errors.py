"""What a request can be refused with."""

from __future__ import annotations

from smackbox.base.errors import RequestError
from smackbox.zookeeper.wire.codes import Code


class ZooKeeperError(RequestError):
    """A request refused with one of the protocol's codes."""

    def __init__(self, code: Code, path: str = "") -> None:
        super().__init__(f"{code.name} {path}".strip())
        self.code = code
        self.path = path
