"""What nodes compare before one joins: the wire's JSON, what must match, who answers what."""

from __future__ import annotations

import pytest

from smackbox.akka.cluster.config_check import differences, own_config, parse, render, shared
from smackbox.akka.cluster.core import ClusterSettings
from smackbox.akka.cluster.messages import ClusterMessage, ConfigCheck, InitJoin, InitJoinAck
from tests.akka.cluster.simulation import Simulation, address

JVM = (
    '{"pekko":{"cluster":{"downing-provider-class":"","split-brain-resolver":{"active-strategy":"keep-majority"},'
    '"typed":{"receptionist":{"distributed-key-count":5}}},"version":"1.4.0"}}'
)
"""As a JVM of Pekko 1.4 with typed clusters sends it."""


def test_json_by_dotted_keys_there_and_back() -> None:
    config = parse(JVM)
    assert config["pekko.cluster.split-brain-resolver.active-strategy"] == "keep-majority"
    assert config["pekko.cluster.typed.receptionist.distributed-key-count"] == 5
    assert render(config) == JVM and parse("") == {}


@pytest.mark.parametrize("text", ["[]", "pekko { version = 1 }", "7"])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


def test_only_what_matters_is_compared() -> None:
    own = own_config("", "keep-majority", {"my.setting": 7})
    theirs = dict(own)
    assert differences(theirs, own, {"my.setting": 7}) == []
    assert differences({**theirs, "pekko.version": "1.1.0", "more": 1}, own, {}) == []
    assert differences({**theirs, "my.setting": "7"}, own, {"my.setting": 7}) == [], "as HOCON takes it"
    assert "my.setting is 8 there and 7 here" in differences({**theirs, "my.setting": 8}, own, {"my.setting": 7})
    del theirs["pekko.cluster.sharding.state-store-mode"]
    assert differences(theirs, own, {}) == [], "a node without sharding"
    del theirs["pekko.cluster.downing-provider-class"]
    assert differences(theirs, own, {}) == ["pekko.cluster.downing-provider-class is missing"]
    assert shared({"my.setting": 9, "other": 1}, own) == {"my.setting": 7}


def answer(text: str) -> ClusterMessage:
    simulation = Simulation(1)
    core = simulation.start(0)
    core.join(address(0), 0.0)
    answers: list[ClusterMessage] = []
    core.receive(InitJoin(text), answers.append, 0.0)
    (one,) = answers
    return one


def test_a_member_answers_a_jvm_with_its_own_values() -> None:
    ack = answer(JVM)
    assert isinstance(ack, InitJoinAck) and ack.check is ConfigCheck.COMPATIBLE
    assert ack.config == JVM
    for text in (JVM.replace("keep-majority", "keep-oldest"), JVM.replace('class":"', 'class":"x'), "broken"):
        assert answer(text) == InitJoinAck(address(0), ConfigCheck.INCOMPATIBLE)
    assert answer("") == InitJoinAck(address(0), ConfigCheck.UNCHECKED)


def test_a_joiner_stops_where_the_members_values_differ() -> None:
    simulation = Simulation(1, settings=ClusterSettings(config={"my.setting": 1}))
    core = simulation.start(0)
    core.join_seed_nodes([address(1)], 0.0)
    core.receive(InitJoinAck(address(1), ConfigCheck.COMPATIBLE, JVM), lambda _: None, 0.0)
    assert core.phase.value == "stopped"
