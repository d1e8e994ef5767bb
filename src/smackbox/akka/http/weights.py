"""What a client accepts and how much: the weights of `Accept` and `Accept-Encoding` (RFC 9110, 12.4.2)."""

from __future__ import annotations

from collections.abc import Iterator


def weighted(accepted: str) -> Iterator[tuple[str, float]]:
    """Each range or coding in lower case, without parameters, and its weight from 0 to 1.

    The first `q` of several counts; one that is no number means: not accepted.
    """
    for part in accepted.split(","):
        name, *parameters = part.split(";")
        weight = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip().lower() == "q":
                try:
                    weight = min(1.0, max(0.0, float(value)))
                except ValueError:
                    weight = 0.0
                break
        name = name.strip().lower()
        if name:
            yield name, weight
