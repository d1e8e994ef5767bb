"""Whether an offer holds one more instance, what is taken of it, and why not (Marathon's `ResourceMatcher`)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from smackbox.marathon.state.instance import Instance
from smackbox.marathon.state.matcher import (
    AGENT_MAINTENANCE,
    INSTANCE_LABEL,
    INSUFFICIENT_PORTS,
    NO_RESERVATION,
    REASONS,
    UNFULFILLED_CONSTRAINT,
    UNFULFILLED_ROLE,
    Match,
    PortChoice,
    match,
    match_reserved,
)
from smackbox.marathon.wire.app import App, Container, Network, PersistentVolume, PortDefinition, PortMapping, Volume
from smackbox.mesos_framework.offer import Offer

Json = dict[str, Any]


def lot(name: str, amount: float, role: str = "*", **fields: Any) -> Json:
    return {"name": name, "type": "SCALAR", "scalar": {"value": amount}, "role": role, **fields}


def ports(*ranges: tuple[int, int], role: str = "*", **fields: Any) -> Json:
    spans = [{"begin": begin, "end": end} for begin, end in ranges]
    return {"name": "ports", "type": "RANGES", "ranges": {"range": spans}, "role": role, **fields}


def offer(*lots: Json, **fields: Any) -> Offer:
    message = {"id": {"value": "o"}, "agent_id": {"value": "agent"}, "hostname": "host", "resources": list(lots)}
    return Offer(message | fields)


def app(**fields: object) -> App:
    plain = App(id="/a", version="v", cpus=1.0, mem=128.0, disk=0.0, gpus=0, port_definitions=[])
    return msgspec.structs.replace(plain, **fields)


PLENTY = (lot("cpus", 4), lot("mem", 1024), lot("disk", 1024), lot("gpus", 2), ports((31000, 31002)))


def taken(found: Match | list[str]) -> dict[str, float]:
    assert isinstance(found, Match), found
    return {one["name"]: one["scalar"]["value"] for one in found.resources if one["type"] == "SCALAR"}


def matched(one: App, here: Offer) -> Match | list[str]:
    return match(one, here, [], PortChoice())


def test_what_is_needed_is_taken_and_the_rest_is_left() -> None:
    here = offer(*PLENTY)
    assert taken(matched(app(disk=24.0, gpus=1), here)) == {"cpus": 1.0, "mem": 128.0, "disk": 24.0, "gpus": 1.0}
    assert [here.scalar(name) for name in ("cpus", "mem", "disk", "gpus")] == [3, 896, 1000, 1]
    assert taken(matched(app(cpus=3.0, mem=0.0), here)) == {"cpus": 3.0}


@pytest.mark.parametrize(
    ("fields", "reasons"),
    [
        ({"cpus": 4.001}, ["InsufficientCpus"]),
        ({"mem": 1025.0}, ["InsufficientMemory"]),
        ({"disk": 1025.0}, ["InsufficientDisk"]),
        ({"gpus": 3}, ["InsufficientGpus"]),
        ({"cpus": 5.0, "gpus": 3}, ["InsufficientCpus", "InsufficientGpus"]),
        ({"port_definitions": [PortDefinition()] * 4}, [INSUFFICIENT_PORTS]),
        ({"port_definitions": [PortDefinition(port=80)], "require_ports": True}, [INSUFFICIENT_PORTS]),
        ({"constraints": [["hostname", "UNLIKE", "host"]], "cpus": 9.0}, [UNFULFILLED_CONSTRAINT]),
        ({"accepted_resource_roles": ["ads"]}, [UNFULFILLED_ROLE]),
    ],
)
def test_why_an_offer_is_left_whole(fields: Json, reasons: list[str]) -> None:
    here = offer(*PLENTY)
    before = here.resources
    assert matched(app(**fields), here) == reasons
    assert here.resources == before
    assert set(reasons) <= set(REASONS)


def test_exactly_what_is_there_is_enough() -> None:
    assert taken(matched(app(cpus=4.0, mem=1024.0, disk=1024.0, gpus=2), offer(*PLENTY)))
    thirds = offer(lot("cpus", 0.1), lot("cpus", 0.2), lot("mem", 128))
    assert taken(matched(app(cpus=0.3), thirds)), "sums of fractions are exact"


def test_an_agent_in_maintenance() -> None:
    assert matched(app(), offer(*PLENTY, unavailability={"start": {}})) == [AGENT_MAINTENANCE]


def test_roles() -> None:
    both = (lot("cpus", 1, "ads"), lot("cpus", 1), lot("mem", 128))
    assert taken(matched(app(cpus=2.0), offer(*both))) == {"cpus": 1.0, "mem": 128.0}
    assert matched(app(cpus=2.0, accepted_resource_roles=["*"]), offer(*both)) == ["InsufficientCpus"]
    found = matched(app(cpus=1.0), offer(*both))
    assert isinstance(found, Match)
    assert found.resources[0]["role"] == "ads", "what is reserved for our role goes first"


def test_what_a_framework_reserved_for_itself_is_not_taken() -> None:
    mine = lot("cpus", 4, reservations=[{"type": "DYNAMIC", "role": "ads"}])
    volume = lot("disk", 100, disk={"persistence": {"id": "v"}})
    assert matched(app(disk=50.0), offer(mine, volume, lot("mem", 128))) == ["InsufficientCpus", "InsufficientDisk"]


# --- ports


def test_ports_are_given_in_turn() -> None:
    """A port that was just given up is not taken again at once: a late client would reach the wrong task."""
    choice = PortChoice()
    free = [1, 2, 3, 4]
    assert choice.choose("a", free, 2) == [1, 2]
    assert choice.choose("a", free, 3) == [3, 4, 1]
    assert choice.choose("a", free, 0) == []
    assert choice.choose("a", free, 1) == [2]
    assert choice.choose("b", free, 1) == [1], "each agent has its own turn"
    assert choice.choose("a", [1, 2], 1) == [1]


def test_fixed_and_dynamic_ports_stand_in_their_order() -> None:
    wanted = [PortDefinition(), PortDefinition(port=31000), PortDefinition()]
    here = offer(*PLENTY)
    found = matched(app(port_definitions=wanted, require_ports=True), here)
    assert isinstance(found, Match)
    assert found.ports == [31001, 31000, 31002]
    assert [one["ranges"] for one in found.resources if one["name"] == "ports"] == [
        {"range": [{"begin": 31000, "end": 31002}]}
    ]
    assert here.ports() == []
    found = matched(app(port_definitions=wanted[:2]), offer(*PLENTY))
    assert isinstance(found, Match)
    assert found.ports == [31000, 31001], "a port that is not required is any port"


def test_ports_of_a_container_that_lead_to_one_of_the_host() -> None:
    """A mapping without a host port takes none of the offer; 0 is any."""
    mappings = [PortMapping(container_port=80, host_port=host) for host in (None, 0, 31001)]
    bridged = app(networks=[Network(mode="container/bridge")], container=Container(port_mappings=mappings))
    found = matched(bridged, offer(*PLENTY))
    assert isinstance(found, Match)
    assert found.ports == [31000, 31001]


# --- volumes


def resident(size: int) -> App:
    volume = Volume(container_path="data", persistent=PersistentVolume(size=size))
    return app(disk=24.0, container=Container(volumes=[volume]))


def test_volumes_take_disk_beside_what_the_task_has() -> None:
    one = resident(1000)
    assert one.is_resident
    found = matched(one, offer(*PLENTY))
    assert isinstance(found, Match)
    assert [[part["scalar"]["value"] for part in volume] for volume in found.volumes] == [[1000.0]]
    assert taken(found)["disk"] == 24.0
    assert matched(resident(1001), offer(*PLENTY)) == ["InsufficientDisk"]


def test_a_resident_app_reserves_out_of_what_nobody_has() -> None:
    reserved = tuple({**one, "role": "ads"} for one in PLENTY)
    assert matched(resident(10), offer(*reserved)) == [UNFULFILLED_ROLE]


def instance(**fields: Any) -> Instance:
    made = Instance(id="i1", app_id="/a", app_version="v", config_version="v")
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def own(name: str = "i1") -> Json:
    labels = {"labels": [{"key": INSTANCE_LABEL, "value": name}]}
    return {"reservations": [{"type": "DYNAMIC", "role": "ads", "labels": labels}]}


def test_an_instance_finds_its_own_reservation() -> None:
    volume = lot("disk", 100, disk={"persistence": {"id": "v1"}}, **own())
    lots = (lot("cpus", 1, **own()), lot("mem", 64, **own()), volume, ports((1, 2), **own()))
    here = offer(lot("cpus", 2, **own("i2")), *lots, lot("cpus", 3))
    found = match_reserved(here, instance(volumes=["v1"], ports=[5, 6]))
    assert isinstance(found, Match)
    assert ({one["name"] for one in found.resources}, found.ports) == ({"cpus", "mem", "disk", "ports"}, [5, 6])
    assert sorted(one["scalar"]["value"] for one in here.resources) == [2, 3], "others' and common ones are left"


@pytest.mark.parametrize(
    ("lots", "fields", "reason"),
    [
        ((lot("cpus", 1),), {}, NO_RESERVATION),
        ((lot("cpus", 1, **own("i2")),), {}, NO_RESERVATION),
        ((lot("cpus", 1, **own()),), {"volumes": ["v1"]}, NO_RESERVATION),
        ((lot("cpus", 1, **own()), ports((1, 1), **own())), {"ports": [5, 6]}, INSUFFICIENT_PORTS),
    ],
)
def test_a_reservation_that_is_not_whole(lots: tuple[Json, ...], fields: Json, reason: str) -> None:
    assert match_reserved(offer(*lots), instance(**fields)) == [reason]
