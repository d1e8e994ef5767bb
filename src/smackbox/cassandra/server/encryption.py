"""TLS between clients and server: the certificate of the server, and whether clients must present one."""

from __future__ import annotations

import ssl

from smackbox.base.errors import StartError
from smackbox.cassandra.settings import CassandraSettings
from smackbox.net.tls import server_context

_VERIFY = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


def tls_context(settings: CassandraSettings) -> ssl.SSLContext | None:
    """The TLS context; None without a certificate: clients connect without TLS.

    Raises `StartError` for inconsistent settings and unreadable files.
    """
    certfile = settings.client_encryption_certfile
    wants_certificates = settings.client_encryption_client_auth != "none"
    if certfile is None:
        files = (settings.client_encryption_keyfile, settings.client_encryption_cafile)
        if wants_certificates or any(file is not None for file in files):
            raise StartError("cassandra: TLS needs client_encryption_certfile")
        return None
    if wants_certificates and settings.client_encryption_cafile is None:
        raise StartError(
            "cassandra: certificates of clients are verified with client_encryption_cafile, which is not set"
        )
    return server_context(
        "cassandra",
        certfile,
        settings.client_encryption_keyfile,
        settings.client_encryption_cafile,
        _VERIFY[settings.client_encryption_client_auth],
    )


def probe_context() -> ssl.SSLContext:
    """The context of the server's own probe, which needs no verification."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
