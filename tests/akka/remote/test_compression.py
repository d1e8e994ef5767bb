"""Compression tables: advertised, confirmed, replaced; and what wrong ones do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.akka import ActorRef, Props
from smackbox.akka.remote import control
from smackbox.akka.remote.compression import (
    COUNTED_LIMIT,
    HITS,
    OLD_TABLES,
    RESENDS,
    TABLE_LIMIT,
    CompressionError,
    InboundTable,
    InboundTables,
    OutboundTables,
    TableAdvertisement,
    checked_table,
)
from smackbox.akka.remote.control import UniqueAddress, WireAddress
from smackbox.akka.remote.frames import Envelope, decode, encode
from smackbox.akka.remote.remoting import Remoting
from smackbox.base.protobuf.message import encode as to_bytes
from tests.akka.remote.test_remoting import Hello, Nodes, Polite, run, two_nodes, until


class Advertised:
    """An inbound table, and what it has advertised."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, list[str]]] = []
        self.table = InboundTable(lambda version, texts: self.sent.append((version, texts)))

    def hit(self, *texts: str, times: int = HITS) -> None:
        for text in texts:
            for _ in range(times):
                self.table.hit(text)


def test_what_comes_often_is_advertised_the_most_frequent_first() -> None:
    one = Advertised()
    one.table.tick()
    one.hit("often", times=10)
    one.hit("more often", times=20)
    one.hit("rare", times=HITS - 1)
    one.table.tick()
    assert one.sent == [(1, ["more often", "often"])]


def test_a_table_is_used_once_it_is_confirmed_by_an_acknowledgement_or_by_its_first_number() -> None:
    for by_number in (False, True):
        one = Advertised()
        one.hit("a")
        one.table.tick()
        if by_number:
            assert one.table.text(1, 0) == "a"
        else:
            one.table.confirm(2)  # of no table
            with pytest.raises(CompressionError):
                one.table.text(2, 0)
            one.table.confirm(1)
            assert one.table.text(1, 0) == "a"
        with pytest.raises(CompressionError):
            one.table.text(1, 1)
        with pytest.raises(CompressionError):
            one.table.text(2, 0)


def test_an_advertisement_is_repeated_a_few_times_and_then_given_up_for_a_new_version() -> None:
    one = Advertised()
    for _ in range(2 + RESENDS):
        one.hit("a")
        one.table.tick()
    assert one.sent == [(1, ["a"])] * (1 + RESENDS)
    one.hit("a")
    one.table.tick()
    assert one.sent[1 + RESENDS :] == [(2, ["a"])]  # what comes is the same, but nobody is known to use table 1
    assert one.table.text(1, 0) == "a"  # its acknowledgement was lost, or is late
    one.table.confirm(2)
    one.hit("a")
    one.table.tick()
    assert len(one.sent) == 2 + RESENDS
    one.hit("a", "b")
    one.table.tick()
    assert one.sent[-1][0] == 3 and set(one.sent[-1][1]) == {"a", "b"}


@pytest.mark.parametrize("late", ["acknowledgement", "number"])
def test_a_late_sign_of_a_table_that_was_given_up_ends_the_advertisements(late: str) -> None:
    one = Advertised()
    for _ in range(2 + RESENDS):
        one.hit("a")
        one.table.tick()
    if late == "number":
        assert one.table.text(1, 0) == "a"
    else:
        one.table.confirm(1)
    one.hit("a")
    one.table.tick()
    assert len(one.sent) == 1 + RESENDS


def test_a_system_that_is_silent_gets_no_more_advertisements() -> None:
    one = Advertised()
    one.hit("a")
    for _ in range(20):
        one.table.tick()
    assert one.sent == [(1, ["a"])] * (1 + RESENDS)


def test_old_tables_are_known_for_a_while_and_versions_wrap() -> None:
    one = Advertised()
    for number in range(130):
        one.hit(f"text-{number}")
        one.table.tick()
        version, texts = one.sent[-1]
        one.table.confirm(version)
        assert one.table.text(version, texts.index(f"text-{number}")) == f"text-{number}"
        if number == 10:
            for back in range(1, OLD_TABLES + 1):
                assert one.table.text(version - back, 0)
            with pytest.raises(CompressionError):
                one.table.text(version - OLD_TABLES - 1, 0)
    versions = [version for version, _ in one.sent]
    assert versions == [*range(1, 128), 0, 1, 2]


def test_counts_and_tables_are_bounded() -> None:
    one = Advertised()
    for number in range(3 * COUNTED_LIMIT):
        one.table.hit(f"once-{number}")
    assert len(one.table._counts) <= COUNTED_LIMIT
    one.hit(*(f"often-{number}" for number in range(TABLE_LIMIT + 50)), times=50)
    one.table.tick()
    assert len(one.sent[0][1]) == TABLE_LIMIT


def test_promises_are_not_counted() -> None:
    refs = Advertised()
    tables = InboundTables(refs.table._advertise, lambda *_: None)
    for _ in range(10):
        tables.seen("pekko://lab@h:1/temp/ask$a", "pekko://lab@h:2/user/a", "")
    tables.tick()
    assert refs.sent == [(1, ["pekko://lab@h:2/user/a"])]


SENDER = UniqueAddress(WireAddress("pekko", "lab", "h", 1), 7)


@pytest.mark.parametrize(
    ("version", "keys", "values"),
    [(1, ["a"], []), (1, ["a"], [0x10000]), (128, ["a"], [0]), (1, ["x"] * 5000, list(range(5000)))],
)
def test_what_is_no_table_is_refused(version: int, keys: list[str], values: list[int]) -> None:
    with pytest.raises(ValueError, match="compression table"):
        checked_table(TableAdvertisement(SENDER, 1, version, keys, values))


texts = st.sampled_from(["", "a", "b", "pekko://lab@h:1/user/a#1", "µ"])


@given(texts, texts, texts, st.binary(max_size=20), st.sets(texts), st.sets(texts))
def test_frames_with_numbers_say_the_same(
    sender: str, recipient: str, manifest: str, payload: bytes, refs: set[str], manifests: set[str]
) -> None:
    inbound = InboundTables(lambda *_: None, lambda *_: None)
    ordered = sorted(refs - {""}), sorted(manifests - {""})
    for table, entries in zip((inbound.refs, inbound.manifests), ordered, strict=True):
        table._next = entries
    outbound = OutboundTables({t: n for n, t in enumerate(ordered[0])}, 1, {t: n for n, t in enumerate(ordered[1])}, 1)
    envelope = Envelope(5, 31, sender, recipient, manifest, payload)
    frame = encode(envelope, outbound)
    assert decode(frame[4:], {5: inbound}) == envelope
    assert len(frame) <= len(encode(envelope))
    numbers = (sender in ordered[0]) + (recipient in ordered[0]) + (manifest in ordered[1])
    assert inbound.refs.numbers_read + inbound.manifests.numbers_read == numbers
    if numbers:
        with pytest.raises(CompressionError):
            decode(frame[4:])
        with pytest.raises(CompressionError):
            decode(frame[4:], {6: inbound})


async def greet(nodes: Nodes, polite: ActorRef[Any], times: int) -> None:
    for _ in range(times):
        assert (await polite.ask(lambda reply_to: Hello("you", reply_to), 5)).name == "hello you"


def tables_of(remoting: Remoting) -> InboundTables:
    (tables,) = remoting._transport.tables.values()
    return tables


def advertise(remoting: Remoting) -> None:
    remoting.compression._advertised_s = -1e9
    remoting.compression.tick(remoting._now_s())


def test_two_systems_send_numbers_to_each_other() -> None:
    async def work() -> None:
        async with two_nodes() as nodes:
            polite = nodes.remote(nodes.b.spawn(Polite))
            await greet(nodes, polite, HITS)
            advertise(nodes.second)
            (to_second,) = nodes.first.associations.values()
            await until(lambda: to_second.tables.refs and to_second.tables.manifests)
            assert [path.rpartition("/")[0] for path in to_second.tables.refs] == [f"{nodes.second.address}/user"]
            assert list(to_second.tables.manifests) == ["lab.Hello"]
            before = tables_of(nodes.second).refs.numbers_read
            await greet(nodes, polite, 3)
            assert tables_of(nodes.second).refs.numbers_read == before + 3
            assert tables_of(nodes.second).manifests.numbers_read == 3
            # nothing new: the next advertisement is none
            version = to_second.tables.refs_version
            advertise(nodes.second)
            await greet(nodes, polite, 1)
            assert to_second.tables.refs_version == version

    run(work())


def test_numbers_of_a_table_that_is_not_known_any_more_are_dropped_alone() -> None:
    async def work() -> None:
        async with two_nodes() as nodes:
            polite = nodes.remote(nodes.b.spawn(Polite))
            await greet(nodes, polite, HITS)
            (to_second,) = nodes.first.associations.values()
            to_second.tables = OutboundTables({nodes.first.path_of(polite): 3}, 9)
            polite.tell(Hello("lost", polite))
            to_second.tables = OutboundTables()
            await greet(nodes, polite, 1)

    run(work())


def test_wrong_advertisements_harm_nobody() -> None:
    async def work() -> None:
        async with two_nodes() as nodes:
            polite = nodes.remote(nodes.b.spawn(Polite))
            await greet(nodes, polite, 1)
            (to_first,) = nodes.second.associations.values()
            (to_second,) = nodes.first.associations.values()
            own, uid = nodes.second.own, nodes.first.own.uid
            for body in (
                TableAdvertisement(own, uid, 1, ["a"], [1, 2]),
                TableAdvertisement(own, uid + 1, 1, ["a"], [1]),  # for an earlier life
                TableAdvertisement(UniqueAddress(own.address, 99), uid, 1, ["a"], [1]),  # of nobody
            ):
                to_first.tell_control(control.ACTOR_REF_TABLE, to_bytes(body))
            to_first.tell_control(control.MANIFEST_TABLE, b"\xff\xff")
            await greet(nodes, polite, 1)
            assert to_second.tables == OutboundTables()

    run(work())


def test_a_new_life_of_a_system_has_no_tables() -> None:
    async def work() -> None:
        async with two_nodes() as nodes:
            polite = nodes.remote(nodes.b.spawn(Polite))
            await greet(nodes, polite, HITS)
            advertise(nodes.second)
            (to_second,) = nodes.first.associations.values()
            await until(lambda: to_second.tables.refs)
            to_second.handshake_done(12345)
            assert to_second.tables == OutboundTables()
            (uid,) = nodes.second._transport.tables
            nodes.second._by_uid.pop(uid)
            advertise(nodes.second)
            assert not nodes.second._transport.tables

    run(work())


def test_a_stopped_recipient_is_a_dead_letter_by_its_number_too() -> None:
    async def work() -> None:
        async with two_nodes() as nodes:
            polite = nodes.b.spawn(Polite, "polite")
            remote = nodes.remote(polite)
            await greet(nodes, remote, HITS)
            advertise(nodes.second)
            (to_second,) = nodes.first.associations.values()
            await until(lambda: to_second.tables.refs)
            nodes.b.stop(polite)
            await until(lambda: not nodes.b.root_cell.child("user").children)  # type: ignore[union-attr]
            nodes.b.spawn(Props.of(Polite), "polite")
            remote.tell(Hello("late", remote))
            other = nodes.remote(nodes.b.spawn(Polite, "other"))
            await greet(nodes, other, 1)
            assert tables_of(nodes.second).refs.numbers_read >= 1

    run(work())
