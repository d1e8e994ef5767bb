"""Roles: who is a member of which, who holds what, and that a new process finds it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from smackbox.cassandra.state.engine import SCHEMA_FAMILY, Engine
from smackbox.cassandra.state.roles import Role, Roles
from smackbox.store.rocks import RocksStore, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RocksStore]:
    store = open_store(tmp_path, families=(SCHEMA_FAMILY,))
    yield store
    store.close()


def staff(store: RocksStore) -> tuple[Roles, Engine]:
    """`ann` is a member of `team`, and that of `all/of us`."""
    engine = Engine(store)
    roles = Roles(store, engine)
    roles.put(Role("all/of us"))
    roles.put(Role("team", member_of=("all/of us",)))
    roles.put(Role("ann", login=True, member_of=("team",)))
    roles.grant("all/of us", "data/ks", frozenset({"SELECT", "CREATE"}))
    roles.grant("ann", "data/ks/t", frozenset({"MODIFY"}))
    return roles, engine


def test_a_role_is_what_it_is_a_member_of(store: RocksStore) -> None:
    roles, _ = staff(store)
    assert roles.granted("ann") == {"ann", "team", "all/of us"}
    assert roles.granted("ann", recursive=False) == {"ann", "team"}
    assert roles.granted("nobody") == set()
    assert not roles.is_superuser("ann")
    roles.put(Role("all/of us", superuser=True))
    assert roles.is_superuser("ann")


def test_a_dropped_role_leaves_nothing(store: RocksStore) -> None:
    roles, _ = staff(store)
    generation = roles.generation
    roles.drop("team")
    assert roles.granted("ann") == {"ann"}
    roles.drop("all/of us")
    assert list(roles.all_held()) == [("ann", "data/ks/t", ["MODIFY"])]
    assert roles.generation > generation


def test_permissions_are_listed_in_cassandras_order_and_taken_one_by_one(store: RocksStore) -> None:
    roles, _ = staff(store)
    roles.grant("ann", "data/ks", frozenset({"SELECT", "ALTER", "CREATE"}))
    assert ("ann", "data/ks", ["CREATE", "ALTER", "SELECT"]) in list(roles.all_held())
    roles.revoke("ann", "data/ks", frozenset({"ALTER", "DROP"}))
    assert roles.held("ann", "data/ks") == {"CREATE", "SELECT"}


def test_with_a_keyspace_goes_what_was_held_on_it_and_in_it(store: RocksStore) -> None:
    roles, _ = staff(store)
    roles.grant("ann", "data/ks2/t", frozenset({"SELECT"}))
    roles.grant("ann", "functions/ks", frozenset({"EXECUTE"}))
    roles.grant("team", "data/ks/u", frozenset({"SELECT"}))
    roles.forget_table("ks", "t")
    assert [resource for _, resource, _ in roles.all_held()] == ["data/ks", "data/ks2/t", "functions/ks", "data/ks/u"]
    roles.forget_keyspace("ks")
    assert [resource for _, resource, _ in roles.all_held()] == ["data/ks2/t"]


def test_a_new_process_finds_them(store: RocksStore) -> None:
    roles, engine = staff(store)
    store.write(engine.batch)
    again = Roles(store, Engine(store))
    assert list(again.all()) == list(roles.all())
    assert list(again.all_held()) == list(roles.all_held())
