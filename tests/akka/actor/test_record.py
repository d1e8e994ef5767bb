"""Records: fields, defaults, equality, hash, patterns, pickling, and that they do not change."""

from __future__ import annotations

import pickle

import pytest

from smackbox.akka.actor.record import record


@record
class Point:
    x: int
    y: int = 0


@record
class Named(Point):
    name: str = "origin"


@record
class Nothing: ...


def test_fields_come_in_order_and_have_defaults() -> None:
    point = Named(1, name="a")
    assert (point.x, point.y, point.name) == (1, 0, "a")
    assert repr(point) == "Named(x=1, y=0, name='a')"
    with pytest.raises(TypeError, match="x"):
        Point()  # type: ignore[call-arg]


def test_equal_fields_of_one_class_are_equal() -> None:
    assert Point(1) == Point(1, 0) and hash(Point(1)) == hash(Point(1, 0))
    assert Point(1) != Point(2)
    assert Point(1) != Named(1)
    assert Named(1) != Point(1)
    assert Nothing() == Nothing()


def test_a_record_does_not_change_and_takes_no_other_name() -> None:
    point = Point(1)
    with pytest.raises(AttributeError, match="cannot be changed"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError, match="cannot be deleted"):
        del point.x
    assert not hasattr(point, "__dict__")


def test_match_and_pickle() -> None:
    match Named(1, 2, "a"):
        case Named(x, y, name):
            assert (x, y, name) == (1, 2, "a")
    assert pickle.loads(pickle.dumps(Named(1, 2, "b"))) == Named(1, 2, "b")
