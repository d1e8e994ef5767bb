"""A request that cannot be served: a Kafka error code and a sentence for people."""

from __future__ import annotations

from smackbox.base.errors import RequestError


class KafkaError(RequestError):
    """The request is answered with `code`; `message` goes into the answer's error message if the protocol has one."""

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
