"""Integers and decimals of thousands of digits: stored, added up, cast and shown."""

from __future__ import annotations

from decimal import Decimal

from cassandra.cluster import Session

DIGITS = "7" * 5000


def test_thousands_of_digits(session: Session) -> None:
    session.execute("CREATE TABLE n (k int PRIMARY KEY, d decimal, v varint)")
    session.execute(f"INSERT INTO n (k, d, v) VALUES (1, 0.{DIGITS}, {DIGITS})")
    assert session.execute("SELECT cast(v AS text) FROM n").one()[0] == DIGITS
    assert session.execute("SELECT cast(d AS text) FROM n").one()[0] == f"0.{DIGITS}"
    assert session.execute("SELECT JSON v FROM n").one()[0] == f'{{"v": {DIGITS}}}'
    number = int(Decimal(DIGITS))
    assert session.execute("SELECT v + 1 FROM n").one()[0] == number + 1
    assert session.execute("SELECT v * v FROM n").one()[0] == number * number
    assert session.execute(f"SELECT k + {DIGITS} FROM n").one()[0] == number + 1
    assert session.execute(f"SELECT k FROM n WHERE v = {DIGITS} ALLOW FILTERING").one()[0] == 1
    assert session.execute(f"SELECT k FROM n WHERE d = 0.{DIGITS} ALLOW FILTERING").one()[0] == 1
