"""TLS contexts: a server's certificate and the authority for its clients, and the authorities that a client trusts."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from smackbox.base.errors import StartError

_SHORT_NAMES = {
    "commonName": "CN",
    "organizationalUnitName": "OU",
    "organizationName": "O",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "countryName": "C",
    "domainComponent": "DC",
    "userId": "UID",
    "streetAddress": "STREET",
}


def server_context(
    name: str, certfile: Path, keyfile: Path | None, cafile: Path | None, verify_mode: ssl.VerifyMode
) -> ssl.SSLContext:
    """A server's TLS context. Raises `StartError`, with `name` in its text, when a file is unreadable."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certfile, keyfile)
        if cafile is not None:
            context.load_verify_locations(cafile)
    except (OSError, ssl.SSLError) as error:
        raise StartError(f"{name} cannot read its TLS certificates: {error}") from error
    context.verify_mode = verify_mode
    return context


def client_context(name: str, cafile: Path) -> ssl.SSLContext:
    """A client's context that trusts this authority. Raises `StartError`, with `name` in its text, when it is
    unreadable.
    """
    try:
        return ssl.create_default_context(cafile=str(cafile))
    except (OSError, ssl.SSLError) as error:
        raise StartError(f"{name} cannot read its TLS authority {cafile}: {error}") from error


def unverified() -> ssl.SSLContext:
    """A context without verification: for a server's own probe, and for health checks, which test liveness rather than
    identity.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def subject_name(certificate: dict[str, Any] | None) -> str | None:
    """The subject of a client's certificate in RFC 2253 form, the last part first: `CN=…,OU=…`."""
    if not certificate:
        return None
    names = [
        f"{_SHORT_NAMES.get(key, key)}={_escape(value)}"
        for part in reversed(certificate.get("subject", ()))
        for key, value in part
    ]
    return ",".join(names)


def _escape(value: str) -> str:
    escaped = "".join("\\" + character if character in ',+"\\<>;' else character for character in value)
    return "\\" + escaped if escaped.startswith(("#", " ")) else escaped
