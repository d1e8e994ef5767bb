import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.mesos.resources import ranges
from smackbox.mesos.resources.resources import ResourceError, Resources
from smackbox.mesos.resources.text import (
    attribute_model,
    format_resources,
    parse_attributes,
    parse_resources,
)

VOLUME = {
    "name": "disk",
    "type": "SCALAR",
    "scalar": {"value": 10.0},
    "role": "ads",
    "reservation": {"principal": "p"},
    "disk": {"persistence": {"id": "v1", "principal": "p"}, "volume": {"container_path": "data", "mode": "RW"}},
}

numbers = st.sets(st.integers(0, 60))
scalars = st.dictionaries(st.sampled_from(["cpus", "mem", "disk(ads)", "disk"]), st.integers(1, 9_000), max_size=4)


def of(amounts: dict[str, int]) -> Resources:
    return parse_resources(";".join(f"{name}:{amount / 1000}" for name, amount in amounts.items()))


def test_text_is_read_and_written() -> None:
    resources = parse_resources("cpus:4; mem:1024;disk(ads):10.5;ports:[31000-32000, 8080-8081];kinds:{b,a}")
    assert (
        format_resources(resources) == "cpus:4; mem:1024; disk(ads):10.5; ports:[8080-8081, 31000-32000]; kinds:{a, b}"
    )
    assert parse_resources(format_resources(resources)) == resources
    assert resources.model() == {
        "cpus": 4.0,
        "gpus": 0.0,
        "mem": 1024.0,
        "disk": 10.5,
        "ports": "[8080-8081, 31000-32000]",
        "kinds": "{a, b}",
    }


def test_resources_may_be_json() -> None:
    text = '[{"name":"cpus","type":"SCALAR","scalar":{"value":2}}]'
    assert parse_resources(text) == parse_resources("cpus:2")


@pytest.mark.parametrize("text", ["cpus", "cpus:a", "ports:[1]", "cpus:-1", "[{}]", "ports:[5-1]"])
def test_bad_text_is_refused(text: str) -> None:
    with pytest.raises(ResourceError):
        parse_resources(text)


def test_attributes() -> None:
    attributes = parse_attributes("rack:r1;level:3;zone:[1-3];kinds:{a,b}")
    assert [one["type"] for one in attributes] == ["TEXT", "SCALAR", "RANGES", "SET"]
    assert attribute_model(attributes) == {"rack": "r1", "level": 3.0, "zone": "[1-3]", "kinds": "{a, b}"}


def test_three_decimals_are_kept() -> None:
    resources = parse_resources("cpus:0.1")
    assert resources + resources + resources == parse_resources("cpus:0.3")
    assert parse_resources("cpus:0.0004") == Resources()


def test_both_formats_of_a_reservation_are_one_resource() -> None:
    old = Resources.from_messages([VOLUME])
    new = Resources.from_messages(old.to_messages())
    assert old == new
    [refined] = old.to_messages()
    assert refined["reservations"] == [{"type": "DYNAMIC", "role": "ads", "principal": "p"}]
    assert "role" not in refined
    [plain] = old.to_messages(refined=False, role="ads")
    assert plain == {**VOLUME, "allocation_info": {"role": "ads"}}


def test_a_volume_is_not_cut() -> None:
    volume = Resources.from_messages([VOLUME])
    smaller = Resources.from_messages([{**VOLUME, "scalar": {"value": 4.0}}])
    assert not volume.contains(smaller)
    assert volume - smaller == volume
    assert volume.quantities() == {"disk": 10_000}
    assert volume.checkpointed() == volume


def test_a_shared_volume_counts_its_users_and_has_its_size_once() -> None:
    volume = Resources.from_messages([{**VOLUME, "shared": {}}])
    twice = volume + volume
    assert twice != volume
    assert twice.quantities() == volume.quantities() == {"disk": 10_000}
    assert volume.contains(twice)
    assert twice - volume == volume
    assert twice.to_messages() == volume.to_messages()


def test_who_may_have_what() -> None:
    resources = parse_resources("cpus:1;cpus(ads):2;cpus(ads/eu):4;cpus(web):8")
    assert resources.allocatable_to("ads/eu").scalar("cpus") == 7
    assert resources.allocatable_to("ads").scalar("cpus") == 3
    assert resources.allocatable_to("*").scalar("cpus") == 1
    assert set(resources.reservations()) == {"ads", "ads/eu", "web"}


@pytest.mark.parametrize(
    "message",
    [
        {"name": "cpus", "type": "SCALAR"},
        {"name": "cpus", "type": "SCALAR", "scalar": {"value": -1.0}},
        {"name": "mem", "type": "SCALAR", "scalar": {"value": 1.0}, "disk": {"persistence": {"id": "a"}}},
        {"name": "disk", "type": "SCALAR", "scalar": {"value": 1.0}, "shared": {}},
        {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.0}, "reservation": {}},
        {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.0}, "reservations": [{"role": "a"}]},
        {
            "name": "cpus",
            "type": "SCALAR",
            "scalar": {"value": 1.0},
            "role": "a",
            "reservations": [{"role": "a", "type": "STATIC"}],
        },
    ],
)
def test_what_mesos_takes_for_no_resource(message: dict[str, object]) -> None:
    with pytest.raises(ResourceError):
        Resources.from_messages([message])


@given(scalars, scalars)
def test_what_was_added_can_be_taken_away(left: dict[str, int], right: dict[str, int]) -> None:
    both = of(left) + of(right)
    assert both - of(right) == of(left)
    assert both.contains(of(left)) and both.contains(of(right))
    assert (of(left) - of(right)).contains(of(left)) == (not set(left) & set(right) or not left)


@given(numbers, numbers)
def test_ranges_are_sets_of_numbers(left: set[int], right: set[int]) -> None:
    one, other = (ranges.normal((number, number) for number in numbers) for numbers in (left, right))
    assert members(ranges.union(one, other)) == left | right
    assert members(ranges.difference(one, other)) == left - right
    assert ranges.contains(one, other) == (left >= right)
    assert ranges.size(one) == len(left)
    assert ranges.normal(one) == one


def members(pairs: ranges.Ranges) -> set[int]:
    return {number for begin, end in pairs for number in range(begin, end + 1)}
