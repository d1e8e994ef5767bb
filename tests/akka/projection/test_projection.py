"""Projections: what is handled and saved when, failures and back-off, management, metrics, slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from smackbox.akka.actor.supervision import BackOff
from smackbox.akka.persistence.errors import StaleRevisionError
from smackbox.akka.persistence.memory import MemoryStates
from smackbox.akka.persistence.offset import NO_OFFSET, NoOffset, Offset, TimeBasedUuid
from smackbox.akka.persistence.offset import Sequence as SequenceOffset
from smackbox.akka.persistence.query import EventEnvelope
from smackbox.akka.persistence.time_uuid import start_of
from smackbox.akka.projection.behavior import ProjectionBehavior
from smackbox.akka.projection.management import ProjectionManagement, UnknownProjectionError
from smackbox.akka.projection.offset_store import OffsetStore, offset_of, offset_text
from smackbox.akka.projection.progress import Progress
from smackbox.akka.projection.projection import Projection, ProjectionSettings, Retry, Target
from smackbox.akka.projection.projection_id import ProjectionId
from smackbox.akka.projection.slices import java_hash, remainder, slice_tag, slice_tags
from smackbox.akka.projection.state_offsets import StateOffsets
from smackbox.akka.stream.queues import SourceQueue
from smackbox.akka.stream.source import Source
from smackbox.akka.testkit.kit import ActorTestKit
from smackbox.base.errors import StorageError

ID = ProjectionId("totals", "orders")


def envelope(number: int) -> EventEnvelope:
    return EventEnvelope(SequenceOffset(number), "Order|1", number, number, 1_000 * number)


class MemoryOffsets(OffsetStore):
    """Notes every save, and fails the next ones where told."""

    def __init__(self) -> None:
        self.saved: list[int] = []
        self.current: Offset | None = None
        self.paused = False
        self.failures = 0

    async def read(self, id_: ProjectionId) -> Offset | None:
        return self.current

    async def save(self, id_: ProjectionId, offset: Offset) -> None:
        if self.failures:
            self.failures -= 1
            raise StorageError("told to fail")
        assert isinstance(offset, SequenceOffset)
        self.current = offset
        self.saved.append(offset.value)

    async def clear(self, id_: ProjectionId) -> None:
        self.current = None

    async def read_paused(self, id_: ProjectionId) -> bool:
        return self.paused

    async def save_paused(self, id_: ProjectionId, paused: bool) -> None:
        self.paused = paused


class MemoryTarget(MemoryOffsets, Target):
    def __init__(self) -> None:
        super().__init__()
        self.committed: list[int] = []
        self.runs: list[str] = []
        self.fail_after_commit = 0

    async def start(self, id_: ProjectionId) -> None:
        self.runs.append("start")

    async def stop(self) -> None:
        self.runs.append("stop")

    async def commit(self, id_: ProjectionId, envelopes: Sequence[EventEnvelope], offset: Offset) -> None:
        await self.save(id_, offset)
        self.committed += [one.event for one in envelopes]
        if self.fail_after_commit:
            self.fail_after_commit -= 1
            raise StorageError("the answer was lost")


class Lab:
    """Events 1, 2, …: those in `stored` are there, later ones come by `offer`."""

    def __init__(self, stored: int = 0) -> None:
        self.kit = ActorTestKit()
        self.stored = stored
        self.handled: list[Any] = []
        self.failing: dict[int, int] = {}
        self.offsets = MemoryOffsets()
        self.queues: list[SourceQueue[Any]] = []
        self.management = ProjectionManagement.of(self.kit.system)

    def events(self, offset: Offset) -> Source[EventEnvelope, Any]:
        after = 0 if isinstance(offset, NoOffset) else offset.value  # type: ignore[union-attr]
        old = Source.from_iterable([envelope(number) for number in range(after + 1, self.stored + 1)])  # type: ignore[operator]
        return old.concat(Source.queue(100).map_materialized_value(self.queues.append))

    async def handle(self, one: EventEnvelope) -> None:
        if self.failing.get(one.event, 0):
            self.failing[one.event] -= 1
            raise ValueError(f"event {one.event} fails")
        self.handled.append(one.event)

    async def handle_group(self, group: Sequence[EventEnvelope]) -> None:
        for one in group:
            if self.failing.get(one.event, 0):
                self.failing[one.event] -= 1
                raise ValueError(f"event {one.event} fails")
        self.handled.append([one.event for one in group])

    def at_least_once(self, **settings: Any) -> Projection:
        projection = Projection.at_least_once(ID, self.events, self.handle, self.offsets)
        return projection.with_settings(ProjectionSettings(**settings))

    def start(self, projection: Projection) -> Any:
        return self.kit.spawn(ProjectionBehavior.of(projection, wall_ms=lambda: 10_000))

    def offer(self, *numbers: int) -> None:
        for number in numbers:
            self.stored = max(self.stored, number)
            self.kit.run(self.queues[-1].offer(envelope(number)))
        self.kit.settle()

    def run(self, work: Any) -> Any:
        return self.kit.run(work)


@pytest.fixture
def lab() -> Iterator[Lab]:
    lab = Lab()
    yield lab
    lab.kit.close()


def test_offsets_are_saved_each_100_events_or_half_a_second(lab: Lab) -> None:
    lab.stored = 250
    lab.start(lab.at_least_once())
    assert lab.handled == list(range(1, 251))
    assert lab.offsets.saved == [100, 200]
    lab.kit.advance(0.4)
    assert lab.offsets.saved == [100, 200]
    lab.kit.advance(0.2)
    assert lab.offsets.saved == [100, 200, 250]
    lab.kit.advance(10)
    assert lab.offsets.saved == [100, 200, 250]


def test_at_least_once_handles_again_what_was_not_saved(lab: Lab) -> None:
    lab.stored = 7
    lab.failing = {6: 1}
    lab.start(lab.at_least_once(save_after=4, back_off=BackOff(3.0, 30.0, 0.0)))
    assert (lab.handled, lab.offsets.saved) == ([1, 2, 3, 4, 5], [4])
    lab.kit.advance(2.9)
    assert lab.handled == [1, 2, 3, 4, 5]
    lab.kit.advance(0.2)
    assert lab.handled == [1, 2, 3, 4, 5, 5, 6, 7]


def test_at_most_once_saves_before_it_handles(lab: Lab) -> None:
    lab.stored = 4
    lab.failing = {3: 1}
    lab.start(Projection.at_most_once(ID, lab.events, lab.handle, lab.offsets))
    assert (lab.handled, lab.offsets.saved) == ([1, 2], [1, 2, 3])
    lab.kit.advance(4)
    assert (lab.handled, lab.offsets.saved) == ([1, 2, 4], [1, 2, 3, 4])


def test_groups_are_of_so_many_events_or_so_much_time(lab: Lab) -> None:
    projection = Projection.grouped(ID, lab.events, lab.handle_group, lab.offsets)
    lab.start(projection.with_settings(ProjectionSettings(save_after=3, save_after_s=0.5)))
    lab.offer(1, 2, 3, 4)
    assert (lab.handled, lab.offsets.saved) == ([[1, 2, 3]], [3])
    lab.kit.advance(0.6)
    assert (lab.handled, lab.offsets.saved) == ([[1, 2, 3], [4]], [3, 4])


def test_exactly_once_commits_results_with_the_offset(lab: Lab) -> None:
    target = MemoryTarget()
    lab.stored = 5
    settings = ProjectionSettings(save_after=2)
    target.fail_after_commit = 1
    lab.start(Projection.exactly_once(ID, lab.events, target).with_settings(settings))
    assert (target.committed, target.saved) == ([1, 2], [2])
    lab.kit.advance(10)
    assert (target.committed, target.saved) == ([1, 2, 3, 4, 5], [2, 4, 5])
    assert target.runs == ["start", "stop", "start"]


def test_a_stop_saves_what_was_handled(lab: Lab) -> None:
    lab.stored = 5
    ref = lab.start(lab.at_least_once())
    probe = lab.kit.probe()
    probe.watch(ref)
    ref.tell(ProjectionBehavior.STOP)
    probe.expect_terminated(ref)
    assert (lab.handled, lab.offsets.saved) == ([1, 2, 3, 4, 5], [5])
    assert lab.management.ids == []


def test_the_end_of_the_events_stops_the_projection(lab: Lab) -> None:
    def events(offset: Offset) -> Source[EventEnvelope, Any]:
        return Source.from_iterable([envelope(1), envelope(2)])

    probe = lab.kit.probe()
    ref = lab.kit.system.spawn(ProjectionBehavior.of(Projection.at_least_once(ID, events, lab.handle, lab.offsets)))
    probe.watch(ref)
    probe.expect_terminated(ref)
    assert (lab.handled, lab.offsets.saved) == ([1, 2], [2])


@pytest.mark.parametrize(
    ("retry", "fails", "handled", "waited_s"),
    [
        (Retry(2, 1.0), 2, [1, 2, 3], 2.0),
        (Retry(2, 1.0, skip=True), 9, [1, 3], 2.0),
        (Retry(skip=True), 9, [1, 3], 0.0),
        (Retry(1, 1.0), 9, [1], 2.0),
    ],
)
def test_retries(lab: Lab, retry: Retry, fails: int, handled: list[int], waited_s: float) -> None:
    lab.stored = 3
    lab.failing = {2: fails}
    lab.start(lab.at_least_once(retry=retry, back_off=BackOff(100.0, 100.0)))
    lab.kit.advance(waited_s)
    assert lab.handled == handled
    (status,) = lab.management.statuses
    assert status.skipped_events == (1 if retry.skip else 0)


def test_back_off_grows_and_is_reset(lab: Lab) -> None:
    lab.stored = 1
    lab.failing = {1: 3, 2: 1}
    lab.start(lab.at_least_once(back_off=BackOff(3.0, 6.0, 0.0)))
    (status,) = lab.management.statuses
    for delay_s in (3.0, 6.0, 6.0):
        assert status.state == "waiting to restart" and "event 1 fails" in status.error
        lab.kit.advance(delay_s - 0.5)
        assert lab.handled == []
        lab.kit.advance(0.5)
    assert (lab.handled, status.state, status.restarts) == ([1], "running", 3)
    lab.kit.advance(5.0)
    lab.offer(2)
    lab.kit.advance(3.1)
    assert lab.handled == [1, 2]


def test_a_failed_save_restarts(lab: Lab) -> None:
    lab.stored = 2
    lab.offsets.failures = 1
    lab.start(lab.at_least_once(save_after=2))
    lab.kit.advance(4.0)
    assert (lab.handled, lab.offsets.saved) == ([1, 2, 1, 2], [2])


def test_pause_and_resume(lab: Lab) -> None:
    lab.stored = 3
    ref = lab.start(lab.at_least_once())
    lab.run(lab.management.pause(ID))
    assert (lab.offsets.saved, lab.offsets.paused) == ([3], True)
    assert lab.run(lab.management.is_paused(ID))
    lab.stored = 5
    lab.kit.advance(10)
    assert lab.handled == [1, 2, 3]
    lab.kit.stop(ref)
    lab.start(lab.at_least_once())
    lab.kit.advance(10)
    assert lab.handled == [1, 2, 3] and lab.management.statuses[0].state == "paused"
    lab.run(lab.management.resume(ID))
    lab.kit.advance(1)
    assert (lab.handled, lab.offsets.saved, lab.offsets.paused) == ([1, 2, 3, 4, 5], [3, 5], False)


def test_rewind(lab: Lab) -> None:
    lab.stored = 4
    lab.start(lab.at_least_once())
    lab.kit.advance(1)
    assert lab.run(lab.management.get_offset(ID)) == SequenceOffset(4)
    lab.run(lab.management.update_offset(ID, SequenceOffset(2)))
    lab.kit.advance(1)
    assert lab.handled == [1, 2, 3, 4, 3, 4]
    lab.run(lab.management.clear_offset(ID))
    lab.kit.advance(1)
    assert lab.handled == [1, 2, 3, 4, 3, 4, 1, 2, 3, 4]
    assert lab.run(lab.management.get_offset(ID)) == SequenceOffset(4)


def test_a_paused_one_that_is_rewound_stays_paused(lab: Lab) -> None:
    lab.stored = 2
    lab.start(lab.at_least_once())
    lab.run(lab.management.pause(ID))
    lab.run(lab.management.clear_offset(ID))
    lab.kit.advance(5)
    assert lab.run(lab.management.get_offset(ID)) == NO_OFFSET
    assert lab.handled == [1, 2]
    lab.run(lab.management.resume(ID))
    lab.kit.settle()
    assert lab.handled == [1, 2, 1, 2]


def test_unknown_and_double_projections_are_refused(lab: Lab) -> None:
    with pytest.raises(UnknownProjectionError, match="no projection totals-orders runs here; there is none"):
        lab.run(lab.management.pause(ID))
    lab.start(lab.at_least_once())
    probe = lab.kit.probe()
    second = lab.kit.system.spawn(ProjectionBehavior.of(lab.at_least_once()))
    probe.watch(second)
    probe.expect_terminated(second)
    assert lab.run(lab.management.is_paused(ID)) is False


def test_metrics(lab: Lab) -> None:
    from prometheus_client import CollectorRegistry, generate_latest

    lab.stored = 4
    lab.start(lab.at_least_once())
    lab.kit.advance(1)
    registry = CollectorRegistry()
    registry.register(lab.management.collector())
    text = generate_latest(registry).decode()
    labels = '{key="orders",name="totals"}'
    for line in (
        f"smack_projection_lag_seconds{labels} 6.0",
        f"smack_projection_last_event_seconds{labels} 4.0",
        f"smack_projection_running{labels} 1.0",
        f"smack_projection_events_total{labels} 4.0",
        f"smack_projection_restarts_total{labels} 0.0",
    ):
        assert line in text.splitlines()


def test_offsets_beside_the_journal_refuse_a_second_instance() -> None:
    async def work() -> None:
        states = MemoryStates()
        first, second = StateOffsets(states), StateOffsets(states)
        assert await first.read(ID) is None
        assert await second.read(ID) is None
        await first.save(ID, SequenceOffset(3))
        await first.save_paused(ID, True)
        with pytest.raises(StaleRevisionError):
            await second.save(ID, SequenceOffset(2))
        assert (await second.read(ID), await second.read_paused(ID)) == (SequenceOffset(3), True)
        await second.save(ID, SequenceOffset(4))
        await second.clear(ID)
        assert await second.read(ID) is None and await second.read_paused(ID)

    with ActorTestKit() as kit:
        kit.run(work())


def test_offsets_as_pekko_projection_writes_them() -> None:
    uuid = start_of(1_700_000_000_000)
    for offset, stored in ((SequenceOffset(7), ("SEQ", "7")), (TimeBasedUuid(uuid), ("TBU", str(uuid)))):
        assert offset_text(offset) == stored
        assert offset_of(*stored) == offset
    for wrong in (("SEQ", "x"), ("TBU", "7"), ("LNG", "7")):
        with pytest.raises(StorageError):
            offset_of(*wrong)
    with pytest.raises(ValueError, match="clear"):
        offset_text(NO_OFFSET)


def test_slices_are_those_of_a_jvm() -> None:
    # of `"...".hashCode()` in a JVM
    hashes = {
        "": 0,
        "a": 97,
        "polygenelubricants": -(2**31),
        "hello": 99_162_322,
    }
    for text, expected in hashes.items():
        assert java_hash(text) == expected
    assert java_hash("\U0001f600") == 1_772_899
    assert remainder(-7, 5) == 2
    assert slice_tags("orders", 3) == ["orders-0", "orders-1", "orders-2"]
    assert slice_tag("orders", "hello", 4) == "orders-2"
    with pytest.raises(ValueError):
        slice_tags("orders", 0)


def test_progress() -> None:
    progress: Progress[int] = Progress(2, 1.0)
    assert progress.wait_s(5.0) is None and not progress.is_due(9.0)
    assert not progress.add(1, 5.0)
    assert progress.wait_s(5.4) == pytest.approx(0.6)
    assert progress.is_due(6.0)
    assert progress.add(2, 5.5)
    assert progress.take() == [1, 2] and not progress.is_due(99.0)


@pytest.mark.parametrize("wrong", [{"save_after": 0}, {"save_after_s": -1.0}])
def test_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        ProjectionSettings(**wrong)
