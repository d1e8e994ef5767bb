"""Marathon's error answers: a status and a JSON body with `message`, and optionally `details` or `deployments`."""

from __future__ import annotations

from typing import Any

from smackbox.base.errors import RequestError

LOCKED = (
    "App is locked by one or more deployments. Override with the option '?force=true'. "
    "View details at '/v2/deployments/<DEPLOYMENT_ID>'."
)


class Refusal(RequestError):  # noqa: N818 - it is an answer
    """An answer other than success."""

    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"message": message, **more}


def unknown_app(app_id: str, version: str | None = None) -> Refusal:
    """404."""
    return Refusal(404, f"App '{app_id}' does not exist" + (f" in version {version}" if version else ""))


def unknown_group(group_id: str) -> Refusal:
    """404."""
    return Refusal(404, f"Group '{group_id}' does not exist")


def invalid(problems: list[tuple[str, str]]) -> Refusal:
    """422: the JSON is well-formed but the request is invalid. `problems` are pairs of a path and an error."""
    details: dict[str, list[str]] = {}
    for path, error in problems:
        details.setdefault(path, []).append(error)
    return Refusal(
        422, "Object is not valid", details=[{"path": path, "errors": errors} for path, errors in details.items()]
    )


def malformed(path: str, error: str) -> Refusal:
    """400: the JSON does not have the expected structure."""
    return Refusal(400, "Invalid JSON", details=[{"path": path, "errors": [error]}])


def locked(deployment_ids: list[str]) -> Refusal:
    """409: those deployments are running."""
    return Refusal(409, LOCKED, deployments=[{"id": id_} for id_ in deployment_ids])
