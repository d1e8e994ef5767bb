"""Replicas on a faulty network: deltas, gossip, pruning, digests; all come to the same data."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from smackbox.akka.actor.path import Address
from smackbox.akka.cluster.member import Member, MemberStatus, UniqueAddress
from smackbox.akka.cluster.messages import MemberEvent, MemberRemoved, UnreachableMember
from smackbox.akka.ddata.aggregation import ReadAggregation, WriteAggregation
from smackbox.akka.ddata.consistency import All, Local, Majority, MajorityPlus, Nodes
from smackbox.akka.ddata.counter import GCounter
from smackbox.akka.ddata.data import DELETED
from smackbox.akka.ddata.envelope import DELETED_ENVELOPE, DataEnvelope, Performed
from smackbox.akka.ddata.gset import GSet
from smackbox.akka.ddata.messages import (
    DeltaNack,
    Deltas,
    Gossip,
    Read,
    ReadResult,
    ReplicatorMessage,
    Status,
    Write,
    WriteAck,
    WriteNack,
)
from smackbox.akka.ddata.orset import ORSet
from smackbox.akka.ddata.replica import Replica, ReplicatorSettings
from smackbox.akka.ddata.replicator_wire import ReplicatorWire
from smackbox.akka.remote.serialization import Serialization


def node(number: int) -> UniqueAddress:
    return UniqueAddress(Address("pekko", "lab", "h", number), number)


def member(number: int, status: MemberStatus = MemberStatus.UP) -> Member:
    return Member(node(number), status, number)


def wire() -> ReplicatorWire:
    serialization = Serialization(lambda _: None, lambda _: "")  # type: ignore[arg-type, return-value]
    made = ReplicatorWire(serialization, "lab")
    made.install()
    return made


class Network:
    """Replicas by number. Messages are lost, and delivered in order per pair, at `deliver`."""

    def __init__(self, seed: int, size: int, *, loss: float = 0.0, settings: ReplicatorSettings | None = None) -> None:
        self.random = random.Random(seed)
        self.loss = loss
        self.cut: set[int] = set()
        self.sent: list[tuple[int, int, ReplicatorMessage]] = []
        self.now_ms = 1_000_000
        self.settings = settings or ReplicatorSettings()
        self.replicas: dict[int, Replica] = {}
        self._wire = wire()
        for number in range(1, size + 1):
            self.add(number, range(1, size + 1))

    def add(self, number: int, members: Any) -> None:
        replica = Replica(
            node(number),
            self.settings,
            send=lambda to, message: self._send(number, to.uid, message),
            write_envelope=self._wire.write_envelope,
            chance=self.random.random,
            wall_ms=lambda: self.now_ms,
        )
        replica.begin([member(other) for other in members], [])
        self.replicas[number] = replica

    def _send(self, from_: int, to: int, message: ReplicatorMessage) -> None:
        if self.random.random() >= self.loss and (from_ in self.cut) == (to in self.cut):
            self.sent.append((from_, to, message))

    def deliver(self) -> None:
        while self.sent:
            from_, to, message = self.sent.pop(0)
            if to in self.replicas:
                self.replicas[to].receive(message, lambda m, f=from_, t=to: self._send(t, f, m))

    def tick(self, name: str) -> None:
        for replica in self.replicas.values():
            getattr(replica, name)()
        self.deliver()

    def agree(self) -> bool:
        keys = {key for replica in self.replicas.values() for key in replica._data}
        for key in keys:
            data = [replica._data[key].data if key in replica._data else None for replica in self.replicas.values()]
            if any(one != data[0] for one in data):
                return False
            if len({replica.digest(key) for replica in self.replicas.values()}) != 1:
                return False
        return True


def add(number: int, element: Any) -> Callable[[Any], Any]:
    return lambda data: data.add(node(number), element)


def test_a_change_reaches_all_by_deltas() -> None:
    network = Network(1, 4)
    network.replicas[1].update("set", ORSet(), add(1, "x"))
    network.replicas[1].update("set", ORSet(), add(1, "y"))
    network.replicas[2].update("hits", GCounter(), lambda data: data.increment(node(2), 5))
    for _ in range(3):
        network.tick("delta_tick")
    assert network.agree() and network.replicas[4]._data["set"].data.elements == {"x", "y"}
    assert network.replicas[3]._data["hits"].data.value == 5


def test_a_missing_delta_is_not_jumped_over_and_gossip_heals_it() -> None:
    network = Network(1, 2)
    network.replicas[1].update("set", ORSet(), add(1, "lost"))
    network.replicas[1].delta_tick()
    network.sent.clear()
    network.replicas[1].update("set", ORSet(), add(1, "late"))
    network.tick("delta_tick")
    assert "set" not in network.replicas[2]._data
    for _ in range(4):
        network.tick("gossip_tick")
    assert network.agree() and network.replicas[2]._data["set"].data.elements == {"lost", "late"}


@pytest.mark.parametrize("seed", range(20))
def test_replicas_on_a_lossy_and_split_network_agree_after_healing(seed: int) -> None:
    network = Network(seed, 3 + seed % 4, loss=0.2, settings=ReplicatorSettings(max_keys=3))
    chance = network.random
    for step in range(60):
        number = chance.choice(list(network.replicas))
        replica, key = network.replicas[number], f"key{chance.randrange(7)}"
        kind = chance.random()
        if kind < 0.5:
            replica.update(key, ORSet(), add(number, chance.randrange(5)))
        elif kind < 0.7 and key in replica._data and replica._data[key].data is not DELETED:
            replica.update(key, ORSet(), lambda d, n=number: d.remove(node(n), chance.randrange(5)))
        elif kind < 0.72:
            replica.delete(key)
        if step == 20:
            network.cut = {1, 2}
        network.tick(chance.choice(["delta_tick", "gossip_tick"]))
    network.cut, network.loss = set(), 0.0
    for _ in range(60):
        network.tick("gossip_tick")
        network.tick("delta_tick")
    assert network.agree()


def test_equal_data_is_not_sent_again() -> None:
    network = Network(1, 3)
    network.replicas[1].update("set", ORSet(), add(1, "x"))
    for _ in range(10):
        network.tick("delta_tick")
        network.tick("gossip_tick")
    assert network.agree()
    for replica in network.replicas.values():
        replica.gossip_tick()
    answers = [(from_, to, message) for from_, to, message in network.sent if not isinstance(message, Status)]
    assert not answers
    count = len(network.sent)
    network.deliver()
    assert count == 3 and not network.sent


def test_what_a_removed_node_did_is_taken_over() -> None:
    settings = ReplicatorSettings(max_dissemination_s=10.0, gossip_s=2.0, marker_s=100.0)
    network = Network(1, 3, settings=settings)
    for number in (1, 2, 3):
        network.replicas[number].update("hits", GCounter(), lambda d, n=number: d.increment(node(n), n))
    for _ in range(6):
        network.tick("delta_tick")
    del network.replicas[3]
    for replica in network.replicas.values():
        replica.cluster_event(MemberRemoved(member(3, MemberStatus.REMOVED), MemberStatus.DOWN))
    for _ in range(30):
        network.tick("gossip_tick")
        network.tick("pruning_tick")
    for replica in network.replicas.values():
        envelope = replica._data["hits"]
        assert envelope.data.value == 6 and node(3) not in envelope.data.counts
        assert isinstance(envelope.pruning[node(3)], Performed)
    network.now_ms += 200_000
    network.tick("pruning_tick")
    assert not network.replicas[1]._data["hits"].pruning


def test_nothing_is_pruned_while_somebody_is_unreachable() -> None:
    network = Network(1, 3, settings=ReplicatorSettings(max_dissemination_s=0.0))
    network.replicas[1].update("hits", GCounter(), lambda d: d.increment(node(9), 1))
    network.replicas[1].cluster_event(UnreachableMember(member(2)))
    for _ in range(5):
        network.tick("gossip_tick")
        network.replicas[1].pruning_tick()
    assert not network.replicas[1]._data["hits"].pruning


def test_a_deleted_key_stays_deleted() -> None:
    network = Network(1, 2)
    network.replicas[1].update("set", GSet(), lambda d: d.add("x"))
    for _ in range(3):
        network.tick("delta_tick")
    network.replicas[2].delete("set")
    for _ in range(4):
        network.tick("gossip_tick")
    assert all(replica._data["set"].data is DELETED for replica in network.replicas.values())
    envelope, _ = network.replicas[1].update("set", GSet(), lambda d: d.add("y"))
    assert envelope is DELETED_ENVELOPE


def test_messages_of_strangers_and_for_a_former_life_are_ignored() -> None:
    replica = Network(1, 2).replicas[1]
    answers: list[ReplicatorMessage] = []
    envelope = DataEnvelope(GSet().add("x").reset_delta())
    replica.receive(Write("set", envelope, node(9)), answers.append)
    replica.receive(Read("set", node(9)), answers.append)
    replica.receive(Gossip({"set": envelope}, True, 77, 2), answers.append)
    replica.receive(Deltas(node(9), True, {}), answers.append)
    assert not answers and replica.get("set") is None
    replica.receive(Write("set", envelope, node(2)), answers.append)
    replica.receive(Write("set", DataEnvelope(GCounter()), node(2)), answers.append)
    replica.receive(Read("set", node(2)), answers.append)
    assert answers[:2] == [WriteAck(), WriteNack()]
    assert isinstance(answers[2], ReadResult) and answers[2].envelope == replica.get("set")


def test_joining_nodes_get_no_gossip_and_exiting_ones_no_writes() -> None:
    replica = Network(1, 1).replicas[1]
    joining = Member(node(2), MemberStatus.JOINING)
    replica.cluster_event(MemberEvent(joining))
    replica.cluster_event(MemberEvent(member(3, MemberStatus.EXITING)))
    assert replica.nodes == [node(3)]
    assert replica.ordered_nodes(exclude_exiting=True, keep_order=True) == ([], 0)
    assert replica._gossip_nodes == [node(3)]


@pytest.mark.parametrize(
    ("consistency", "nodes", "needed"),
    [
        (Local(), 5, 1), (Nodes(1.0, 3), 5, 3), (Majority(1.0), 5, 3), (Majority(1.0), 4, 3), (Majority(1.0, 4), 5, 4),
        (Majority(1.0, 9), 5, 5), (MajorityPlus(1.0, 1), 5, 4), (MajorityPlus(1.0, 9), 5, 5), (All(1.0), 5, 5),
    ],
)  # fmt: skip
def test_how_many_nodes_are_needed(consistency: Any, nodes: int, needed: int) -> None:
    assert consistency.needed(nodes) == needed


def test_a_write_waits_for_enough_nodes() -> None:
    sent: list[tuple[int, str]] = []
    others = [node(number) for number in (2, 3, 4, 5)]
    write = Write("set", DataEnvelope(GSet()), node(1))
    deltas = Deltas(node(1), True, {})

    def begun(consistency: Any) -> WriteAggregation:
        sent.clear()
        made = WriteAggregation(
            others, consistency, lambda to, m: sent.append((to.uid, type(m).__name__)), write=write, deltas=deltas
        )
        made.begin()
        return made

    one = begun(Majority(1.0))
    assert sent == [(2, "Deltas"), (3, "Deltas")] and one.done is None
    one.receive(DeltaNack(), node(2).address)
    assert sent[2:] == [(2, "Write")]
    one.receive(WriteAck(), node(2).address)
    one.receive(WriteAck(), node(2).address)
    assert one.done is None, "twice the same node is one"
    one.ask_more()
    assert sent[3:] == [(3, "Write"), (4, "Write"), (5, "Write")]
    one.receive(WriteAck(), node(5).address)
    assert one.done is True
    late = begun(Majority(1.0))
    late.timed_out()
    assert late.done is False
    refused = begun(All(1.0))
    for other in others:
        refused.receive(WriteNack(), other.address)
    assert refused.done is False
    assert begun(Nodes(1.0, 7)).done is False, "there are not so many"


def test_a_read_merges_what_all_have() -> None:
    others = [node(2), node(3)]
    sent: list[int] = []
    local = DataEnvelope(GSet(frozenset({"x"})))
    read = ReadAggregation(
        others, Majority(1.0), lambda to, _: sent.append(to.uid), read=Read("set", node(1)), local=local, now_ms=0
    )
    read.begin()
    assert sent == [2]
    read.receive(ReadResult(DataEnvelope(GSet(frozenset({"y"})))), node(2).address)
    assert read.done is True and read.result is not None and read.result.data.elements == {"x", "y"}  # type: ignore[attr-defined]
