"""The listeners of one broker: the protocol of each, and its TLS."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any

from smackbox.base.errors import SettingError, StartError
from smackbox.kafka.settings import KafkaSettings
from smackbox.net.tls import server_context, subject_name

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_VERIFY = {"none": ssl.CERT_NONE, "requested": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


@dataclass(frozen=True, slots=True)
class Listener:
    """One address and its protocol."""

    protocol: str
    host: str
    port: int

    @property
    def tls(self) -> bool:
        """Whether its connections are encrypted."""
        return self.protocol.endswith("SSL")

    @property
    def sasl(self) -> bool:
        """Whether clients log in by SASL."""
        return self.protocol.startswith("SASL")


def listeners(settings: KafkaSettings) -> list[Listener]:
    """All listeners, the main one first. Raises `SettingError`."""
    all_listeners = [Listener(_protocol(settings.security_protocol), settings.host, settings.port)]
    for text in filter(None, (part.strip() for part in settings.listeners.split(","))):
        protocol, separator, address = text.partition("://")
        host, colon, port = address.rpartition(":")
        if not (separator and colon and port.isdigit()):
            raise SettingError(f"kafka: a listener is like SASL_SSL://host:port, not {text!r}")
        all_listeners.append(Listener(_protocol(protocol), host.strip("[]"), int(port)))
    return all_listeners


def tls_context(settings: KafkaSettings) -> ssl.SSLContext:
    """Raises `StartError` when the certificate is missing or unreadable."""
    if settings.ssl_certfile is None:
        raise StartError("kafka: a listener with TLS needs ssl_certfile (and ssl_keyfile, unless that holds the key)")
    return server_context(
        "kafka", settings.ssl_certfile, settings.ssl_keyfile, settings.ssl_cafile, _VERIFY[settings.ssl_client_auth]
    )


def certificate_principal(certificate: dict[str, Any] | None) -> str | None:
    """`User:CN=…,OU=…` of a client's certificate."""
    subject = subject_name(certificate)
    return None if subject is None else f"User:{subject}"


def _protocol(text: str) -> str:
    if text not in PROTOCOLS:
        raise SettingError(f"kafka: a listener speaks {', '.join(PROTOCOLS)}, not {text!r}")
    return text
