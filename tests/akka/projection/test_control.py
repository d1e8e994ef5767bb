"""`smack projection` on the control socket of a process with projections."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner

from smackbox.akka import ActorSystem
from smackbox.akka.persistence.offset import Offset, Sequence
from smackbox.akka.persistence.query import EventEnvelope
from smackbox.akka.projection.behavior import ProjectionBehavior
from smackbox.akka.projection.control import serve_control
from smackbox.akka.projection.management import ProjectionManagement
from smackbox.akka.projection.projection import Projection, ProjectionSettings
from smackbox.akka.stream.source import Source
from smackbox.base.errors import UserError
from smackbox.cli.projection import command
from tests.akka.projection.test_projection import ID, MemoryOffsets, envelope

LIMIT_S = 30.0


def test_the_verb_shows_pauses_resumes_and_rewinds(tmp_path: Path) -> None:
    offsets = MemoryOffsets()
    handled: list[int] = []

    def events(offset: Offset) -> Source[EventEnvelope, object]:
        after = offset.value if isinstance(offset, Sequence) else 0
        return Source.from_iterable([envelope(number) for number in range(after + 1, 4)]).concat(Source.never())

    async def handle(one: EventEnvelope) -> None:
        handled.append(one.event)

    async def smack(*arguments: str) -> str:
        result = await asyncio.to_thread(CliRunner().invoke, command, ["--dir", str(tmp_path), *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.output

    async def until(count: int) -> None:
        while len(handled) < count:
            await asyncio.sleep(0.001)

    async def main() -> None:
        async with asyncio.timeout(LIMIT_S), ActorSystem("shop") as system:
            control = await serve_control(tmp_path, ProjectionManagement.of(system))
            assert await smack("status") == "no projections run there\n"
            projection = Projection.at_least_once(ID, events, handle, offsets)
            settings = ProjectionSettings(save_after=3)
            system.spawn(ProjectionBehavior.of(projection.with_settings(settings), wall_ms=lambda: 4_500))
            await until(3)
            while offsets.saved != [3]:
                await asyncio.sleep(0.001)
            assert await smack("status") == "totals\torders\trunning\t3 events\tlag 1.5 s\toffset SEQ:3\n"
            assert "paused" in await smack("pause", "totals", "orders")
            assert "offset SEQ:3" in await smack("rewind", "totals", "orders", "--to", "SEQ:1")
            assert "running" in await smack("resume", "totals", "orders")
            await until(5)
            await smack("rewind", "totals", "orders")
            await until(8)
            assert handled == [1, 2, 3, 2, 3, 1, 2, 3]
            with pytest.raises(UserError, match="no projection totals-nothing runs here; there is totals-orders"):
                await smack("pause", "totals", "nothing")
            with pytest.raises(UserError, match="SEQ:NUMBER"):
                await smack("rewind", "totals", "orders", "--to", "7")
            with pytest.raises(UserError, match="damaged"):
                await smack("rewind", "totals", "orders", "--to", "SEQ:x")
            await control.close()
            with pytest.raises(UserError, match="takes no requests"):
                await smack("status")

    asyncio.run(main())
