"""The demand of running streams, counted when somebody looks, and as metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from smackbox.akka import ActorSystem
from smackbox.akka.metrics import SystemCollector
from smackbox.akka.stream import Sink, Source
from smackbox.akka.stream.buffers import OverflowStrategy
from smackbox.akka.stream.demand import NAMES_LIMIT, OTHER, Demand, demand_of, islands

TIMEOUT_S = 20


def run(work: Callable[[ActorSystem], Any]) -> None:
    async def main() -> None:
        async with ActorSystem("demand") as system, asyncio.timeout(TIMEOUT_S):
            await work(system)

    asyncio.run(main())


async def until(condition: Callable[[], Any]) -> None:
    while not condition():
        await asyncio.sleep(0)


def test_a_stream_that_waits_for_its_source_asks_and_one_whose_sink_waits_holds_back() -> None:
    async def work(system: ActorSystem) -> None:
        assert (islands(system), demand_of(system)) == (0, {})
        queue, done = Source.queue(8).map(str).named("orders").to_mat(Sink.seq(), lambda q, d: (q, d)).run(system)
        await until(lambda: demand_of(system).get("orders", Demand()).asked)
        hungry = demand_of(system)
        assert (hungry["orders"].asked, hungry["orders"].held_back, hungry["orders"].waiting) == (1, 0, 0)
        queue.complete()
        await done
        await until(lambda: not islands(system))
        assert demand_of(system) == {}

        gate = asyncio.Event()

        async def slow(number: int) -> int:
            await gate.wait()
            return number

        total = Source.range(1, 1000).async_().buffer(5, OverflowStrategy.BACK_PRESSURE).map_async(1, slow)
        result = total.named("slow").run_with(Sink.fold(0, int.__add__), system)
        # into the boundary, into the buffer, into the slow step; what waits is in the first two
        await until(lambda: demand_of(system).get("slow", Demand()).held_back == 3)
        held = demand_of(system)["slow"]
        assert (islands(system), held.asked, 5 < held.waiting <= 5 + 16) == (2, 0, True)
        gate.set()
        assert await result == 500_500
        await until(lambda: not islands(system))

    run(work)


def test_waiting_counts_queues_on_both_sides() -> None:
    async def work(system: ActorSystem) -> None:
        source = Source.queue(4)
        queue, out = source.to_mat(Sink.queue(2), lambda q, o: (q, o)).run(system)
        offers = [asyncio.ensure_future(queue.offer(number)) for number in range(9)]
        await until(lambda: demand_of(system).get("", Demand()) == Demand(held_back=1, waiting=9))
        assert [await out.pull() for _ in offers] == list(range(9))
        await asyncio.gather(*offers)
        await until(lambda: demand_of(system)[""] == Demand(asked=1))
        out.cancel()
        await until(lambda: not islands(system))

    run(work)


def test_names_are_bounded() -> None:
    async def work(system: ActorSystem) -> None:
        queues = [
            Source.queue(1).map(str).named(f"stream-{number}").to(Sink.ignore()).run(system)
            for number in range(NAMES_LIMIT + 10)
        ]
        await until(lambda: sum(demand.asked for demand in demand_of(system).values()) >= 2 * len(queues))
        found = demand_of(system)
        assert len(found) <= NAMES_LIMIT + 1 and found[OTHER].asked

    run(work)


def test_an_aborted_stream_is_counted_no_more() -> None:
    async def work(system: ActorSystem) -> None:
        Source.never().to(Sink.ignore()).run(system)
        await until(lambda: islands(system))
        await system.terminate()
        assert (islands(system), demand_of(system)) == (0, {})

    run(work)


def test_prometheus_gets_it() -> None:
    async def work(system: ActorSystem) -> None:
        Source.never().named("quiet").to(Sink.ignore()).run(system)
        await until(lambda: demand_of(system).get("", Demand()).asked)
        found = {
            (sample.name, sample.labels.get("stream")): sample.value
            for metric in SystemCollector(system).collect()
            for sample in metric.samples
            if sample.name.startswith("smack_stream")
        }
        assert found["smack_streams", None] == 1
        assert found["smack_stream_asked", ""] == 1
        assert found["smack_stream_held_back", "quiet"] == 0

    run(work)
