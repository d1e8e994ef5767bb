"""`negotiate` chooses the media type of an answer by the client's `Accept` (RFC 9110, 12.5.1).

@(path("report") & get & negotiate("application/json", "text/csv"))
def report(media: str) -> Route:
    return complete(as_csv(rows), content_type=media) if media == "text/csv" else complete(rows)
"""

from __future__ import annotations

from dataclasses import replace

from smackbox.akka.http.rejections import UnacceptedResponseContentTypeRejection
from smackbox.akka.http.route import Directive, Inner, Rejected, RequestContext, Result, with_vary
from smackbox.akka.http.weights import weighted


def negotiate(*media_types: str) -> Directive:
    """Extract the one of `media_types` that the client likes most, of equals the first.

    Rejects a request that accepts none of them (406). Raises `ValueError` for what is no media type, or none at all.
    """
    wrong = [media for media in media_types if media.count("/") != 1 or ";" in media or "*" in media]
    if wrong or not media_types:
        raise ValueError(f"media types are written as text/csv, not {', '.join(wrong) or 'none'}")
    rejected = Rejected(tuple(UnacceptedResponseContentTypeRejection(media) for media in media_types))

    async def apply(context: RequestContext, inner: Inner) -> Result:
        chosen = choose_media(context.request.headers.get("accept"), media_types)
        if chosen is None:
            return rejected
        result: Result = await inner(context, (chosen,))
        return result if isinstance(result, Rejected) else replace(result, headers=with_vary(result.headers, "Accept"))

    return Directive(apply)


def choose_media(accepted: str | None, media_types: tuple[str, ...]) -> str | None:
    """None where none of them is accepted. Of the ranges that match a type the most specific one gives its weight."""
    if accepted is None or not accepted.strip():
        return media_types[0]
    weights = _weights(accepted)
    best, most = None, 0.0
    for media in media_types:
        name = media.lower()
        ranges = (name, f"{name.partition('/')[0]}/*", "*/*")
        weight = next((weights[one] for one in ranges if one in weights), 0.0)
        if weight > most:
            best, most = media, weight
    return best


def _weights(accepted: str) -> dict[str, float]:
    """Ranges without their parameters, in lower case; of several with other parameters the most wanted one."""
    weights: dict[str, float] = {}
    for name, weight in weighted(accepted):
        weights[name] = max(weight, weights.get(name, 0.0))
    return weights
