"""An application's actors in `smack status`: members, shards and mailboxes, requested from each node over HTTP."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterable, Mapping
from http.client import HTTPException
from typing import Any

from smackbox.runtime.supervisor import ProcessState

ANSWER_TIMEOUT_S = 2.0
PATH = "/actors"


def actor_lines(processes: Iterable[ProcessState]) -> list[str]:
    """One line for each node that answers; empty without nodes."""
    asked = ((process.name, _ask(process.url)) for process in processes if process.url.endswith(PATH))
    return [f"{name}: {line_of(shown)}" for name, shown in asked if shown is not None]


def line_of(shown: Mapping[str, Any]) -> str:
    """A node in one line."""
    members = ", ".join(f"{count} {status}" for status, count in sorted(shown["members"].items())) or "no member"
    mailbox = shown["mailbox"]
    parts = [f"cluster of {members}", f"{shown['actors']} actors", f"{mailbox['messages']} messages wait"]
    if mailbox["longest"]:
        parts[-1] += f" (at most {mailbox['longest']}, {mailbox['path']})"
    parts += [
        f"{name}: {count['shards']} shards, {count['entities']} entities" for name, count in shown["shards"].items()
    ]
    return "; ".join([*parts, f"{shown['dead_letters']} dead letters"])


def _ask(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_TIMEOUT_S) as answer:  # noqa: S310 - http://, of our own file
            return json.load(answer)
    except (OSError, ValueError, HTTPException):
        return None
