"""Broadcast values and accumulators: what the tasks of a job share with the driver."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from smackbox.spark.rdd import task as tasks
from smackbox.spark.rdd.closures import dumps
from smackbox.spark.rdd.driver_files import on_this_machine
from smackbox.spark.rdd.errors import JobError

BROADCASTS_HELD = 64

_held: OrderedDict[str, Any] = OrderedDict()
_accumulators: WeakValueDictionary[int, Accumulator] = WeakValueDictionary()


class Broadcast:
    """A value that each executor reads once from a file, however many tasks use it."""

    def __init__(self, path: Path, value: Any) -> None:
        self._path = path
        path.write_bytes(dumps(value, "the broadcast value"))
        self._remember(value)

    def _remember(self, value: Any) -> None:
        _held[str(self._path)] = value
        while len(_held) > BROADCASTS_HELD:
            _held.popitem(last=False)

    @property
    def value(self) -> Any:
        key = str(self._path)
        if key not in _held:
            try:
                self._remember(pickle.loads(on_this_machine(self._path).read_bytes()))  # noqa: S301 - our own bytes
            except FileNotFoundError as error:
                raise JobError("this broadcast was destroyed") from error
        return _held[key]

    def unpersist(self, blocking: bool = False) -> None:
        """Forget the value here; it is read again when it is asked for."""
        _held.pop(str(self._path), None)

    def destroy(self, blocking: bool = False) -> None:
        self.unpersist()
        self._path.unlink(missing_ok=True)


class Accumulator:
    """A value that tasks add to and the driver reads. A task's additions count once, when it has succeeded."""

    def __init__(self, accumulator_id: int, value: Any, param: Any) -> None:
        self.aid = accumulator_id
        self.accum_param = param
        self._value = value
        _accumulators[accumulator_id] = self

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return TaskAccumulator, (self.aid, self.accum_param.zero(self._value), self.accum_param)

    @property
    def value(self) -> Any:
        return self._value

    @value.setter
    def value(self, value: Any) -> None:
        self._value = value

    def add(self, term: Any) -> None:
        self._value = self.accum_param.addInPlace(self._value, term)

    def __iadd__(self, term: Any) -> Accumulator:
        self.add(term)
        return self

    def __str__(self) -> str:
        return str(self._value)

    def __repr__(self) -> str:
        return f"Accumulator<id={self.aid}, value={self._value}>"


class TaskAccumulator:
    """An accumulator within a task: it can be added to, not read."""

    def __init__(self, accumulator_id: int, zero: Any, param: Any) -> None:
        self.aid, self._zero, self.accum_param = accumulator_id, zero, param

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return TaskAccumulator, (self.aid, self._zero, self.accum_param)

    def add(self, term: Any) -> None:
        task = tasks.current()
        if task is None:
            raise JobError("an accumulator of a task was used outside of one")
        held = task.added[self.aid][1] if self.aid in task.added else self.accum_param.zero(self._zero)
        task.added[self.aid] = (self.accum_param, self.accum_param.addInPlace(held, term))

    def __iadd__(self, term: Any) -> TaskAccumulator:
        self.add(term)
        return self

    @property
    def value(self) -> Any:
        raise JobError("the value of an accumulator can be read in the driver only")


class AddingParam:
    """The parameter of numbers: + from a zero of their type."""

    def zero(self, value: Any) -> Any:
        return type(value)()

    def addInPlace(self, left: Any, right: Any) -> Any:  # noqa: N802 - PySpark's name
        return left + right


def apply_additions(added: dict[int, tuple[Any, Any]]) -> None:
    """In the driver: add what a successful task added."""
    for accumulator_id, (_, term) in added.items():
        accumulator = _accumulators.get(accumulator_id)
        if accumulator is not None:
            accumulator.add(term)
