"""Authentication of operators and executors, and of the agent with the master: secret files, executor tokens, TLS."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from smackbox.base.errors import SettingError, StartError
from smackbox.mesos.agent.handlers.context import EXECUTORS, OPERATORS
from smackbox.mesos.agent.settings import MesosAgentSettings
from smackbox.mesos.agent.state.checkpoints import Checkpoints
from smackbox.mesos.http.access import Access
from smackbox.net.http import basic_authorization
from smackbox.net.listener import is_loopback
from smackbox.net.tls import client_context, server_context

T = TypeVar("T")
KEY_FILE = "executor_key"
KEY_BYTES = 32


class _Credential(msgspec.Struct):
    principal: str
    secret: str


class _Credentials(msgspec.Struct):
    credentials: list[_Credential]


def make_access(settings: MesosAgentSettings) -> Access:
    """The access rules. Operators authenticate if `http_credentials` is set. Executors have tokens if configured, and
    by default beyond loopback. Raises `SettingError`.
    """
    paths = set()
    known: dict[str, str] = {}
    if settings.http_credentials is not None:
        read = _read(settings.http_credentials, _Credentials)
        known = {credential.principal: credential.secret for credential in read.credentials}
        paths.add(OPERATORS)
        if not is_loopback(settings.host):
            paths.add(EXECUTORS)
    if settings.authenticate_http_executors:
        paths.add(EXECUTORS)
    return Access(known, frozenset(paths), equal=hmac.compare_digest)


def master_headers(settings: MesosAgentSettings) -> dict[str, str]:
    """The headers with which the agent authenticates. Raises `SettingError`."""
    if settings.credential is None:
        return {}
    own = _read(settings.credential, _Credential)
    return {"Authorization": basic_authorization(own.principal, own.secret)}


def executor_tokens(checkpoints: Checkpoints) -> Callable[[str, str], str]:
    """The token of an executor, derived from its framework's id and its own, so that it stays valid across agent
    restarts.
    """
    saved = checkpoints.read(KEY_FILE)
    if saved is None:
        saved = secrets.token_hex(KEY_BYTES)
        checkpoints.write(KEY_FILE, saved, private=True)
    key = bytes.fromhex(saved)

    def token(framework_id: str, executor_id: str) -> str:
        digest = hmac.digest(key, f"{framework_id}\0{executor_id}".encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    return token


def own_tls(settings: MesosAgentSettings, name: str) -> ssl.SSLContext | None:
    """The agent's own TLS context. Raises `StartError`."""
    if settings.ssl_cert_file is None:
        return None
    return server_context(name, settings.ssl_cert_file, settings.ssl_key_file, None, ssl.CERT_NONE)


def master_tls(settings: MesosAgentSettings) -> ssl.SSLContext | None:
    """The TLS context for the master: the configured authority, or None for the system's. Raises `StartError`."""
    if settings.ssl_ca_file is None:
        return None
    context = client_context("mesos-agent", settings.ssl_ca_file)
    if settings.ssl_cert_file is not None:
        try:
            context.load_cert_chain(settings.ssl_cert_file, settings.ssl_key_file)
        except (OSError, ssl.SSLError) as error:
            raise StartError(f"mesos-agent cannot read its TLS certificates: {error}") from error
    return context


def _read(path: Path, kind: type[T]) -> T:
    file = Path(str(path).removeprefix("file://").removeprefix("file:"))
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except OSError as error:
        raise SettingError(f"mesos_agent: cannot read {file}: {error.strerror}") from error
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise SettingError(f"mesos_agent: {file}: {error}") from error
