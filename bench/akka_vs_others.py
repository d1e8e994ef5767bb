"""What do actors and streams cost here, beside pykka, Thespian and aiostream in one run?

Medians of several rounds. pykka and Thespian are measured where they are installed (`pip install pykka thespian`), a
round trip with a real Pekko (`tests/contract/akka/pekko`) where Java and Maven are there.
"""

from __future__ import annotations

import asyncio
import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.engines import real_pekko
from smackbox.akka import Actor, ActorRef, ActorSystem
from smackbox.akka.remote.remoting import Remoting

ROUNDS = 5
TELLS = 300_000
ASKS = 5_000
SPAWNS = 50_000
REMOTE = 20_000
WINDOW = 64
ELEMENTS = 200_000


class Sink(Actor[int]):
    def __init__(self, count: int, done: asyncio.Future[None]) -> None:
        self.left = count
        self.done = done

    def receive(self, message: int) -> None:
        self.left -= 1
        if self.left == 0:
            self.done.set_result(None)


class Echo(Actor[Any]):
    def receive(self, message: Any) -> None:
        self.context.sender.tell(message, self.context.ref)


class AsyncEcho(Actor[Any]):
    async def receive(self, message: Any) -> None:
        self.context.sender.tell(message, self.context.ref)


class Idle(Actor[Any]): ...


def rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def tells(system: ActorSystem) -> float:
    from smackbox.akka import Props

    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    tell = system.spawn(Props.of(Sink, TELLS, done)).tell
    started = time.perf_counter()
    for number in range(TELLS):
        tell(number)
    await done
    return TELLS / (time.perf_counter() - started)


async def ask_us(ref: ActorRef[Any], count: int = ASKS) -> float:
    """The median of round trips, one after another."""
    taken = []
    for number in range(count):
        started = time.perf_counter()
        await ref.request(number, 10)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1e6


async def spawns(system: ActorSystem) -> tuple[float, float]:
    """Actors a second, and bytes for each."""
    gc.collect()
    before, started = rss(), time.perf_counter()
    refs = [system.spawn(Idle) for _ in range(SPAWNS)]
    while system.dispatcher._ready:
        await asyncio.sleep(0)
    rate, size = SPAWNS / (time.perf_counter() - started), (rss() - before) / SPAWNS
    for ref in refs:
        system.stop(ref)
    return rate, size


async def in_flight(echo: ActorRef[Any], system: ActorSystem) -> float:
    """Messages a second in both directions, `WINDOW` on their way."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    left = REMOTE

    class Driver(Actor[Any]):
        def pre_start(self) -> None:
            for _ in range(WINDOW):
                echo.tell("p", self.context.ref)

        def receive(self, message: Any) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                done.set_result(None)
            elif left >= WINDOW:
                echo.tell("p", self.context.ref)

    started = time.perf_counter()
    system.spawn(Driver)
    await done
    return 2 * REMOTE / (time.perf_counter() - started)


async def ours() -> dict[str, float]:
    figures: dict[str, list[float]] = {}
    async with ActorSystem("bench") as system:
        for _ in range(ROUNDS):
            rate, size = await spawns(system)
            for name, value in (
                ("tell, messages/s", await tells(system)),
                ("ask p50, us", await ask_us(system.spawn(Echo))),
                ("ask p50 of an async handler, us", await ask_us(system.spawn(AsyncEcho))),
                ("spawn, actors/s", rate),
                ("bytes an actor", size),
            ):
                figures.setdefault(name, []).append(value)
    return {name: statistics.median(values) for name, values in figures.items()}


async def remoting() -> dict[str, float]:
    async with ActorSystem("lab") as a, ActorSystem("lab") as b:
        first, second = await Remoting.start(a), await Remoting.start(b)
        echo = first.resolve(second.path_of(b.spawn(Echo, "echo")))
        await echo.request("hello", 10)
        return {
            "remote ask p50, both ends in one process, us": await ask_us(echo, 2_000),
            "remote messages/s, 64 in flight, both ends in one process": await in_flight(echo, a),
        }


ECHO_PROCESS = """
import asyncio, sys
import uvloop
from bench.akka_vs_others import Echo
from smackbox.akka import ActorSystem
from smackbox.akka.remote.remoting import Remoting

async def main():
    async with ActorSystem("lab") as system:
        remoting = await Remoting.start(system)
        print(remoting.path_of(system.spawn(Echo, "echo")), flush=True)
        await asyncio.to_thread(sys.stdin.read)

uvloop.run(main())
"""


async def between_processes() -> dict[str, float]:
    with subprocess.Popen(  # noqa: ASYNC220 - before anything runs
        [sys.executable, "-c", ECHO_PROCESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        path = process.stdout.readline().strip()
        try:
            async with ActorSystem("lab") as system:
                echo = (await Remoting.start(system)).resolve(path)
                await echo.request("hello", 10)
                await in_flight(echo, system)
                return {
                    "remote ask p50, two processes, us": await ask_us(echo, 2_000),
                    "remote messages/s, 64 in flight, two processes": await in_flight(echo, system),
                }
        finally:
            process.stdin.close()


async def with_pekko(address: str) -> dict[str, float]:
    async with ActorSystem("lab") as system:
        remote = await Remoting.start(system)
        echo = remote.resolve(f"{address}/user/echo")
        await echo.request("hello", 10)
        await in_flight(echo, system)
        return {
            "ask of a real Pekko p50, us": await ask_us(echo, 2_000),
            "messages/s with a real Pekko, 64 in flight": await in_flight(echo, system),
        }


async def streams() -> dict[str, float]:
    """Elements a second, medians: five operators fused, one boundary, map_async(16), as `spikes` measured Pekko."""
    from smackbox.akka.stream import Source

    async def following(number: int) -> int:
        return number + 1

    numbers = Source.range(1, ELEMENTS)
    cases = {
        "fused stream of 5 operators, elements/s": numbers.map(lambda x: x + 1)
        .filter(lambda x: x & 1)
        .map(lambda x: x + 1)
        .filter(lambda x: not x & 1)
        .map(lambda x: x - 1),
        "5 operators of which 2 are no plain functions, elements/s": numbers.map(lambda x: x + 1)
        .drop(1)
        .filter(lambda x: x & 1)
        .zip_with_index()
        .map(lambda pair: pair[0]),
        "one asynchronous boundary, elements/s": numbers.async_().map(lambda x: x + 1),
        "map_async(16), elements/s": numbers.map_async(16, following),
    }
    figures: dict[str, list[float]] = {}
    async with ActorSystem("bench") as system:
        for _ in range(ROUNDS):
            for name, source in cases.items():
                started = time.perf_counter()
                await source.run_fold(0, lambda a, x: a + x, system)
                figures.setdefault(name, []).append(ELEMENTS / (time.perf_counter() - started))
    return {name: statistics.median(values) for name, values in figures.items()}


async def aiostream() -> dict[str, float]:
    from aiostream import pipe, stream  # type: ignore[import-not-found, unused-ignore]

    figures = []
    for _ in range(3):
        started = time.perf_counter()
        await (
            stream.range(ELEMENTS // 4)
            | pipe.map(lambda x: x + 1)
            | pipe.filter(lambda x: x & 1)
            | pipe.map(lambda x: x + 1)
            | pipe.filter(lambda x: not x & 1)
            | pipe.map(lambda x: x - 1)
            | pipe.reduce(lambda a, x: a + x)
        )
        figures.append(ELEMENTS // 4 / (time.perf_counter() - started))
    return {"fused stream of 5 operators, elements/s": statistics.median(figures)}


def pykka() -> dict[str, float]:
    import pykka  # type: ignore[import-not-found, unused-ignore]

    class PykkaEcho(pykka.ThreadingActor):  # type: ignore[misc, unused-ignore]
        def on_receive(self, message: Any) -> Any:
            return message

    ref = PykkaEcho.start()
    count = TELLS // 10
    started = time.perf_counter()
    for number in range(count):
        ref.tell(number)
    ref.ask("done")
    rate = count / (time.perf_counter() - started)
    taken = []
    for number in range(ASKS // 5):
        began = time.perf_counter()
        ref.ask(number)
        taken.append(time.perf_counter() - began)
    started = time.perf_counter()
    refs = [PykkaEcho.start() for _ in range(500)]
    spawned = 500 / (time.perf_counter() - started)
    for one in [*refs, ref]:
        one.stop()
    return {
        "tell, messages/s": rate,
        "ask p50, us": statistics.median(taken) * 1e6,
        "spawn, actors/s": spawned,
    }


def thespian() -> dict[str, float]:
    from thespian.actors import ActorSystem as ThespianSystem  # type: ignore[import-not-found, unused-ignore]

    system = ThespianSystem("simpleSystemBase")
    try:
        echo = system.createActor("bench.thespian_echo.ThespianEcho")
        count = TELLS // 30
        started = time.perf_counter()
        for number in range(count):
            system.tell(echo, number)
        system.ask(echo, "done", 10)
        rate = count / (time.perf_counter() - started)
        taken = []
        for number in range(ASKS // 5):
            began = time.perf_counter()
            system.ask(echo, number, 10)
            taken.append(time.perf_counter() - began)
        return {"tell, messages/s": rate, "ask p50, us": statistics.median(taken) * 1e6}
    finally:
        system.shutdown()


def import_ms() -> float:
    """With bytecode, as an installed package has it, whatever the environment says about writing it."""
    with tempfile.TemporaryDirectory() as bytecode:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = bytecode

        def taken(statement: str) -> float:
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True, env=environment)
            return (time.perf_counter() - started) * 1000

        statement = "from smackbox import akka; akka.ActorSystem"
        taken(statement)
        return statistics.median(taken(statement) - taken("pass") for _ in range(3 * ROUNDS))


def show(title: str, figures: dict[str, float]) -> None:
    print(title)
    for name, value in figures.items():
        print(f"  {name:<58} {value:>14,.1f}")


def run(work: Callable[[], Awaitable[dict[str, float]]]) -> dict[str, float]:
    import uvloop

    async def main() -> dict[str, float]:
        return await work()

    return uvloop.run(main())


def main() -> None:
    own = run(ours)
    show("smackbox", own)
    show("smackbox, remoting", run(remoting))
    between = run(between_processes)
    show("smackbox, remoting", between)
    flowing = run(streams)
    show("smackbox, streams", flowing)
    if find_spec("aiostream") is None:
        print("aiostream is not installed: pip install aiostream")
    else:
        others = run(aiostream)
        show("aiostream", others)
        show("  smackbox / aiostream", {key: flowing[key] / value for key, value in others.items()})
    for name, measure in (("pykka", pykka), ("thespian", thespian)):
        if find_spec(name) is None:
            print(f"{name} is not installed: pip install {name}")
            continue
        figures = measure()
        show(name, figures)
        show(f"  smackbox / {name}", {key: own[key] / value for key, value in figures.items() if key in own})
    if reason := real_pekko.missing():
        print(f"a real Pekko cannot run here: {reason}")
    else:
        with real_pekko.RealPekko() as node:
            show("with a real Pekko", run(lambda: with_pekko(node.address)))
            theirs = real_pekko.figures(node.address)
            show("Pekko alone, two threads, the best of its rounds", theirs)
            ratios = {
                "tell (goal: 0.15)": own["tell, messages/s"] / theirs["tell"],
                "ask p50": own["ask p50, us"] / theirs["ask"],
                "spawn": own["spawn, actors/s"] / theirs["spawn"],
                "remote ask p50 (goal: 1)": between["remote ask p50, two processes, us"] / theirs["round-trip"],
                "remote messages/s, 64 in flight (goal: 0.5)": (
                    between["remote messages/s, 64 in flight, two processes"] / theirs["in-flight"]
                ),
            }
            show("  smackbox / Pekko", ratios)
    print(f"from smackbox import akka: {import_ms():.1f} ms (goal: 60 ms)")


if __name__ == "__main__":
    main()
