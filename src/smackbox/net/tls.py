"""TLS of a server: its certificate, and the authority that clients' certificates are verified with."""

from __future__ import annotations

import ssl
from pathlib import Path

from smackbox.base.errors import StartError


def server_context(
    name: str, certfile: Path, keyfile: Path | None, cafile: Path | None, verify_mode: ssl.VerifyMode
) -> ssl.SSLContext:
    """Raises `StartError`, in the words of server `name`, when a file cannot be read."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certfile, keyfile)
        if cafile is not None:
            context.load_verify_locations(cafile)
    except (OSError, ssl.SSLError) as error:
        raise StartError(f"{name} cannot read its TLS certificates: {error}") from error
    context.verify_mode = verify_mode
    return context
