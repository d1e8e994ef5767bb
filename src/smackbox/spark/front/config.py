"""`Config` and `CloneSession`: settings go to Sail, and into the journal of their session."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from smackbox.spark.front.messages import base_pb2

if TYPE_CHECKING:
    from smackbox.spark.front.context import Front


def config(front: Front, request: bytes) -> bytes:
    """Answer as Sail does; a change of settings is remembered once Sail has taken it."""
    asked = base_pb2.ConfigRequest.FromString(request)
    session = front.session(asked.session_id, asked.user_context.user_id)
    kind = asked.operation.WhichOneof("op_type")
    changes = kind in {"set", "unset"}
    with session.call(changes=changes) as engine:
        answer = engine.call("Config", request)
        if changes:
            for pair in asked.operation.set.pairs:
                session.settings[pair.key] = pair.value
            for key in asked.operation.unset.keys:
                session.settings.pop(key, None)
            keys = sorted([pair.key for pair in asked.operation.set.pairs] or asked.operation.unset.keys)
            session.journal.add("Config", f"config:{','.join(keys)}", request)
    return answer


def clone(front: Front, request: bytes) -> bytes:
    """A session of another id in the same state, as `SparkSession.cloneSession` asks for."""
    asked = base_pb2.CloneSessionRequest.FromString(request)
    source = front.session(asked.session_id, asked.user_context.user_id)
    new_id = asked.new_session_id or str(uuid.uuid4())
    copy = front.session(new_id, asked.user_context.user_id)
    with copy.call(changes=True) as engine:
        for method, key, entry in list(source.journal.entries):
            kind = base_pb2.ExecutePlanRequest if method == "ExecutePlan" else base_pb2.ConfigRequest
            again = kind.FromString(entry)
            again.session_id = new_id
            if method == "ExecutePlan":
                again.operation_id = str(uuid.uuid4())
                for _ in engine.stream(method, again.SerializeToString()):
                    pass
            else:
                engine.call(method, again.SerializeToString())
            copy.journal.add(method, key, again.SerializeToString(), refers=True)
    copy.settings.update(source.settings)
    copy.views.update(source.views)
    copy.sources.update(source.sources)
    answer = base_pb2.CloneSessionResponse(session_id=asked.session_id, server_side_session_id=asked.session_id)
    answer.new_session_id = answer.new_server_side_session_id = new_id
    return answer.SerializeToString()  # type: ignore[no-any-return]
