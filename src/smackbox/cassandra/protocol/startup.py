"""OPTIONS, STARTUP, REGISTER and AUTH_RESPONSE: the start of a connection."""

from __future__ import annotations

from smackbox.cassandra.execution.security import PACKAGE
from smackbox.cassandra.protocol.gate import Gate
from smackbox.cassandra.protocol.session import EVENT_TYPES, Answer, Session
from smackbox.cassandra.state.node import CQL_VERSION
from smackbox.cassandra.wire import frames, responses
from smackbox.cassandra.wire.errors import ProtocolViolation
from smackbox.cassandra.wire.requests import BodyReader

COMPRESSIONS = ("snappy", "lz4")
PROTOCOL_VERSIONS = ("3/v3", "4/v4", "5/v5", "6/v6-beta")


def options(session: Session, reader: BodyReader, version: int) -> Answer:
    """OPTIONS: what STARTUP may request."""
    del session, reader, version
    supported = {
        "PROTOCOL_VERSIONS": list(PROTOCOL_VERSIONS),
        "COMPRESSION": list(COMPRESSIONS),
        "CQL_VERSION": [CQL_VERSION],
    }
    return frames.SUPPORTED, responses.string_multimap(supported), []


def startup(session: Session, reader: BodyReader, version: int) -> Answer:
    """STARTUP: READY, or AUTHENTICATE if clients must log in. Raises `ProtocolViolation`."""
    if session.version:
        raise ProtocolViolation("Unexpected message STARTUP, the connection is already initialized")
    options = {name.upper(): value for name, value in reader.string_map().items()}
    cql_version = options.get("CQL_VERSION")
    if cql_version is None:
        raise ProtocolViolation("Missing value CQL_VERSION in STARTUP message")
    if not _is_version(cql_version) or tuple(map(int, cql_version.split(".")[:3])) < (2, 99, 0):
        raise ProtocolViolation(
            f"CQL version {cql_version} is not supported by the binary protocol (supported version are >= 3.0.0)"
        )
    compression = options.get("COMPRESSION")
    if compression is not None:
        compression = compression.lower()
        if version >= 5 and compression != "lz4":
            raise ProtocolViolation(f"Compression type {compression} is not supported in protocol version {version}")
        if compression not in COMPRESSIONS:
            raise ProtocolViolation(f"Unknown compression algorithm: {compression}")
    session.compression = compression
    session.version = version
    session.options = options
    security = session.state.security
    if security.authenticates:
        return frames.AUTHENTICATE, responses.string(PACKAGE + security.authenticator), []
    session.ready = True
    return frames.READY, b"", []


def _is_version(text: str) -> bool:
    parts = text.split(".")
    return len(parts) == 3 and all(part.isdigit() for part in parts)


def register(session: Session, reader: BodyReader, version: int) -> Answer:
    """REGISTER: the events to send. Raises `ProtocolViolation` for an unknown one."""
    del version
    event_types = reader.string_list()
    for name in event_types:
        if name.upper() not in EVENT_TYPES:
            raise ProtocolViolation(f"Invalid value '{name}' for Event.Type")
    session.events = session.events | {name.upper() for name in event_types}
    return frames.READY, b"", []


def auth_response(session: Session, reader: BodyReader, version: int) -> Answer:
    """AUTH_RESPONSE: AUTH_SUCCESS. Raises `BadCredentials`."""
    del version
    security = session.state.security
    if not security.authenticates:
        raise ProtocolViolation("Unexpected message AUTH_RESPONSE: authentication is not required")
    if not session.ready:
        session.user = security.log_in(reader.read_bytes() or b"")
        session.gate = Gate(security, session.user) if security.authorizes else None
        session.ready = True
    return frames.AUTH_SUCCESS, responses.bytes_value(None), []
