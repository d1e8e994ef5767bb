"""/v2/queue: the apps that wait for offers, and why; and resetting their delay."""

from __future__ import annotations

from typing import Any

from smackbox.marathon.handlers.api import Call, app_id_of
from smackbox.marathon.state.timestamps import timestamp
from smackbox.marathon.wire.app import render
from smackbox.marathon.wire.errors import Refusal
from smackbox.net.http import HttpResponse

Json = dict[str, Any]


def get_queue(call: Call) -> HttpResponse:
    """What waits for offers, and why the last ones did not match."""
    marathon = call.marathon
    now_ms = marathon.clock.wall_ms()
    with_offers = "lastUnusedOffers" in call.request.query.get("embed", [])
    queue: list[Json] = []
    for app_id, log in marathon.waiting.items():
        app = marathon.definition(app_id)
        if app is None:
            continue
        left_s = -(-marathon.delays.left_ms(app, now_ms) // 1000)
        item: Json = {
            "count": marathon.missing(app),
            "delay": {"timeLeftSeconds": left_s, "overdue": left_s == 0},
            "since": timestamp(log.since_ms),
            "processedOffersSummary": log.summary(),
            "app": render(app),
        }
        if with_offers:
            item["lastUnusedOffers"] = log.last_unused_offers()
        queue.append(item)
    return HttpResponse.json({"queue": queue})


def delete_delay(call: Call) -> HttpResponse:
    """Reset the back-off of an app's launches."""
    app_id = app_id_of(call.parts)
    if app_id not in call.marathon.waiting:
        raise Refusal(404, f"Application {app_id} not found in tasks queue.")
    call.marathon.reset_delay(app_id)
    return HttpResponse(204)
