"""A session with Cassandra for bulk work: explicit policies, bounded waits, one timestamp for a write."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from smackbox.base.address import nodes_on_one_port
from smackbox.base.errors import SettingError

DEFAULT_PORT = 9042
CONNECT_TIMEOUT_S = 5.0
CONTROL_TIMEOUT_S = 5.0
ROWS_AS_TUPLES = "rows as tuples"
RETRY_S = 0.2

logging.getLogger("cassandra").setLevel(logging.CRITICAL)  # what it reports is raised as well


class CqlSession:
    """A connected driver session. `timestamp_us` is what the next writes carry; None means their time of sending.

    Raises the driver's `NoHostAvailable` when no node answers.
    """

    def __init__(
        self,
        address: str,
        *,
        datacenter: str | None = None,
        user: str | None = None,
        password: str | None = None,
        consistency: str = "LOCAL_QUORUM",
        timeout_s: float = 10.0,
    ) -> None:
        from cassandra import ConsistencyLevel
        from cassandra.auth import PlainTextAuthProvider
        from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
        from cassandra.policies import (
            ConstantReconnectionPolicy,
            DCAwareRoundRobinPolicy,
            RoundRobinPolicy,
            TokenAwarePolicy,
        )
        from cassandra.query import tuple_factory
        from cassandra.timestamps import MonotonicTimestampGenerator

        level = ConsistencyLevel.name_to_value.get(consistency.upper())
        if level is None:
            raise SettingError(f"no consistency level {consistency!r}")
        nodes = DCAwareRoundRobinPolicy(local_dc=datacenter) if datacenter else RoundRobinPolicy()
        profile = ExecutionProfile(
            load_balancing_policy=TokenAwarePolicy(nodes), consistency_level=level, request_timeout=timeout_s
        )
        tuples = ExecutionProfile(
            load_balancing_policy=TokenAwarePolicy(nodes),
            consistency_level=level,
            request_timeout=timeout_s,
            row_factory=tuple_factory,
        )
        hosts, port = nodes_on_one_port(address, DEFAULT_PORT)
        self._clock = MonotonicTimestampGenerator(warn_on_drift=False)
        self.timestamp_us: int | None = None
        self.cluster = Cluster(
            hosts,
            port=port,
            auth_provider=PlainTextAuthProvider(user, password) if user is not None else None,
            execution_profiles={EXEC_PROFILE_DEFAULT: profile, ROWS_AS_TUPLES: tuples},
            reconnection_policy=ConstantReconnectionPolicy(delay=0.5, max_attempts=None),
            timestamp_generator=self._timestamp,
            compression=False,  # costs both sides more than the bytes of a batch of 5 KiB are worth
            connect_timeout=CONNECT_TIMEOUT_S,
            control_connection_timeout=CONTROL_TIMEOUT_S,
        )
        try:
            self.session: Any = self.cluster.connect()
        except BaseException:
            self.cluster.shutdown()
            raise

    def _timestamp(self) -> int:
        return self.timestamp_us if self.timestamp_us is not None else int(self._clock())

    def table(self, keyspace: str, table: str) -> Any:
        """The driver's metadata of a table. Raises `SettingError` when it is not there."""
        if keyspace not in self.cluster.metadata.keyspaces:
            self.cluster.refresh_keyspace_metadata(keyspace)
        self.cluster.refresh_table_metadata(keyspace, table)
        metadata = self.cluster.metadata.keyspaces.get(keyspace)
        if metadata is None:
            raise SettingError(f"there is no keyspace {keyspace}")
        if table not in metadata.tables:
            raise SettingError(f"there is no table {keyspace}.{table}")
        return metadata.tables[table]

    def ring(self, keyspace: str) -> tuple[list[int], Callable[[int], list[str]]]:
        """The nodes' tokens, and what gives the addresses of the replicas of the range that ends with one.

        No tokens where the nodes do not say them, or have another partitioner than Murmur3.
        """
        from cassandra.metadata import Murmur3Token

        tokens = self.cluster.metadata.token_map
        ring = [] if tokens is None else [token for token in tokens.ring if isinstance(token, Murmur3Token)]
        by_value = {token.value: token for token in ring}

        def hosts_of(token: int) -> list[str]:
            replicas = tokens.get_replicas(keyspace, by_value[token]) if tokens is not None else ()
            return sorted({replica.address for replica in replicas})

        return list(by_value), hosts_of

    def column_types(self, keyspace: str, table: str) -> dict[str, Any]:
        """The driver's type of each column of a table."""
        everything = f'SELECT * FROM "{keyspace}"."{table}"'  # noqa: S608 - names from the schema
        return {name: cql_type for _, _, name, cql_type in self.session.prepare(everything).result_metadata}

    def pages(self, statement: Any) -> Iterator[Sequence[tuple[Any, ...]]]:
        """The rows of a read, a page at a time; each page is asked for when the one before is used."""
        return (rows for _, rows in self.pages_of([statement], concurrency=1))

    def pages_of(
        self,
        statements: Iterable[Any],
        *,
        concurrency: int,
        attempts: int = 1,
        before: Callable[[], None] = lambda: None,
    ) -> Iterator[tuple[int, Sequence[tuple[Any, ...]]]]:
        """The pages of several reads with the number of their statement, in order; `concurrency` of them run at most.

        A page that fails is asked for again, `attempts` times in all. `before` is called before each request.
        Raises the driver's error of the last attempt.
        """
        waiting: deque[tuple[int, Any, Any]] = deque()

        def ask(statement: Any, state: bytes | None) -> Any:
            before()
            return self.session.execute_async(statement, execution_profile=ROWS_AS_TUPLES, paging_state=state)

        def first() -> Iterator[tuple[int, Sequence[tuple[Any, ...]]]]:
            number, statement, future = waiting.popleft()
            for rows in self._read(statement, future, ask, attempts):
                yield number, rows

        for number, statement in enumerate(statements):
            waiting.append((number, statement, ask(statement, None)))
            if len(waiting) >= concurrency:
                yield from first()
        while waiting:
            yield from first()

    @staticmethod
    def _read(
        statement: Any, future: Any, ask: Callable[[Any, bytes | None], Any], attempts: int
    ) -> Iterator[Sequence[tuple[Any, ...]]]:
        from cassandra import OperationTimedOut, ReadTimeout, Unavailable
        from cassandra.cluster import NoHostAvailable

        state: bytes | None = None
        left = attempts
        while True:
            try:
                result = future.result()
            except (OperationTimedOut, ReadTimeout, Unavailable, NoHostAvailable) as error:
                left -= 1
                if not left:
                    raise
                logging.getLogger(__name__).warning("Cassandra did not give a page, asked again: %s", error)
                time.sleep(RETRY_S * 2 ** (attempts - left))
                future = ask(statement, state)
                continue
            if result.current_rows:
                yield result.current_rows
            state, left = result.paging_state, attempts
            if state is None:
                return
            future = ask(statement, state)

    def close(self) -> None:
        self.cluster.shutdown()
