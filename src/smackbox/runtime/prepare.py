"""Creates an application's topics, keyspaces and tables before it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smackbox.app.model import App
from smackbox.base.address import nodes_on_one_port
from smackbox.base.errors import StartError
from smackbox.runtime.changes import check_tables
from smackbox.runtime.settings import CASSANDRA_PORT

if TYPE_CHECKING:
    from cassandra.cluster import Session
    from confluent_kafka.admin import AdminClient

KAFKA_TIMEOUT_S = 30.0
CQL_TIMEOUT_S = 30.0


def prepare(
    app: App,
    *,
    kafka: str,
    cassandra: str,
    username: str | None = None,
    password: str | None = None,
    add_partitions: bool = False,
) -> None:
    """Create missing ones and leave existing ones unchanged. `username` is the login for Cassandra.

    Raises `StartError` when a server does not answer, and when a table or topic is there and differs from what the
    application says. `add_partitions` gives topics the partitions that they lack.
    """
    create_topics(app, kafka, add_partitions=add_partitions)
    create_tables(app, cassandra, username, password)


def create_topics(app: App, bootstrap: str, *, add_partitions: bool = False) -> None:
    """Create the application's missing topics, and with `add_partitions` their missing partitions."""
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import AdminClient, NewTopic

    wanted = {topic.name: topic.partitions for topic in app.topics}
    for source in (*app.topics, *app.sources):
        if source.dead_letter is not None:
            wanted.setdefault(source.dead_letter, 1)
    if not wanted:
        return
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
    try:
        there = admin.list_topics(timeout=KAFKA_TIMEOUT_S).topics
        missing = [NewTopic(name, partitions) for name, partitions in wanted.items() if name not in there]
        created = admin.create_topics(missing, request_timeout=KAFKA_TIMEOUT_S) if missing else {}
        for name, done in created.items():
            try:
                done.result(KAFKA_TIMEOUT_S)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise StartError(f"cannot create topic {name}: {error.args[0].str()}") from error
    except KafkaException as error:
        raise StartError(f"Kafka at {bootstrap} does not answer: {error.args[0].str()}") from error
    for name, partitions in wanted.items():
        present = len(there[name].partitions) if name in there else partitions
        if present > partitions:
            raise StartError(
                f"topic {name} has {present} partitions, the application says {partitions}: partitions cannot be taken "
                f"away, say partitions={present}, or give the topic another name"
            )
        if present < partitions and not add_partitions:
            raise StartError(
                f"topic {name} has {present} partitions, the application says {partitions}: add them with "
                f"smack topics alter {name} --partitions {partitions}, or start once with --add-partitions (later "
                "events of a key may then go to another partition)"
            )
        if present < partitions:
            _add_partitions(admin, name, partitions)


def partition_counts(bootstrap: str) -> dict[str, int]:
    """The number of partitions of each topic. Raises `StartError`."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    try:
        topics = (
            AdminClient({"bootstrap.servers": bootstrap, "log_level": 2}).list_topics(timeout=KAFKA_TIMEOUT_S).topics
        )
    except KafkaException as error:
        raise StartError(f"Kafka at {bootstrap} does not answer: {error.args[0].str()}") from error
    return {name: len(topic.partitions) for name, topic in topics.items()}


def _add_partitions(admin: AdminClient, name: str, partitions: int) -> None:
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import NewPartitions

    try:
        for done in admin.create_partitions([NewPartitions(name, partitions)]).values():
            done.result(KAFKA_TIMEOUT_S)
    except KafkaException as error:
        raise StartError(f"cannot add partitions to topic {name}: {error.args[0].str()}") from error


def create_tables(app: App, address: str, username: str | None = None, password: str | None = None) -> None:
    """Create the application's missing keyspaces and tables."""
    from cassandra import AlreadyExists, DriverException

    if not app.tables:
        return
    with CqlConnection(address, username=username, password=password) as session:
        try:
            session.execute(
                f'CREATE KEYSPACE IF NOT EXISTS "{app.keyspace}" WITH replication = '
                f"{{'class': 'SimpleStrategy', 'replication_factor': {app.replication}}}"
            )
            session.set_keyspace(app.keyspace)
            for table in app.tables:
                try:
                    session.execute(table.cql)
                except AlreadyExists:
                    continue
            check_tables(session, app)
        except DriverException as error:
            raise StartError(f"cannot create the tables of {app.name}: {error}") from error


class CqlConnection:
    """A `cassandra-driver` session on `host:port`, closed with its cluster. Raises `StartError` without an answer."""

    def __init__(
        self, address: str, keyspace: str | None = None, *, username: str | None = None, password: str | None = None
    ) -> None:
        self._address = address
        self._keyspace = keyspace
        self._username = username
        self._password = password or ""

    def __enter__(self) -> Session:
        from cassandra import InvalidRequest, UnresolvableContactPoints
        from cassandra.auth import PlainTextAuthProvider
        from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable
        from cassandra.policies import RoundRobinPolicy

        hosts, port = nodes_on_one_port(self._address, CASSANDRA_PORT)
        profile = ExecutionProfile(RoundRobinPolicy(), request_timeout=CQL_TIMEOUT_S)
        try:
            self._cluster = Cluster(
                hosts,
                port=port,
                execution_profiles={EXEC_PROFILE_DEFAULT: profile},
                auth_provider=PlainTextAuthProvider(self._username, self._password) if self._username else None,
                # a busy server answers late; a port without a server refuses at once
                connect_timeout=CQL_TIMEOUT_S,
                control_connection_timeout=CQL_TIMEOUT_S,
            )
        except UnresolvableContactPoints as error:
            raise StartError(self._no_answer(error)) from error
        try:
            return self._cluster.connect(self._keyspace)
        except NoHostAvailable as error:
            self._cluster.shutdown()
            raise StartError(self._no_answer(error)) from error
        except InvalidRequest as error:
            self._cluster.shutdown()
            raise StartError(f"{error}; `smack cql 'DESCRIBE KEYSPACES'` lists them") from error

    def _no_answer(self, error: Exception) -> str:
        from cassandra import AuthenticationFailed

        reasons = list(getattr(error, "errors", {}).values())
        refusal = next((reason for reason in reasons if isinstance(reason, AuthenticationFailed)), None)
        if refusal is not None:
            return (
                f"Cassandra at {self._address} refuses the login ({refusal}): give --username and --password, or "
                "cassandra_username and cassandra_password in [box]"
            )
        reason = f" ({reasons[0]})" if reasons else ""
        return (
            f"no Cassandra answers at {self._address}{reason}: start one with `smack up`, or say where it is "
            "(--cassandra host:port)"
        )

    def __exit__(self, *_: object) -> None:
        self._cluster.shutdown()
