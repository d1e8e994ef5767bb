"""The one tree of exceptions.

Three kinds of trouble (and no fourth):

1. The peer asked for something wrong: the room answers with its protocol's own error code; rooms derive
   their request errors from `RequestError` and keep one exception-to-code table.
2. The peer broke the protocol: `ProtocolError`; the connection is logged once with its address and closed.
3. A bug of ours: an `AssertionError` or anything unexpected; logged with its trace, the request fails.

What a person at the command line has to act on is a `UserError`: one line that says what to do.
"""

from __future__ import annotations


class SmackError(Exception):
    """The base class of every error that smackbox raises on purpose."""


class UserError(SmackError):
    """An error that the user can fix; `str(error)` is one clear line without a traceback."""


class SettingError(UserError):
    """A setting is unknown, malformed or out of range."""


class StartError(UserError):
    """A server cannot start: port taken, directory locked or not writable, missing extra."""


class ProtocolError(SmackError):
    """The peer sent bytes that its protocol does not allow; only this connection is closed."""


class RequestError(SmackError):
    """The peer asked for something that cannot be done; the room maps it to its protocol's error code."""


class LimitError(RequestError):
    """A named limit was reached; the message names the limit and its value."""


class StorageError(SmackError):
    """The disk rejected an operation, or its data is damaged beyond the incomplete tail that a crash leaves."""
