"""Posting events as a careful client does: JSON lines over a kept connection, sent again until there is an answer.

A body that gets no answer, or a 503, is sent again as it was: events carry their identity, so the streams count each
once. Nothing of smackbox is imported here.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

GIVE_UP_AFTER_S = 60.0
ANSWER_TIMEOUT_S = 30.0
PAUSE_S = 0.2


@dataclass(slots=True)
class Outcome:
    """What the endpoint has answered so far; `refused` holds each bad event's JSON path and reason."""

    accepted: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    sent_again: int = 0


def post_all(
    url: str, bodies: Iterator[bytes], *, connections: int = 2, tell: Callable[[Outcome], None] | None = None
) -> Outcome:
    """Post each body of JSON lines to `url`. Raises `ConnectionError` when a body got no answer for 60 s."""
    outcome = Outcome()
    lock = threading.Lock()
    failures: list[BaseException] = []

    def work() -> None:
        parts = urlsplit(url)
        client = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_TIMEOUT_S)
        try:
            while not failures:
                with lock:
                    body = next(bodies, None)
                if body is None:
                    return
                status, answer, tries = _post(client, parts.path, body)
                with lock:
                    outcome.sent_again += tries - 1
                    if status not in {202, 400}:
                        raise ConnectionError(f"{url} answered {status}: {answer}")
                    outcome.accepted += answer["accepted"]
                    outcome.refused += [(bad["path"], bad["reason"]) for bad in answer.get("errors", ())]
                    if tell is not None:
                        tell(outcome)
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            failures.append(error)
        finally:
            client.close()

    workers = [threading.Thread(target=work) for _ in range(connections)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failures:
        raise failures[0]
    return outcome


def _post(client: http.client.HTTPConnection, path: str, body: bytes) -> tuple[int, dict, int]:  # type: ignore[type-arg]
    """Status, decoded answer and how often it was sent."""
    deadline = time.monotonic() + GIVE_UP_AFTER_S
    tries = 0
    while True:
        tries += 1
        try:
            client.request("POST", path, body, {"Content-Type": "application/x-ndjson"})
            response = client.getresponse()
            text = response.read()
            if response.status != 503:
                return response.status, json.loads(text), tries
        except (OSError, http.client.HTTPException) as error:
            client.close()
            if time.monotonic() > deadline:
                raise ConnectionError(f"no answer for {GIVE_UP_AFTER_S:.0f} s: {error}") from error
        if time.monotonic() > deadline:
            raise ConnectionError(f"503 for {GIVE_UP_AFTER_S:.0f} s")
        time.sleep(PAUSE_S)
