"""Sessions of the Python driver on the Cassandra under test, each in a keyspace of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.policies import RoundRobinPolicy

BUSY_LIMIT_S = 60.0
Connect = Callable[..., Session]


@pytest.fixture
def connect(cassandra_address: tuple[str, int], unique: Callable[[str], str]) -> Iterator[Connect]:
    """`connect(protocol_version=4, compression='lz4')`: a session in a new keyspace."""
    clusters: list[tuple[Cluster, str]] = []

    def open_session(**options: Any) -> Session:
        profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), request_timeout=BUSY_LIMIT_S)
        cluster = Cluster(
            [cassandra_address[0]],
            port=cassandra_address[1],
            execution_profiles={EXEC_PROFILE_DEFAULT: profile},
            **{"connect_timeout": BUSY_LIMIT_S, "control_connection_timeout": BUSY_LIMIT_S, **options},
        )
        session = cluster.connect()
        keyspace = unique("contract")
        session.execute(
            f"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
        )
        session.set_keyspace(keyspace)
        clusters.append((cluster, keyspace))
        return session

    yield open_session
    for cluster, keyspace in clusters:
        if not cluster.is_shutdown:
            cluster.connect().execute(f"DROP KEYSPACE {keyspace}")
            cluster.shutdown()


@pytest.fixture
def session(connect: Connect) -> Session:
    return connect()
