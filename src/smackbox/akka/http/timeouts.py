"""How long a route may take: `with_request_timeout` for a part of it, instead of the server's `answer_timeout_s`."""

from __future__ import annotations

from collections.abc import Callable

from smackbox.akka.http.route import Directive, Inner, RequestContext, Result
from smackbox.net.http import HttpRequest, HttpResponse


def with_request_timeout(
    timeout_s: float | None, answer: Callable[[HttpRequest], HttpResponse] | None = None
) -> Directive:
    """Answer 503, or what `answer` makes of the request's head, `timeout_s` seconds after the request came.

    The innermost holds. None is no limit. Raises `ValueError` for a time that is not positive.
    """
    if timeout_s is not None and timeout_s <= 0:
        raise ValueError(f"a timeout is more than 0 s, not {timeout_s:g}")

    async def apply(context: RequestContext, inner: Inner) -> Result:
        control = context.control
        control.timeout_s = timeout_s
        if answer is not None:
            control.late_answer = answer
        if control.changed is not None:
            control.changed()
        return await inner(context, ())

    return Directive(apply)


without_request_timeout = with_request_timeout(None)
"""Let the route take its time."""
