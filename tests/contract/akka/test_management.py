"""Management beside a real Pekko Management: of one cluster, both say the same, field by field."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from contextlib import AsyncExitStack
from typing import Any

import pytest
from bench.engines import real_pekko
from tests.contract.akka.jvm_lab import LIMIT_S, Lab, all_up, run, until

from smackbox.akka.cluster.management import ClusterManagement
from smackbox.akka.cluster.member import MemberStatus

pytestmark = [pytest.mark.polyglot, pytest.mark.xdist_group("pekko")]


def _ask(method: str, url: str, form: dict[str, str] | None) -> tuple[int, str, Any]:
    data = None if form is None else urllib.parse.urlencode(form).encode()
    request = urllib.request.Request(url, data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=LIMIT_S) as response:
            status, kind, body = response.status, response.headers.get_content_type(), response.read()
    except urllib.error.HTTPError as error:
        with error:
            status, kind, body = error.code, error.headers.get_content_type(), error.read()
    text = body.decode()
    return status, kind, json.loads(text) if kind == "application/json" else text


async def ask(method: str, url: str, form: dict[str, str] | None = None) -> tuple[int, str, Any]:
    """Status, media type, and body."""
    return await asyncio.to_thread(_ask, method, url, form)


def in_order(members: Any) -> Any:
    """Sets have no order in JSON: members, roles and observers are compared sorted."""
    if isinstance(members, dict):
        return {key: in_order(value) for key, value in members.items()}
    if isinstance(members, list):
        return sorted((in_order(item) for item in members), key=lambda item: json.dumps(item, sort_keys=True))
    return members


def test_both_managements_say_the_same() -> None:
    if reason := real_pekko.missing():
        pytest.skip(reason)

    async def work(stack: AsyncExitStack) -> None:
        pekko = stack.enter_context(real_pekko.RealPekko(provider="cluster", management=True))
        node, other = await Lab.start(stack, pekko), await Lab.start(stack, pekko)
        management = ClusterManagement(node.system, read_only=False)
        binding = await management.start("127.0.0.1", 0)
        ours, theirs = f"http://127.0.0.1:{binding.local_address[1]}", pekko.management_url

        async def both(method: str, path: str, form: dict[str, str] | None = None) -> Any:
            """The answer that both give."""
            first, second = await ask(method, ours + path, form), await ask(method, theirs + path, form)
            first, second = (first[0], first[1], in_order(first[2])), (second[0], second[1], in_order(second[2]))
            assert first == second, (method, path)
            return first

        # nobody has joined
        for kind in ("ready", "alive", "startup"):
            answers = [await ask("GET", f"{url}/{kind}") for url in (ours, theirs)]
            # checks have names of their own on either side
            answers = [(s, k, re.sub(r"\[[^]]*\]", "[…]", text)) for s, k, text in answers]
            assert answers[0] == answers[1]
            assert answers[0][::2] == ((500, "Not Healthy: Check […] not ok") if kind == "ready" else (200, "OK"))
        await node.say(f"join {pekko.address}")
        for joining in (node, other):
            joining.cluster.join_seed_nodes([joining.jvm])
            await joining.cluster.until(MemberStatus.UP, LIMIT_S)
        await until(lambda: all_up(node.cluster, 3))
        for kind in ("ready", "alive", "startup"):
            assert (await both("GET", f"/{kind}"))[::2] == (200, "OK")

        async def same_members(count: int) -> dict[str, Any]:
            while True:
                mine = await ask("GET", f"{ours}/cluster/members")
                jvms = await ask("GET", f"{theirs}/cluster/members")
                assert mine[:2] == jvms[:2] == (200, "application/json")
                assert (mine[2].pop("selfNode"), jvms[2].pop("selfNode")) == (str(node.address), pekko.address)
                if in_order(mine[2]) == in_order(jvms[2]) and len(mine[2]["members"]) == count:
                    found: dict[str, Any] = mine[2]
                    return found
                await asyncio.sleep(0.1)

        members = await same_members(3)
        assert set(members) == {"members", "unreachable", "leader", "oldest", "oldestPerRole"}
        assert members["oldest"] == pekko.address
        for name in (str(node.address), str(node.address).partition("://")[2], pekko.address):
            status, _, one = await both("GET", f"/cluster/members/{urllib.parse.quote(name, safe='@:/')}")
            assert (status, one["status"]) == (200, "Up")
        unknown = "pekko://lab@127.0.0.1:1"
        assert (await both("GET", f"/cluster/members/{unknown}"))[0] == 404
        assert (await both("DELETE", f"/cluster/members/{unknown}"))[0] == 404
        assert (await both("PUT", f"/cluster/members/{unknown}", {"operation": "down"}))[0] == 404
        assert (await both("PUT", f"/cluster/members/{node.address}", {"operation": "dance"}))[0] == 400
        status, _, answer = await ask("DELETE", f"{theirs}/cluster/members/{other.address}")
        assert (status, answer) == (200, {"message": f"Leaving {other.address}"})
        await until(lambda: other.cluster.is_terminated)
        members = await same_members(2)
        assert {member["node"] for member in members["members"]} == {pekko.address, str(node.address)}
        status, _, answer = await ask("PUT", f"{ours}/cluster/members/{pekko.address}", {"operation": "Leave"})
        assert (status, answer) == (200, {"message": f"Leaving {pekko.address}"})
        await until(lambda: all_up(node.cluster, 1))

    run(work)
