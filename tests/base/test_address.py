from __future__ import annotations

import pytest

from smackbox.base.address import host_port, nodes_on_one_port
from smackbox.base.errors import SettingError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost", ("localhost", 9042)),
        (" db.example:1 ", ("db.example", 1)),
        ("127.0.0.1:65535", ("127.0.0.1", 65535)),
        ("[::1]", ("::1", 9042)),
        ("[::1]:9000", ("::1", 9000)),
    ],
)
def test_a_host_with_or_without_its_port(text: str, address: tuple[str, int]) -> None:
    assert host_port(text, 9042) == address


@pytest.mark.parametrize("text", ["", ":", ":9042", "host:", "host:x", "host:0", "host:65536", "::1", "::1:9042", "[]"])
def test_what_is_no_address_is_an_error_that_shows_one(text: str) -> None:
    with pytest.raises(SettingError, match="9042"):
        host_port(text, 9042)


def test_several_nodes_have_one_port() -> None:
    assert nodes_on_one_port("a,b:9042", 9042) == (["a", "b"], 9042)
    with pytest.raises(SettingError, match="same port"):
        nodes_on_one_port("a:1,b:2", 9042)
