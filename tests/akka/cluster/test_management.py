"""Health and members over HTTP: paths, statuses and JSON of Pekko Management."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from smackbox.akka import ActorSystem
from smackbox.akka.cluster.cluster import Cluster
from smackbox.akka.cluster.core import ClusterSettings
from smackbox.akka.cluster.management import ClusterManagement
from smackbox.akka.cluster.member import MemberStatus
from smackbox.akka.remote.remoting import Remoting

LIMIT_S = 40.0


def run(work: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(LIMIT_S):
            await work

    asyncio.run(limited())


class Client:
    """Asks the management of one node."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session = session
        self._url = f"http://127.0.0.1:{port}"

    async def ask(self, method: str, path: str, *, multipart: bool = False, **form: str) -> tuple[int, Any]:
        data = aiohttp.FormData(form, default_to_multipart=multipart) if form else None
        async with self._session.request(method, self._url + path, data=data) as answer:
            body = await (answer.json() if "json" in answer.headers["Content-Type"] else answer.text())
            return answer.status, body


async def started(stack: AsyncExitStack, **options: Any) -> tuple[Cluster, ClusterManagement, Client]:
    system = await stack.enter_async_context(ActorSystem("lab"))
    cluster = Cluster(await Remoting.start(system), ClusterSettings(frozenset({"front"}), tick_s=0.03))
    management = ClusterManagement(system, **options)
    binding = await management.start(port=0)
    session = await stack.enter_async_context(aiohttp.ClientSession())
    return cluster, management, Client(session, binding.local_address[1])


def test_a_node_is_ready_when_it_is_up_and_its_checks_are_well() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            cluster, management, client = await started(stack)
            assert await client.ask("GET", "/ready") == (500, "Not Healthy: Check [cluster-membership] not ok")
            assert await client.ask("GET", "/alive") == (200, "OK")
            cluster.join()
            await cluster.until(MemberStatus.UP, LIMIT_S)
            assert await client.ask("GET", "/ready") == (200, "OK")

            async def broken() -> bool:
                raise OSError("no database")

            async def unwell() -> bool:
                return False

            management.add_check("ready", "database", broken)
            management.add_check("alive", "worker", unwell)
            assert await client.ask("GET", "/ready") == (500, "Not Healthy: Check [database] not ok")
            assert await client.ask("GET", "/alive") == (500, "Not Healthy: Check [worker] not ok")
            assert (await client.ask("GET", "/startup"))[0] == 200
            with pytest.raises(ValueError, match="no kind of check"):
                management.add_check("dead", "x", unwell)

    run(main())


def test_members_are_listed_as_pekko_management_lists_them() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            cluster, _, client = await started(stack)
            assert await client.ask("GET", "/cluster/members") == (
                200,
                {"selfNode": str(cluster.own.address), "members": [], "unreachable": [], "oldestPerRole": {}},
            )
            cluster.join()
            address = str(cluster.own.address)
            member = {
                "node": address, "nodeUid": str(cluster.own.uid), "status": "Up", "roles": ["dc-default", "front"]
            }  # fmt: skip
            assert await client.ask("GET", "/cluster/members/") == (
                200,
                {
                    "selfNode": address,
                    "members": [member],
                    "unreachable": [],
                    "leader": address,
                    "oldest": address,
                    "oldestPerRole": {"dc-default": address, "front": address},
                },
            )
            assert await client.ask("GET", f"/cluster/members/{address}") == (200, member)
            assert await client.ask("GET", f"/cluster/members/{address.partition('//')[2]}") == (200, member)
            status, found = await client.ask("GET", "/cluster/members/pekko://lab@h:1")
            assert status == 404 and found == {"message": "Member [pekko://lab@h:1] not found"}
            assert (await client.ask("DELETE", f"/cluster/members/{address}"))[0] == 405, "it is read only"
            assert (await client.ask("POST", "/cluster/members", address=address))[0] == 405

    run(main())


def test_a_cluster_is_changed_where_that_is_allowed() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            first, _, client = await started(stack, read_only=False)
            second, _, other = await started(stack, read_only=False)
            address, its = str(first.own.address), str(second.own.address)
            assert await client.ask("POST", "/cluster/members", address=address) == (
                200, {"message": f"Joining {address}"}
            )  # fmt: skip
            assert (await other.ask("POST", "/cluster/members", address="nonsense"))[0] == 400
            assert (await other.ask("POST", "/cluster/members"))[0] == 400
            assert (await other.ask("POST", "/cluster/members", multipart=True, address=address))[0] == 200  # curl -F
            await second.until(MemberStatus.UP, LIMIT_S)
            assert (await client.ask("PUT", f"/cluster/members/{its}", operation="dance"))[0] == 400
            assert (await client.ask("PUT", "/cluster/members/x@h:1", operation="down"))[0] == 404
            assert await client.ask("PUT", f"/cluster/members/{its}", operation="Leave") == (
                200, {"message": f"Leaving {its}"}
            )  # fmt: skip
            while len(first.members) > 1:
                await asyncio.sleep(0.01)
            assert (await client.ask("DELETE", f"/cluster/members/{its}"))[0] == 404
            assert await client.ask("PUT", f"/cluster/members/{address}", operation="down") == (
                200, {"message": f"Downing {address}"}
            )  # fmt: skip

    run(main())
