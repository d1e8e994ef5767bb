"""Cutting tasks' resources out of an offer: nothing is used twice, reserved lots come first."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from smackbox.mesos_framework.offer import Offer


def scalar(name: str, value: float, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}, **more}


def ports(*ranges: tuple[int, int], **more: Any) -> dict[str, Any]:
    found = [{"begin": begin, "end": end} for begin, end in ranges]
    return {"name": "ports", "type": "RANGES", "ranges": {"range": found}, **more}


RESERVED = {"reservations": [{"type": "STATIC", "role": "web"}]}


def offer(*resources: dict[str, Any], attributes: Any = ()) -> Offer:
    return Offer(
        {
            "id": {"value": "o1"},
            "agent_id": {"value": "a1"},
            "hostname": "host1",
            "resources": list(resources),
            "attributes": list(attributes),
        }
    )


def test_reserved_lots_are_used_first_and_the_rest_stays() -> None:
    one = offer(scalar("cpus", 1.5), scalar("cpus", 0.5, **RESERVED))
    assert one.take_scalar("cpus", 0.7) == [scalar("cpus", 0.5, **RESERVED), scalar("cpus", 0.2)]
    assert one.scalar("cpus") == 1.3
    assert one.take_scalar("cpus", 1.4) is None
    assert one.scalar("cpus") == 1.3
    assert one.resources == [scalar("cpus", 1.3)]


def test_ports_are_cut_out_of_their_ranges() -> None:
    one = offer(ports((31000, 31003)), ports((80, 80), **RESERVED))
    assert one.ports() == [80, 31000, 31001, 31002, 31003]
    assert one.take_ports([31001, 80, 31002]) == [ports((80, 80), **RESERVED), ports((31001, 31002))]
    assert one.take_ports([31001]) is None
    assert one.ports() == [31000, 31003]


def test_a_volume_is_no_plain_disk() -> None:
    volume = scalar("disk", 10, disk={"persistence": {"id": "v1"}, "volume": {"container_path": "data"}})
    one = offer(volume, scalar("disk", 5))
    assert one.scalar("disk") == 5
    assert one.take_scalar("disk", 6) is None
    assert one.take_volume("v2") is None
    assert one.take_volume("v1") == volume
    assert one.take_volume("v1") is None


def test_attributes_are_text() -> None:
    kinds = [
        {"name": "rack", "type": "TEXT", "text": {"value": "r1"}},
        {"name": "n", "type": "SCALAR", "scalar": {"value": 2.0}},
        {"name": "x", "type": "SCALAR", "scalar": {"value": 2.5}},
        {"name": "r", "type": "RANGES", "ranges": {"range": [{"begin": 1, "end": 3}]}},
        {"name": "s", "type": "SET", "set": {"item": ["a", "b"]}},
    ]
    one = offer(attributes=kinds)
    assert [one.attribute(name) for name in ("rack", "n", "x", "r", "s", "hostname", "@hostname", "none")] == [
        "r1", "2", "2.5", "[1-3]", "{a,b}", "host1", "host1", None,
    ]  # fmt: skip


@given(st.lists(st.integers(0, 5000)), st.lists(st.integers(0, 3000)))
def test_what_is_taken_and_what_is_left_add_up(lots: list[int], wanted: list[int]) -> None:
    one = offer(*(scalar("mem", lot / 1000) for lot in lots))
    taken = 0
    for amount in wanted:
        if (parts := one.take_scalar("mem", amount / 1000)) is not None:
            assert sum(round(part["scalar"]["value"] * 1000) for part in parts) == amount
            taken += amount
    assert taken + round(one.scalar("mem") * 1000) == sum(lots)
