"""Jute: the bytes of each type, and what is no record."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.base.errors import ProtocolError
from smackbox.zookeeper.wire import jute, records
from smackbox.zookeeper.wire.codes import Code, EventType
from smackbox.zookeeper.wire.jute import Reader, Writer
from smackbox.zookeeper.wire.records import Acl, ConnectRequest, Stat


@pytest.mark.parametrize(
    ("kind", "value", "encoded"),
    [
        ("boolean", True, "01"),
        ("boolean", False, "00"),
        ("int32", -2, "fffffffe"),
        ("int64", 258, "0000000000000102"),
        ("buffer", b"ab", "000000026162"),
        ("buffer", b"", "00000000"),
        ("buffer", None, "ffffffff"),
        ("string", "\u00e9", "00000002c3a9"),
        ("strings", ["a", ""], "00000002000000016100000000"),
        ("strings", [], "00000000"),
    ],
)
def test_the_bytes_of_each_type(kind: str, value: object, encoded: str) -> None:
    data = bytes.fromhex(encoded)
    assert getattr(Writer(), kind)(value).done() == data
    reader = Reader(data)
    assert getattr(reader, kind)() == value
    assert reader.left == 0
    for cut in range(len(data)):
        with pytest.raises(ProtocolError):
            getattr(Reader(data[:cut]), kind)()
    with pytest.raises(ProtocolError, match="a record of 2 bytes ends 6 bytes early"):
        Reader(b"ab").int64()


@given(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1), st.none() | st.binary(), st.text())
def test_records_are_read_as_they_were_written(small: int, large: int, data: bytes | None, text: str) -> None:
    written = Writer().int32(small).raw(b"").int64(large).buffer(data).string(text).boolean(True).done()
    reader = Reader(written)
    assert (reader.int32(), reader.int64(), reader.buffer(), reader.string()) == (small, large, data, text)
    assert reader.left == 1


def test_raw_bytes_stand_as_they_are() -> None:
    assert Writer().boolean(True).raw(b"ab").boolean(False).done() == b"\1ab\0"


def test_null_strings_and_vectors_are_empty() -> None:
    assert Reader(b"\xff\xff\xff\xff").string() == ""
    assert Reader(b"\xff\xff\xff\xff").strings() == []


def test_lengths_that_cannot_be() -> None:
    for data, kind in ((b"\xff\xff\xff\xfe", "buffer"), (b"\0\0\0\1\xff", "string"), (b"\0\0\0\2\0", "count")):
        with pytest.raises(ProtocolError):
            getattr(Reader(data), kind)()
    assert Reader(b"\0\0\0\2\0\0").count() == 2, "an element has a byte at least"


def test_the_limit_of_a_vector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jute, "VECTOR_LIMIT", 2)
    assert Reader(b"\0\0\0\2" + bytes(9)).count() == 2
    with pytest.raises(ProtocolError):
        Reader(b"\0\0\0\3" + bytes(9)).count()


# --- the records


def test_a_connect_request_with_and_without_read_only() -> None:
    """Clients before 3.4 do not send the last byte."""
    old = Writer().int32(0).int64(9).int32(4_000).int64(7).buffer(b"pw").done()
    assert records.read_connect(old) == ConnectRequest(9, 4_000, 7, b"pw", False)
    assert records.read_connect(old + b"\1").read_only is True
    assert records.read_connect(old + b"\0").read_only is False
    assert records.read_connect(Writer().int32(0).int64(0).int32(1).int64(0).buffer(None).done()).password == b""
    with pytest.raises(ProtocolError, match="protocol version 1"):
        records.read_connect(b"\0\0\0\1" + old[4:])


def test_a_connect_response() -> None:
    made = records.connect_response(4_000, 7, b"p")
    assert made.hex() == "00000016" + "00000000" + "00000fa0" + "0000000000000007" + "00000001" + "70" + "00"


def test_a_reply_is_length_xid_zxid_error_and_record() -> None:
    made = records.reply(3, 9, Code.NO_NODE, b"xy")
    assert made.hex() == "00000012" + "00000003" + "0000000000000009" + "ffffff9b" + "7879"


def test_an_event_is_a_reply_of_xid_and_zxid_minus_one() -> None:
    made = records.event(EventType.DELETED, "/a")
    header = "0000001e" + "ffffffff" + "ffffffffffffffff" + "00000000"
    assert made.hex() == header + "00000002" + "00000003" + "00000002" + "2f61"


def test_a_stat_has_68_bytes_in_the_order_of_the_protocol() -> None:
    made = records.stat_bytes(Stat(*range(1, 12)))
    reader = Reader(made)
    kinds = ["int64", "int64", "int64", "int64", "int32", "int32", "int32", "int64", "int32", "int32", "int64"]
    assert [getattr(reader, kind)() for kind in kinds] == list(range(1, 12))
    assert (len(made), reader.left) == (68, 0)


def test_an_acl_both_ways_and_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    acl = (Acl(31, "world", "anyone"), Acl(1, "ip", "10.0.0.1"))
    written = records.write_acl(Writer(), acl).done()
    assert records.read_acl(Reader(written)) == acl
    monkeypatch.setattr(records, "ACL_LIMIT", 2)
    assert records.read_acl(Reader(written)) == acl
    monkeypatch.setattr(records, "ACL_LIMIT", 1)
    with pytest.raises(ProtocolError, match="2 entries"):
        records.read_acl(Reader(written))
