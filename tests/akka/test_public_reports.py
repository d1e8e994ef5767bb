"""What users of other actor libraries reported, and the test here that would fail with the same fault.

`FAULTS` is the list: where a test stands elsewhere it names it, the others are below. The reports: pykka
(jodal/pykka), Thespian (kquick/Thespian, thespianpy/Thespian), ray (ray-project/ray), dapr (dapr/python-sdk), actor-ts
(pathosDev/actor-ts), akka.net (akkadotnet/akka.net), alpakka-kafka (akka/alpakka-kafka).
"""

from __future__ import annotations

import ast
import asyncio
import threading
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from smackbox.akka import Actor, ActorSystem, AskTimeoutError, Props
from smackbox.akka.actor.behaviors import Behaviors
from smackbox.akka.actor.dispatcher import THROUGHPUT
from smackbox.akka.actor.supervision import SupervisorStrategy
from smackbox.akka.cluster.downing import StaticQuorum
from smackbox.akka.cluster.resolver import DowningSettings, SplitBrainResolver
from smackbox.akka.persistence.signals import RecoveryCompleted
from smackbox.akka.testkit.kit import ActorTestKit
from tests.akka.actor.test_life import Echo, Recorder
from tests.akka.cluster.test_downing import NODES, cluster, names, side
from tests.akka.persistence.bank import Bank, account

HERE = Path(__file__).parent
FAULTS: dict[str, tuple[str, ...]] = {
    # report: what it says, and the tests
    "pykka #42": (
        "the failure of a tell is seen by nobody",
        "actor/test_others_faults.py::test_a_failing_tell_is_seen",
    ),
    "pykka #37": (
        "no dead letters",
        "actor/test_life.py::test_what_is_sent_to_nobody_is_a_dead_letter",
    ),
    "pykka #46": (
        "a stop is a poison pill",
        "actor/test_life.py::test_stop_does_not_wait_for_messages",
        "actor/test_life.py::test_poison_pill_waits_for_its_turn_and_what_comes_after_is_dead",
    ),
    "pykka #231": (
        "a stop does not wait for on_stop",
        "actor/test_others_faults.py::test_a_graceful_stop_waits_for_the_last_hook",
    ),
    "pykka #99": (
        "an actor that awaits blocks the loop",
        "actor/test_others_faults.py::test_an_actor_that_waits_blocks_nobody_else",
    ),
    "pykka #48": (
        "a reference to oneself is a deadlock",
        "actor/test_others_faults.py::test_an_actor_that_asks_itself_ends_in_time_and_goes_on",
        "test_public_reports.py::test_an_actor_may_keep_a_reference_to_itself",
    ),
    "pykka #76": (
        "an actor that waits for its own stop is a deadlock",
        "test_public_reports.py::test_an_actor_that_waits_for_its_own_stop_ends_in_time",
    ),
    "Thespian #57": (
        "2,000 actors exhaust the memory",
        "test_public_reports.py::test_twenty_thousand_actors_are_a_few_megabytes",
    ),
    "Thespian #76": (
        "a deadlock when all send",
        "actor/test_others_faults.py::test_all_send_to_all_without_a_deadlock_or_a_loss",
    ),
    "Thespian #91": (
        "a deadlock when all send",
        "actor/test_others_faults.py::test_two_actors_that_ask_each_other_end_in_time",
    ),
    "Thespian #51": (
        "minutes of latency over a chain of six actors",
        "test_public_reports.py::test_a_chain_of_actors_is_not_late_behind_those_that_flood",
    ),
    "thespianpy #64": (
        "messages are lost in silence",
        "actor/test_life.py::test_dead_letters_are_logged_ten_times_and_then_counted",
        "remote/test_remoting.py::test_a_system_that_is_away_costs_bounded_memory_and_no_exception",
    ),
    "ray #18703": (
        "no back-pressure",
        "actor/test_context.py::test_offer_waits_for_room",
        "actor/test_context.py::test_a_full_mailbox_gives_dead_letters_and_never_raises",
    ),
    "ray #20244": (
        "a spawn is slow",
        "test_public_reports.py::test_a_spawn_starts_no_process_thread_or_task",
    ),
    "ray #11044": (
        "a spawn is slow",
        "test_public_reports.py::test_a_spawn_starts_no_process_thread_or_task",
    ),
    "ray #44719": (
        "calls use up their retries while the actor restarts",
        "actor/test_others_faults.py::test_messages_that_come_while_an_actor_restarts_are_kept",
    ),
    "ray #19462": (
        "what is unpickled is run",
        "remote/test_wire.py::test_what_is_not_known_or_broken_is_an_error_and_nothing_is_run",
    ),
    "dapr python-sdk #134": (
        "timers are lost when the application restarts",
        "test_public_reports.py::test_timers_begin_again_with_every_life_of_an_actor",
    ),
    "actor-ts #914": (
        "an actor is half alive after its constructor failed",
        "actor/test_supervision.py::test_a_failing_constructor_stops_and_what_was_sent_is_dead",
        "actor/test_supervision.py::test_a_failing_hook_is_supervised_or_told",
    ),
    "actor-ts #916": (
        "a restart is silent",
        "test_public_reports.py::test_a_restart_is_logged_with_its_cause",
    ),
    "actor-ts #917": (
        "one budget of restarts for all children",
        "actor/test_supervision.py::test_too_many_restarts_in_the_time_stop_and_each_child_has_its_own_count",
    ),
    "actor-ts #918": (
        "a watch of a remote actor does nothing",
        "remote/test_remoting.py::test_watch_hears_of_a_stop_exactly_once",
    ),
    "actor-ts #919": (
        "a tell raises into its sender",
        "remote/test_remoting.py::test_what_has_no_serializer_is_a_dead_letter_and_harms_nobody",
        "test_public_reports.py::test_a_tell_never_raises",
    ),
    "actor-ts #929": (
        "the failure detector goes round the split brain resolver",
        "cluster/test_downing.py::test_it_waits_until_the_split_is_stable",
        "cluster/test_split_brain.py::test_a_short_split_downs_nobody",
    ),
    "actor-ts #930": (
        "the halves of a healed partition stay apart",
        "cluster/test_simulation.py::test_a_partitioned_cluster_converges_after_healing",
    ),
    "actor-ts #933": (
        "a cluster smaller than its quorum downs itself at the start",
        "test_public_reports.py::test_a_cluster_below_its_quorum_downs_nobody_while_all_are_reachable",
    ),
    "actor-ts #934": (
        "a partition that comes a second time is not resolved",
        "test_public_reports.py::test_the_same_split_is_resolved_each_time",
    ),
    "actor-ts #632": (
        "a rebalance forgets remembered entities",
        "sharding/test_sharding.py::test_remembered_entities_start_again_where_their_shard_goes_and_passivated_ones_do_not",
    ),
    "actor-ts #516": (
        "a failed recovery is swallowed",
        "persistence/test_failures.py::test_a_failed_recovery_is_signalled_and_stops_the_actor",
    ),
    "akka.net #8501": (
        "a hand-off drops messages",
        "sharding/test_simulation.py::test_a_shard_is_in_one_place_and_messages_arrive",
    ),
    "akka.net #6973": (
        "a shard is in two places",
        "sharding/test_simulation.py::test_a_shard_is_in_one_place_and_messages_arrive",
    ),
    "akka.net #2380": (
        "asks leak",
        "actor/test_others_faults.py::test_nothing_is_left_of_asks_and_of_actors",
        "actor/test_others_faults.py::test_no_promise_is_left_on_the_wire",
    ),
    "alpakka-kafka #1285": (
        "a committed offset moves backwards",
        "stream/connectors/test_kafka.py::test_commits_are_batched_and_never_go_backwards",
        "stream/connectors/test_kafka.py::test_an_offset_of_a_revoked_partition_is_not_committed",
    ),
}


@pytest.mark.parametrize("report", FAULTS)
def test_each_report_has_its_tests(report: str) -> None:
    for test in FAULTS[report][1:]:
        file, _, name = test.partition("::")
        tree = ast.parse((HERE / file).read_text())
        assert name in {found.name for found in ast.walk(tree) if isinstance(found, ast.FunctionDef)}, test


def test_an_actor_may_keep_a_reference_to_itself(akka_testkit: ActorTestKit) -> None:
    class Itself(Actor[Any]):
        def __init__(self) -> None:
            self.me = self.context.ref
            self.me.tell("from the constructor")
            self.seen: list[Any] = []

        def receive(self, message: Any) -> None:
            if message == "seen?":
                self.context.sender.tell(self.seen)
            else:
                self.seen.append(message)

    ref = akka_testkit.spawn(Itself)
    assert akka_testkit.run(ref.request("seen?", 5)) == ["from the constructor"]


def test_an_actor_that_waits_for_its_own_stop_ends_in_time(akka_testkit: ActorTestKit) -> None:
    outcome: list[str] = []

    class Stopping(Actor[Any]):
        async def pre_start(self) -> None:
            try:
                await self.context.system.graceful_stop(self.context.ref, 2)
            except AskTimeoutError:
                outcome.append("gave up")

        def receive(self, message: Any) -> None:
            outcome.append(message)

    probe = akka_testkit.probe()
    ref = akka_testkit.system.spawn(Stopping)
    probe.watch(ref)
    ref.tell("late")
    akka_testkit.advance(3)
    probe.expect_terminated(ref)
    assert outcome == ["gave up"]
    assert [letter.message for letter in akka_testkit.dead_letters] == ["late"]


def test_twenty_thousand_actors_are_a_few_megabytes(akka_testkit: ActorTestKit) -> None:
    count = 20_000
    tracemalloc.start()
    try:
        refs = [akka_testkit.system.spawn(Echo) for _ in range(count)]
        akka_testkit.settle()
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size / count < 2_000
    assert akka_testkit.run(refs[-1].request("there", 5)) == "there"


def test_a_chain_of_actors_is_not_late_behind_those_that_flood(akka_testkit: ActorTestKit) -> None:
    floods, hops = 3, 6
    counts: Counter[str] = Counter()

    class Flood(Actor[Any]):
        def receive(self, message: Any) -> None:
            counts["flood"] += 1
            if not counts["arrived"]:
                self.context.ref.tell(message)

    class Hop(Actor[Any]):
        def __init__(self, after: Any) -> None:
            self.after = after

        def receive(self, message: Any) -> None:
            if self.after is None:
                counts["arrived"] = counts["flood"]
            else:
                self.after.tell(message)

    first: Any = None
    for _ in range(hops):
        first = akka_testkit.spawn(Props.of(Hop, first))
    for _ in range(floods):
        akka_testkit.system.spawn(Flood).tell("again")
    first.tell("an input")
    akka_testkit.settle()
    # at each hop, no flood has more than its share of a turn
    assert 0 < counts["arrived"] <= (hops + 1) * floods * THROUGHPUT


def test_a_spawn_starts_no_process_thread_or_task() -> None:
    async def main() -> None:
        async with ActorSystem("spawns") as system:
            before = threading.active_count(), len(asyncio.all_tasks()), len(psutil.Process().children())
            refs = [system.spawn(Echo) for _ in range(2_000)]
            answers = await asyncio.gather(*(ref.request(number, 60) for number, ref in enumerate(refs[:50])))
            assert answers == list(range(50))
            after = threading.active_count(), len(asyncio.all_tasks()), len(psutil.Process().children())
            assert after == before

    asyncio.run(main())


def test_timers_begin_again_with_every_life_of_an_actor(akka_testkit: ActorTestKit) -> None:
    ticks: list[str] = []

    def ticking(timers: Any) -> Any:
        timers.start_with_fixed_delay("tick", "tick", 1.0)

        def on_message(message: str) -> Any:
            if message == "fail":
                raise ValueError("restart")
            ticks.append(message)
            return Behaviors.same()

        return Behaviors.receive_message(on_message)

    restarted = Behaviors.supervise(Behaviors.with_timers(ticking)).on_failure(SupervisorStrategy.restart())
    ref = akka_testkit.spawn(restarted)
    akka_testkit.advance(2.5)
    ref.tell("fail")
    akka_testkit.advance(2.5)
    assert ticks == ["tick"] * 4
    akka_testkit.stop(ref)


def test_timers_of_a_persistent_actor_begin_with_its_recovery() -> None:
    fired: list[str] = []

    def reminding(timers: Any) -> Any:
        def on_signal(state: Any, signal: Any) -> None:
            if isinstance(signal, RecoveryCompleted) and state.total:
                timers.start_single("remind", "remind", 5.0)

        behavior = account().receive_signal(on_signal)
        return Behaviors.monitor(lambda message: fired.append(message) if message == "remind" else None, behavior)

    with Bank() as bank:
        ref = bank.kit.spawn(Behaviors.with_timers(reminding))
        bank.add(ref, 5)
        bank.kit.advance(10)
        assert fired == []
        for life in range(1, 3):  # the application begins again
            ref = bank.restart(ref, Behaviors.with_timers(reminding))
            bank.kit.advance(10)
            assert fired == ["remind"] * life


def test_a_restart_is_logged_with_its_cause(akka_testkit: ActorTestKit) -> None:
    def on_message(message: Any) -> Any:
        raise ValueError(message)

    failing: Any = Behaviors.receive_message(on_message)
    typed = Behaviors.supervise(failing).on_failure(SupervisorStrategy.restart())
    for what, name in ((Props.of(Recorder, []), "classic"), (typed, "typed")):
        ref = akka_testkit.spawn(what, name)
        with akka_testkit.expect_log(f"/user/{name}#") as lines:
            ref.tell(ValueError("no disk") if name == "classic" else "no disk")
        assert "no disk" in lines[0] and "restart" in lines[0].lower()


def test_a_tell_never_raises(akka_testkit: ActorTestKit) -> None:
    class Unfriendly:
        def __repr__(self) -> str:
            raise RuntimeError("not even shown")

        __eq__ = None  # type: ignore[assignment]
        __hash__ = None  # type: ignore[assignment]

    ref = akka_testkit.spawn(Echo)
    akka_testkit.stop(ref)
    for _ in range(20):
        ref.tell(Unfriendly())
        akka_testkit.system.dead_letters.tell(Unfriendly())
    assert len(akka_testkit.dead_letters) == 40
    akka_testkit.run(akka_testkit.system.terminate())
    ref.tell("after the end")


def test_a_cluster_below_its_quorum_downs_nobody_while_all_are_reachable() -> None:
    own = SplitBrainResolver(NODES["A"], DowningSettings(StaticQuorum(quorum_size=4)))
    for second in range(100):
        own.observe(cluster("AB"), float(second))
        assert own.tick(float(second)) == []


def test_the_same_split_is_resolved_each_time() -> None:
    own = SplitBrainResolver(NODES["A"], DowningSettings())
    gossip = cluster("ABCDE")
    for began in (0.0, 1_000.0):
        own.observe(gossip, began)
        own.observe(side(gossip, "ABC"), began + 10)
        assert names(own.tick(began + 40)) == "DE"
        own.observe(cluster("ABC"), began + 50)
        assert own.tick(began + 100) == []
