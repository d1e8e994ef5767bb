"""DIGEST-MD5: the exchange of RFC 2831 word for word, and what is refused."""

from __future__ import annotations

import pytest

from smackbox.zookeeper.state.digest_login import REALM, DigestLogin, LoginFailed, _proof

NONCE = "OA6MG9tEQGm2hh"


def response(**changes: str) -> bytes:
    said = {
        "username": "chris", "realm": REALM, "nonce": NONCE, "nc": "00000001", "cnonce": "OA6MHXh6VqTrRk",
        "qop": "auth", "digest-uri": "zookeeper/zk-sasl-md5",
    } | {name.replace("_", "-"): value for name, value in changes.items() if name != "password"}  # fmt: skip
    proof = _proof("AUTHENTICATE:", said, said["username"], changes.get("password", "secret")).decode()
    quoted = ",".join(f'{name}="{value}"' for name, value in said.items() if name not in {"nc", "qop"})
    return f"{quoted},nc={said['nc']},qop={said['qop']},response={proof}".encode()


def login(token: bytes) -> DigestLogin:
    made = DigestLogin({"chris": "secret"}, NONCE)
    made.step(b"")
    made.step(token)
    return made


def test_the_example_of_the_rfc() -> None:
    said = {
        "realm": "elwood.innosoft.com", "nonce": "OA6MG9tEQGm2hh", "nc": "00000001", "cnonce": "OA6MHXh6VqTrRk",
        "qop": "auth", "digest-uri": "imap/elwood.innosoft.com",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("smackbox.zookeeper.state.digest_login.REALM", "elwood.innosoft.com")
        assert _proof("AUTHENTICATE:", said, "chris", "secret") == b"d388dad90d4bbd760a152321f2143af7"
        assert _proof(":", said, "chris", "secret") == b"ea40f60335c427b5527b84dbabcdfffd"


def test_a_right_response_logs_in() -> None:
    assert login(response()).user == "chris"
    assert login(response(authzid="chris")).user == "chris"


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "wrong"},
        {"username": "nobody"},
        {"nonce": "another"},
        {"nc": "00000002"},
        {"realm": "elsewhere"},
        {"qop": "auth-conf"},
        {"digest_uri": "imap/zk-sasl-md5"},
        {"cnonce": ""},
        {"authzid": "root"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_anything_else_fails(changes: dict[str, str]) -> None:
    with pytest.raises(LoginFailed):
        login(response(**changes))


def test_a_login_is_not_used_twice() -> None:
    done = login(response())
    with pytest.raises(LoginFailed):
        done.step(response())
