from __future__ import annotations

import pytest

from smackbox.base.errors import SettingError
from smackbox.election.zookeeper_url import ZooKeeperUrl


def test_what_an_url_says() -> None:
    assert ZooKeeperUrl.parse("zk://a:1,b/mesos/") == ZooKeeperUrl("a:1,b:2181", "/mesos")
    assert ZooKeeperUrl.parse("zk://me:secret@[::1]:2182/x/y") == ZooKeeperUrl("[::1]:2182", "/x/y", "me:secret")
    assert str(ZooKeeperUrl.parse("zk://me:secret@a:1/x")) == "zk://a:1/x"


@pytest.mark.parametrize("text", ["a:1/mesos", "zk://a:1", "zk://a:1/", "zk:///x", "zk://me@a:1/x", "zk://a:x/y"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingError):
        ZooKeeperUrl.parse(text)
