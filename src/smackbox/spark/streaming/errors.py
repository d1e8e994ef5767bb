"""What can go wrong with a stream: things that pass (and are tried again) and things that a person has to mend."""

from __future__ import annotations

from smackbox.base.errors import SmackError, UserError


class StreamError(UserError):
    """The stream cannot go on until somebody mends it: its function, its table, its checkpoint."""


class UnfitEventsError(StreamError):
    """Events that the stream's function fails on, or whose result the table cannot hold."""


class DataLossError(StreamError):
    """Records that the stream has still to read are not in the topic any more."""


class AwayError(SmackError):
    """A server that the stream needs does not answer just now; the work is tried again."""


class SourceAwayError(AwayError):
    """Kafka does not answer, or the topic is not there yet."""


class StoppedError(SmackError):
    """The stream is told to stop while it waits for a server; its plan stays for the next start."""
