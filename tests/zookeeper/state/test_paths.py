"""Paths, as `PathUtils.validatePath` takes them."""

from __future__ import annotations

import pytest

from smackbox.zookeeper.state.errors import ZooKeeperError
from smackbox.zookeeper.state.paths import check_path
from smackbox.zookeeper.wire.codes import Code


@pytest.mark.parametrize("path", ["/", "/a", "/a/b.c", "/...", "/a b", "/~", "/\xa0", "/\ud7ff", "/\uf900", "/\uffef"])
def test_paths(path: str) -> None:
    assert check_path(path) == path


@pytest.mark.parametrize(
    "path",
    ["", "a", "/a/", "//", "/a//b", "/.", "/..", "/a/./b", "/a/../b", "/\0", "/\x1f", "/\x7f", "/\x9f", "/\ue000",
     "/\uf8ff", "/\ufff0", "/\uffff", "/\ud800", "/\U00010000", "/\U0001f600", "/\U0010ffff"],
)  # fmt: skip
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(ZooKeeperError) as raised:
        check_path(path)
    assert raised.value.code == Code.BAD_ARGUMENTS
