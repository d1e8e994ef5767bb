"""What a request asked for and cannot have: an error code of Kafka's and a sentence for people."""

from __future__ import annotations

from smackbox.base.errors import RequestError


class KafkaError(RequestError):
    """Answered with `code`; `message` goes into the answer's error message where the protocol has one."""

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
