"""What ends a stream when it is not its elements' end."""

from __future__ import annotations


class StreamError(Exception):
    """Root of the errors that streams raise on purpose."""


class StageError(StreamError):
    """A stage broke the protocol of its ports: pulled twice, pushed without demand, pushed None."""


class AbruptTerminationError(StreamError):
    """The actor that ran the stream stopped, or its system did."""


class NoSuchElementError(StreamError, LookupError):
    """A stream that should have had an element had none."""


class BufferOverflowError(StreamError):
    """A buffer whose strategy is FAIL is full."""


class StreamLimitReachedError(StreamError):
    """`limit` let its last element through, and one more came."""


class TooManySubstreamsOpenError(StreamError):
    """`group_by` met one key more than it may keep open."""


class StreamTimeoutError(StreamError, TimeoutError):
    """One of a stream's timeouts expired: initial, completion, idle, back-pressure."""


class RateExceededError(StreamError):
    """`throttle` in mode ENFORCING met a stream that is faster than its rate."""


class FramingError(StreamError):
    """Bytes that are no frames, or a frame over the limit."""


class CompressionError(StreamError):
    """Bytes that are not what they should decompress to: damaged, cut, or followed by others."""


class WatchedActorTerminatedError(StreamError):
    """An actor that a stage depends on is gone."""


class StreamDetachedError(StreamError):
    """The stream behind a materialized value is over."""


class NeverMaterializedError(StreamError):
    """A source, flow or sink that was to be made later was not: the stream ended before."""


class NonFailureCancellation(Exception):  # noqa: N818 - it says why a consumer left, not that something failed
    """A consumer wants no more, and nothing failed."""


class NoMoreElementsNeeded(NonFailureCancellation):
    """A consumer has all that it wanted."""


class StageWasCompleted(NonFailureCancellation):
    """The stage downstream completed by itself."""


NO_MORE_ELEMENTS = NoMoreElementsNeeded("the consumer needs no more elements")
STAGE_WAS_COMPLETED = StageWasCompleted("the stage downstream has completed")
