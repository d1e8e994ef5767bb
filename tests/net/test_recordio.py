"""Records are cut out of a stream however it is delivered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.base.errors import ProtocolError
from smackbox.net.recordio import RecordDecoder, encode


def test_the_bytes_of_a_record() -> None:
    assert encode(b'{"type":"HEARTBEAT"}') == b'20\n{"type":"HEARTBEAT"}'


@given(st.lists(st.binary(max_size=50)), st.integers(1, 7))
def test_records_come_back_in_pieces_of_any_size(records: list[bytes], size: int) -> None:
    stream = b"".join(map(encode, records))
    decoder = RecordDecoder()
    found = [one for at in range(0, len(stream), size) for one in decoder.feed(stream[at : at + size])]
    assert found == records


@pytest.mark.parametrize("stream", [b"x\n", b"-1\n", b"\n", b" 1\na", b"1" * 30, b"99999999999\n"])
def test_what_is_no_length_is_refused(stream: bytes) -> None:
    with pytest.raises(ProtocolError):
        RecordDecoder().feed(stream)
