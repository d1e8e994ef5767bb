"""A DataFrame that stands for rows which the front keeps by an id, as Spark's `CachedRemoteRelation`.

Spark's own tells the server when it is forgotten; here the stream forgets its batch when the function returns.
"""

from __future__ import annotations

from typing import Any

from pyspark.sql.connect.dataframe import DataFrame
from pyspark.sql.connect.plan import LogicalPlan
from pyspark.sql.connect.session import SparkSession


class RemoteRows(LogicalPlan):  # type: ignore[misc]
    """The plan of such a DataFrame."""

    def __init__(self, reference: str) -> None:
        super().__init__(None)
        self._reference = reference

    def plan(self, session: Any) -> Any:
        relation = self._create_proto_relation()
        relation.cached_remote_relation.relation_id = self._reference
        return relation


def remote_frame(session: Any, reference: str) -> Any:
    """The DataFrame of a session for the rows kept as `reference`."""
    return DataFrame(RemoteRows(reference), session)


def attach(url: str, session_id: str, user_id: str) -> Any:
    """A client's session of an id that the server has, without registering anything."""
    from smackbox.spark.smack_session import SmackSession

    user = f";user_id={user_id}" if user_id else ""
    session = SparkSession.Builder().remote(f"{url}/;session_id={session_id}{user}").create()
    session.__class__ = SmackSession
    session._reads_local_files = True
    session.client.disable_reattachable_execute()
    return session
