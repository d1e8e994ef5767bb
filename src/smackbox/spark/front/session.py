"""A client's session at the front: on which Sail server it is, what brings it to another, and what the front keeps.

Calls of a session run at the same time. Only while the session moves to another server, which takes as long as its
journal takes to be sent, calls wait; it moves when no command that changes the session is on its way.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smackbox.spark.front.engine import Engine, EnginePool
from smackbox.spark.front.journal import Journal

OPERATIONS_LIMIT = 10_000
"""Operations of a session that a client may still reattach to; the oldest is forgotten beyond."""
REPEAT_TIMEOUT_S = 30.0
"""How long one entry of the journal may take on another engine, while calls of the session wait."""
ARTIFACT_BYTES_LIMIT = 4 * 1024 * 1024 * 1024

log = logging.getLogger(__name__)


class FrontSession:
    """State of one session. `views` are streaming DataFrames by name, `tables` what memory sinks made."""

    def __init__(self, session_id: str, user_id: str, pool: EnginePool) -> None:
        self.id = session_id
        self.user_id = user_id
        self.pool = pool
        self.engine = pool.current
        pool.use(self.engine)
        self.journal = Journal()
        self.settings: dict[str, str] = {}
        self.views: dict[str, Any] = {}
        self.tables: dict[str, Any] = {}
        self.sources: dict[str, bytes] = {}
        """Registered Python data sources: the pickled class by its name in lower case."""
        self.graphs: dict[str, Any] = {}
        """Dataflow graphs of pipelines by their id."""
        self.remote: dict[str, Any] = {}
        """Relation id -> what a `CachedRemoteRelation` of that id stands for."""
        self._artifacts: Path | None = None
        self._artifact_bytes = 0
        self._operations: OrderedDict[str, Engine] = OrderedDict()
        self._gate = threading.Condition()
        self._changing = 0
        self._moving = False
        self.closed = False

    @contextmanager
    def call(self, *, query: bool = False, changes: bool = False) -> Iterator[Engine]:
        """The engine for one call. Calls that change the session's state keep it from moving."""
        with self._gate:
            while self._moving:
                self._gate.wait()
            engine = self.engine
            self._changing += changes
            self.pool.use(engine, query=query)
        try:
            yield engine
        finally:
            with self._gate:
                self._changing -= changes
            self.pool.release(engine)
            if query:
                self.pool.after_query(self)

    def move(self) -> bool:
        """Go to the pool's current engine; False when the session has to stay for now."""
        target = self.pool.current
        with self._gate:
            if self.engine is target or self.closed:
                return True
            if self.journal.pinned or self._changing or self._moving:
                return False
            self._moving = True
        try:
            for method, _, request in self.journal.entries:
                if method == "ExecutePlan":
                    for _ in target.stream(method, request, timeout_s=REPEAT_TIMEOUT_S):
                        pass
                else:
                    target.call(method, request, timeout_s=REPEAT_TIMEOUT_S)
        except Exception as error:  # noqa: BLE001 - whatever it is, the session is fine where it is
            log.warning("a Spark session stays on its engine, for its state could not be repeated: %s", error)
            self.journal.pinned = True
            target = self.engine
        with self._gate:
            former, self.engine = self.engine, target
            if former is not target:
                self.pool.use(target)
            self._moving = False
            self._gate.notify_all()
        if former is not target:
            self.pool.release(former)
        return former is not target

    def began(self, operation_id: str, engine: Engine) -> None:
        """Remember where a reattachable operation runs."""
        self._operations[operation_id] = engine
        self.pool.use(engine)
        if len(self._operations) > OPERATIONS_LIMIT:
            self.pool.release(self._operations.popitem(last=False)[1])

    def engine_of(self, operation_id: str) -> Engine | None:
        """Where an operation runs; None for one that is not known, or released."""
        return self._operations.get(operation_id)

    def ended(self, operation_id: str) -> None:
        """The client will not reattach to it any more."""
        engine = self._operations.pop(operation_id, None)
        if engine is not None:
            self.pool.release(engine)

    def artifact(self, name: str) -> Path | None:
        """The file of an uploaded artifact; None for an unknown one."""
        if self._artifacts is None:
            return None
        path = self._artifacts / name.replace("/", "%")
        return path if path.exists() else None

    def store(self, name: str, write: Callable[[Path], int]) -> None:
        """Keep an artifact that `write` puts into a file. Raises `OverflowError` beyond the limit."""
        if self._artifacts is None:
            self._artifacts = Path(tempfile.mkdtemp(prefix="smackbox-artifacts-"))
        path = self._artifacts / name.replace("/", "%")
        if path.exists():
            return
        self._artifact_bytes += write(path)
        if self._artifact_bytes > ARTIFACT_BYTES_LIMIT:
            path.unlink()
            raise OverflowError(f"the artifacts of a session may have {ARTIFACT_BYTES_LIMIT} bytes at most")

    def close(self) -> None:
        """Leave the engine; files of the session go."""
        with self._gate:
            if self.closed:
                return
            self.closed = True
        for operation_id in list(self._operations):
            self.ended(operation_id)
        self.pool.release(self.engine)
        if self._artifacts is not None:
            shutil.rmtree(self._artifacts, ignore_errors=True)
