"""The records of a master, and what they are read as."""

from __future__ import annotations

import json

import pytest

from smackbox.mesos.master.state.quotas import Quota
from smackbox.mesos.master.state.registry import Commit, Registry, agent_record, machine_key, record

INFO = {"hostname": "h"}


def test_each_kind_of_record_is_written_and_read() -> None:
    stored: dict[str, bytes | None] = {}
    stored |= agent_record("a/1", INFO)  # type: ignore[arg-type]
    stored |= agent_record("a2", INFO, deactivated=True, drain={"state": "DRAINING"})  # type: ignore[arg-type]
    stored |= record("unreachable/b", {"since_ms": 1, "info": INFO})
    stored |= record("gone/c", {"since_ms": 2, "info": INFO})
    stored |= record("quota/ads", {"guarantees": {"cpus": 1}, "limits": {"mem": 2}})
    stored |= record("weight/ads/eu", 2.5)
    stored |= record("machine/h|1", {"mode": "DOWN"})
    stored |= record("schedule", {"windows": []})
    registry = Registry.load({name: value for name, value in stored.items() if value is not None})
    assert registry.agents == {
        "a/1": {"info": INFO},
        "a2": {"info": INFO, "deactivated": True, "drain": {"state": "DRAINING"}},
    }
    assert registry.unreachable == {"b": {"since_ms": 1, "info": INFO}}
    assert registry.gone == {"c": {"since_ms": 2, "info": INFO}}
    assert registry.quotas == {"ads": Quota({"cpus": 1}, {"mem": 2})}
    assert registry.weights == {"ads/eu": 2.5}
    assert registry.machines == {"h|1": {"mode": "DOWN"}}
    assert registry.schedule == {"windows": []}
    for name in stored:
        registry.apply(name, None)
        registry.apply(name, None)
    assert registry == Registry()


def test_the_bytes_of_an_agents_record() -> None:
    [(name, value)] = agent_record("a", INFO).items()  # type: ignore[arg-type]
    assert value is not None
    assert (name, json.loads(value)) == ("agent/a", {"info": INFO})


def test_a_record_of_none_is_a_deletion() -> None:
    assert record("gone/a", None) == {"gone/a": None}


def test_records_of_another_kind_are_no_guess() -> None:
    with pytest.raises(KeyError):
        Registry.load({"nonsense/a": b"{}"})


def test_the_size_of_a_commit_is_that_of_its_names_and_values() -> None:
    commit = Commit({"ab": b"123", "c": None}, lambda: None)
    assert commit.size == 6
    commit.failed("anything")


@pytest.mark.parametrize(
    ("machine", "key"), [({"hostname": "H", "ip": "1"}, "h|1"), ({"hostname": "h"}, "h|"), ({"ip": "1"}, "|1")]
)
def test_machines_are_told_apart_by_name_in_any_case_and_address(machine: object, key: str) -> None:
    assert machine_key(machine) == key  # type: ignore[arg-type]
