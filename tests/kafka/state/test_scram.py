"""SCRAM: the exchange of RFC 7677, section 3, and everything that ends one (RFC 5802)."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from smackbox.kafka.state.scram import (
    MAX_ITERATIONS,
    MECHANISM_TYPES,
    MIN_ITERATIONS,
    ClientFirst,
    ScramCredential,
    ScramError,
    ScramExchange,
)

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
SERVER_NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
FINAL = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
CREDENTIAL = ScramCredential.from_password("SCRAM-SHA-256", "pencil", SALT, 4096)


def exchange(first: bytes = FIRST) -> ScramExchange:
    return ScramExchange("SCRAM-SHA-256", ClientFirst(first), CREDENTIAL, SERVER_NONCE)


def test_the_exchange_of_the_rfc() -> None:
    ours = exchange()
    assert ours.user == "user"
    assert ours.server_first == (
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    )
    assert ours.final(FINAL) == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_an_exchange_of_sha_512() -> None:
    credential = ScramCredential.from_password("SCRAM-SHA-512", "pencil", SALT, 4096)
    first = ClientFirst(FIRST)
    ours = ScramExchange("SCRAM-SHA-512", first, credential, SERVER_NONCE)
    salted = hashlib.pbkdf2_hmac("sha512", b"pencil", SALT, 4096)
    key = hmac.digest(salted, b"Client Key", "sha512")
    without = f"c=biws,r=rOprNGfwEbeRWgbNEkqO{SERVER_NONCE}".encode()
    auth = b",".join((first.bare.encode(), ours.server_first, without))
    signature = hmac.digest(hashlib.sha512(key).digest(), auth, "sha512")
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True)))
    server_key = hmac.digest(salted, b"Server Key", "sha512")
    expected = b"v=" + base64.b64encode(hmac.digest(server_key, auth, "sha512"))
    assert ours.final(without + b",p=" + proof) == expected


@pytest.mark.parametrize(
    ("sent", "instead", "reason"),
    [
        (b"p=dHzb", b"p=dHzc", "wrong password"),
        (b"AndVQ=", b"", "base64|length"),
        (b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", b"p=dHzb", "length"),
        (b"p=d", b"p=!", "base64"),
        (b"c=biws", b"c=eSws", "channel binding"),
        (b"FIlj)", b"FIlk)", "this exchange"),
        (b"r=rOprNGfwEbeRWgbNEkqO%", b"r=%", "this exchange"),
        (b",p=", b",q=", "this exchange"),
        (b"p=d", b"p=!!!!d", "base64"),
        (b"c=biws", b"c=\xff", "UTF-8"),
    ],
)
def test_finals_that_end_the_exchange(sent: bytes, instead: bytes, reason: str) -> None:
    assert sent in FINAL
    with pytest.raises(ScramError, match=reason):
        exchange().final(FINAL.replace(sent, instead))


@pytest.mark.parametrize(
    "message", [b"", b"n,,", b"y,,n=user,r=abc", b"p=x,,n=user,r=abc", b"n,,n=,r=abc", b"n,,n=user,r=", b"n,,r=a,n=u"]
)
def test_messages_that_are_no_client_first(message: bytes) -> None:
    with pytest.raises(ScramError):
        ClientFirst(message)


def test_a_client_acts_as_itself_alone() -> None:
    assert ClientFirst(b"n,a=user,n=user,r=abc").gs2 == "n,a=user,"
    with pytest.raises(ScramError, match="act as another"):
        ClientFirst(b"n,a=root,n=user,r=abc")


def test_names_with_commas_and_equals_signs() -> None:
    assert ClientFirst(b"n,,n=a=2Cb=3Dc,r=abc").user == "a,b=c"


def test_a_user_without_a_credential() -> None:
    with pytest.raises(ScramError, match="no credential"):
        ScramExchange("SCRAM-SHA-256", ClientFirst(FIRST), None, SERVER_NONCE)


def test_extensions_are_part_of_what_is_proved() -> None:
    """Kafka's clients send `tokenauth=true` behind the nonce."""
    first = ClientFirst(FIRST + b",tokenauth=true")
    assert (first.nonce, first.bare) == ("rOprNGfwEbeRWgbNEkqO", "n=user,r=rOprNGfwEbeRWgbNEkqO,tokenauth=true")
    with pytest.raises(ScramError, match="wrong password"):
        exchange(FIRST + b",tokenauth=true").final(FINAL)


def test_the_numbers_of_the_protocol() -> None:
    """`ScramMechanism`: KIP-554."""
    assert MECHANISM_TYPES == {1: "SCRAM-SHA-256", 2: "SCRAM-SHA-512"}
    assert (MIN_ITERATIONS, MAX_ITERATIONS) == (4096, 16384)
