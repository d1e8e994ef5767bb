"""The changes of tables and topics that a changed application needs, shown and then made."""

from __future__ import annotations

from typing import NamedTuple

from smackbox.app.model import App, Topic
from smackbox.base.errors import UserError
from smackbox.runtime.changes import Changes, table_changes, topic_changes, topic_news
from smackbox.runtime.parts import prepare_part
from smackbox.runtime.prepare import CqlConnection, partition_counts
from smackbox.runtime.settings import BoxSettings, Urls


class Step(NamedTuple):
    """A statement on the application's keyspace, and why."""

    why: str
    statement: str
    loses: bool


class Migration(NamedTuple):
    """`migrate` does the `steps`; no step can fix `refusals`; the user must accept the `accepted` changes of topics.

    `partitions` are (topic, present number, declared number); `news` need no action.
    """

    steps: list[Step]
    refusals: list[str]
    accepted: list[str]
    partitions: list[tuple[str, int, int]]
    news: list[str]


def plan(app: App, urls: Urls, settings: BoxSettings) -> Migration:
    """Compare the application with the existing tables and topics. Raises `StartError` if a server does not answer."""
    found = Migration([], [], topic_changes(app, settings.dir), [], topic_news(app, settings.dir))
    with _connected(urls, settings) as session:
        for table in app.tables:
            for change in table_changes(session, app.keyspace, table):
                if change.statement is None:
                    found.refusals.append(change.problem)
                else:
                    found.steps.append(Step(change.problem, change.statement, loses=not change.is_needed))
    assert urls.kafka is not None
    present = partition_counts(urls.kafka)
    for topic in app.topics:
        there = present.get(topic.name, topic.partitions)
        if there > topic.partitions:
            found.refusals.append(
                f"topic {topic.name} has {there} partitions, the application says {topic.partitions}: partitions "
                f"cannot be taken away. Say partitions={there}, or give the topic another name"
            )
        elif there < topic.partitions:
            refusal = _divided(app, topic)
            if refusal is not None:
                found.refusals.append(refusal)
            else:
                found.partitions.append((topic.name, there, topic.partitions))
    return found


def migrate(
    app: App,
    migration: Migration,
    urls: Urls,
    settings: BoxSettings,
    *,
    drop: bool = False,
    accept: bool = False,
    add_partitions: bool = False,
) -> list[Step]:
    """Make the changes; returns the steps done. None is begun if one is impossible or not accepted.

    Raises `UserError` for that, `StartError` if a server refuses.
    """
    refusals = list(migration.refusals)
    refusals += [] if accept else [f"{change}. With --accept-changes it goes on" for change in migration.accepted]
    if not add_partitions:
        refusals += [
            f"topic {name} has {there} partitions, the application says {wanted}: --add-partitions adds them, and "
            "later events of a key may go to another partition than former ones"
            for name, there, wanted in migration.partitions
        ]
    if refusals:
        raise UserError("nothing is changed: " + "; ".join(refusals))
    done = [step for step in migration.steps if drop or not step.loses]
    with _connected(urls, settings) as session:
        from cassandra import DriverException

        for step in done:
            try:
                session.set_keyspace(app.keyspace)
                session.execute(step.statement)
            except DriverException as error:
                raise UserError(f"{step.statement} is refused: {error}") from error
    prepare_part(app, urls, settings, Changes(accept=True, add_partitions=add_partitions))
    return done


def _connected(urls: Urls, settings: BoxSettings) -> CqlConnection:
    assert urls.cassandra is not None
    return CqlConnection(urls.cassandra, username=settings.cassandra_username, password=settings.cassandra_password)


def _divided(app: App, topic: Topic) -> str | None:
    """The reason why partitions cannot be added: totals are divided by partition."""
    for stream in app.streams:
        keyed = stream.function is not None or stream.flow is not None
        if stream.instances is not None and keyed and topic in stream.sources:
            return (
                f"topic {topic.name}: the totals of the stream {stream.name} are divided by its partitions, and a key "
                "would go to another one than its total. Leave the partitions, or make a topic of another name"
            )
    return None
