"""The box's requests to its Marathon and Chronos, over their REST APIs, like any other client."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from smackbox.base.errors import StartError
from smackbox.net.http import JSON, HttpResponse
from smackbox.net.http_client import HttpClient, HttpClientError

Json = dict[str, Any]


class PlatformClient:
    """A client of one Marathon and one Chronos, by their URLs."""

    def __init__(self, marathon: str, chronos: str) -> None:
        self.marathon = marathon
        self.chronos = chronos
        self._http = HttpClient(headers={"Content-Type": JSON, "Accept": JSON})

    async def put_apps(self, apps: list[Json]) -> None:
        """Create or change these, in one deployment. Raises `StartError`."""
        await self._ask("PUT", f"{self.marathon}/v2/apps?force=true", apps)

    async def app(self, app_id: str) -> Json | None:
        """The app as GET shows it, with its last failure; None if there is none. Raises `StartError`."""
        url = f"{self.marathon}/v2/apps/{app_id}?embed=app.lastTaskFailure"
        answer = await self._ask("GET", url, missing=True)
        return None if answer.status == 404 else msgspec.json.decode(answer.body)["app"]

    async def apps(self) -> list[Json]:
        """All apps. Raises `StartError`."""
        answer = await self._ask("GET", f"{self.marathon}/v2/apps")
        found: list[Json] = msgspec.json.decode(answer.body)["apps"]
        return found

    async def delete_app(self, app_id: str) -> None:
        """Raises `StartError`."""
        await self._ask("DELETE", f"{self.marathon}/v2/apps/{app_id}?force=true", missing=True)

    async def delete_group(self, group: str) -> None:
        """Raises `StartError`."""
        await self._ask("DELETE", f"{self.marathon}/v2/groups/{group}?force=true", missing=True)

    async def groups(self) -> list[str]:
        """The ids of the groups directly in the root. Raises `StartError`."""
        answer = await self._ask("GET", f"{self.marathon}/v2/groups")
        return [group["id"] for group in msgspec.json.decode(answer.body)["groups"]]

    async def put_job(self, job: Json) -> None:
        """Raises `StartError`."""
        kind = "dependency" if "parents" in job else "iso8601"
        await self._ask("POST", f"{self.chronos}/v1/scheduler/{kind}", job)

    async def delete_job(self, name: str) -> None:
        """Raises `StartError`."""
        await self._ask("DELETE", f"{self.chronos}/v1/scheduler/job/{quote(name, safe='')}", missing=True)

    async def close(self) -> None:
        """Close the connections to Marathon and Chronos."""
        await self._http.close()

    async def _ask(self, method: str, url: str, body: Any = None, *, missing: bool = False) -> HttpResponse:
        data = None if body is None else msgspec.json.encode(body)
        try:
            answer = await self._http.request(method, url, body=data)
        except HttpClientError as error:
            raise StartError(f"the box's platform does not answer: {error}") from error
        if answer.status >= 400 and not (missing and answer.status == 404):
            text = answer.body.decode(errors="replace").strip()
            raise StartError(f"{method} {url} is refused: {answer.status} {text}")
        return answer
