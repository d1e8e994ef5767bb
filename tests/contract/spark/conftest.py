"""A Spark session of ours, and a session with the Cassandra that is under test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

TIMEOUT_S = 30.0


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    from smackbox.spark import session
    from smackbox.spark.cql_sessions import close_shared_sessions

    spark = session()
    yield spark
    spark.stop()
    close_shared_sessions()


@pytest.fixture(scope="module")
def cql(cassandra_address: tuple[str, int]) -> Iterator[Any]:
    from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
    from cassandra.policies import RoundRobinPolicy
    from cassandra.query import tuple_factory

    host, port = cassandra_address
    profile = ExecutionProfile(
        load_balancing_policy=RoundRobinPolicy(), row_factory=tuple_factory, request_timeout=TIMEOUT_S
    )
    with Cluster([host], port=port, execution_profiles={EXEC_PROFILE_DEFAULT: profile}) as cluster:
        yield cluster.connect()
