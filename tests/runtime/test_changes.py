"""An application that has changed since its tables and topics were made says what changed and what mends it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from confluent_kafka.admin import AdminClient

from smackbox.app.model import App
from smackbox.base.errors import StartError
from smackbox.runtime.changes import check_topics
from smackbox.runtime.prepare import create_tables, create_topics
from smackbox.testing.fixtures import SmackCassandra, SmackKafka


class Event(msgspec.Struct, frozen=True):
    id: UUID
    campaignId: str  # noqa: N815 - as its JSON has it
    order: int = 0
    tags: dict[str, list[int]] = {}


class Wider(Event, frozen=True):
    token: float | None = None


class Retyped(msgspec.Struct, frozen=True):
    id: UUID
    campaignId: int  # noqa: N815
    order: int = 0


def app_with_table(event: type[msgspec.Struct] = Event, key: Any = "id", cql: str | None = None) -> App:
    app = App("shop")
    if cql is not None:
        app.table("order", cql=cql)
    else:
        app.table("order", event, primary_key=key)
    return app


def test_names_in_camel_case_and_reserved_words_are_columns(smack_cassandra: SmackCassandra) -> None:
    create_tables(app_with_table(), smack_cassandra.address)
    create_tables(app_with_table(), smack_cassandra.address)
    session = smack_cassandra.connect("shop")
    session.execute("""INSERT INTO "order" (id, "campaignId", "order") VALUES (uuid(), 'c', 1)""")
    assert session.execute('SELECT "campaignId", "order" FROM "order"').one() == ("c", 1)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            app_with_table(Wider),
            r"""no column token: add it with smack cql -k shop 'ALTER TABLE "order" ADD "token" double'""",
        ),
        (app_with_table(Retyped), "column campaignId is text, the application says bigint"),
        (app_with_table(key="campaignId"), r"partition key is \(id\), the application says \(campaignId\)"),
        (app_with_table(key=("id", "order")), r"clustering is \(\), the application says \(order\)"),
        (
            app_with_table(cql='CREATE TABLE "order" (id uuid PRIMARY KEY, "campaignId" varchar, "order" int)'),
            "column order is bigint, the application says int",
        ),
    ],
)
def test_a_table_that_differs_is_named_with_what_mends_it(
    smack_cassandra: SmackCassandra, changed: App, message: str
) -> None:
    create_tables(app_with_table(), smack_cassandra.address)
    with pytest.raises(StartError, match=message):
        create_tables(changed, smack_cassandra.address)


def test_the_statement_that_is_named_mends_the_table(smack_cassandra: SmackCassandra) -> None:
    create_tables(app_with_table(), smack_cassandra.address)
    with pytest.raises(StartError) as refused:
        create_tables(app_with_table(Wider), smack_cassandra.address)
    statement = str(refused.value).partition("'")[2].rpartition("'")[0]
    smack_cassandra.connect("shop").execute(statement)
    create_tables(app_with_table(Wider), smack_cassandra.address)


def test_a_table_with_more_columns_than_the_application_says_is_taken(smack_cassandra: SmackCassandra) -> None:
    create_tables(app_with_table(Wider), smack_cassandra.address)
    create_tables(app_with_table(), smack_cassandra.address)


def app_with_topic(event: type[msgspec.Struct] = Event, **options: Any) -> App:
    app = App("shop")
    app.topic("orders", event, **{"key": "campaignId", "unique": "id", **options})
    return app


class Added(Event, frozen=True, kw_only=True):
    price: int


class Renamed(msgspec.Struct, frozen=True):
    id: UUID
    campaign: str
    order: int = 0
    tags: dict[str, list[int]] = {}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (app_with_topic(key="order"), "its key was campaignId and is order"),
        (app_with_topic(unique=None), "unique= was id and is None"),
        (app_with_topic(Retyped), "field campaignId was str and is int"),
        (app_with_topic(Added), "field price was added without a default"),
        (app_with_topic(Renamed, key="campaign"), r"was it called campaignId\?"),
    ],
)
def test_a_changed_topic_is_found_at_the_next_start_and_can_be_accepted(
    tmp_path: Path, changed: App, message: str
) -> None:
    check_topics(app_with_topic(), tmp_path, accept=False)
    check_topics(app_with_topic(Wider), tmp_path, accept=False)
    check_topics(app_with_topic(), tmp_path, accept=False)
    with pytest.raises(StartError, match=message):
        check_topics(changed, tmp_path, accept=False)
    check_topics(changed, tmp_path, accept=True)
    check_topics(changed, tmp_path, accept=False)


def test_partitions_are_added_when_told_and_never_taken(smack_kafka: SmackKafka) -> None:
    create_topics(app_with_topic(partitions=2), smack_kafka.bootstrap)
    with pytest.raises(
        StartError, match="smack topics alter orders --partitions 4, or start once with --add-partitions"
    ):
        create_topics(app_with_topic(partitions=4), smack_kafka.bootstrap)
    create_topics(app_with_topic(partitions=4), smack_kafka.bootstrap, add_partitions=True)
    topics = AdminClient({"bootstrap.servers": smack_kafka.bootstrap}).list_topics(timeout=10).topics
    assert len(topics["orders"].partitions) == 4
    with pytest.raises(StartError, match="say partitions=4"):
        create_topics(app_with_topic(partitions=2), smack_kafka.bootstrap)
