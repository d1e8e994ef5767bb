"""Projections into Kafka: results and offset in one transaction, and who is fenced; on our broker and on a real one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.akka.projection.test_targets import ID, OTHER, envelope, results, run

from smackbox.akka.persistence.offset import Sequence
from smackbox.akka.persistence.query import EventEnvelope
from smackbox.akka.projection.kafka_target import KafkaRecord, KafkaTarget
from smackbox.base.errors import StorageError


def test_results_and_offset_are_one_transaction(kafka_bootstrap: str, unique: Callable[[str], str]) -> None:
    config = {"bootstrap.servers": kafka_bootstrap}
    topic, offsets_topic = unique("results"), unique("offsets")

    def target(fail: bool = False) -> KafkaTarget:
        def records(one: EventEnvelope) -> list[KafkaRecord]:
            value = b"x" * 5_000_000 if fail and one.event == 4 else str(one.event)
            return [KafkaRecord(topic, "key", value, (("from", b"test"),))]

        return KafkaTarget(config, records, offsets_topic=offsets_topic)

    async def work() -> None:
        first, broken, third = target(), target(fail=True), target()
        await first.start(ID)
        assert await first.read(ID) is None
        await first.commit(ID, [envelope(1), envelope(2)], Sequence(2))
        await broken.start(ID)
        assert await broken.read(ID) == Sequence(2)
        with pytest.raises(StorageError):
            await broken.commit(ID, [envelope(3), envelope(4)], Sequence(4))
        with pytest.raises(StorageError, match="another run"):
            await broken.commit(ID, [envelope(3)], Sequence(3))
        await broken.start(ID)
        assert await broken.read(ID) == Sequence(2)
        with pytest.raises(StorageError):  # fenced by the one that began later
            await first.commit(ID, [envelope(3)], Sequence(3))
        await third.start(OTHER)
        await third.commit(OTHER, [envelope(9)], Sequence(9))
        await third.save_paused(ID, True)
        await third.start(ID)
        assert (await third.read(ID), await third.read(OTHER), await third.read_paused(ID)) == (
            Sequence(2),
            Sequence(9),
            True,
        )
        await third.clear(ID)
        assert await third.read(ID) is None and await third.read_paused(ID)
        for one in (first, broken, third):
            await one.stop()
            one.close()

    run(work)
    assert sorted(results(kafka_bootstrap, topic)) == ["1", "2", "9"]
