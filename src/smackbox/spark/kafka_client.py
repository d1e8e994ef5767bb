"""Options `kafka.*` of the sources and the writer as settings of librdkafka.

Spark's are those of the Java client. Most have the same name in librdkafka; a JAAS line becomes user and password, and
what only the Java client has is passed over or refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from smackbox.base.errors import SettingError

_JAAS = "sasl.jaas.config"
_CREDENTIAL = re.compile(r"""\b(username|password)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s;]+))""")
_LOGIN = re.compile(r"\b(Plain|Scram)LoginModule\b")
_JAVA_ONLY = frozenset(
    {
        "max.poll.records",
        "receive.buffer.bytes",
        "send.buffer.bytes",
        "buffer.memory",
        "max.block.ms",
        "metric.reporters",
    }
)
"""Buffers of the Java client, which change no result."""
_BY_SPARK = ("key.deserializer", "value.deserializer", "key.serializer", "value.serializer", "auto.offset.reset",
             "enable.auto.commit", "interceptor.classes")  # fmt: skip
"""What Spark refuses as well, for it decides them itself."""
_STORES = ("ssl.truststore", "ssl.keystore")


def client_settings(options: Mapping[str, str]) -> dict[str, Any]:
    """Of options by their name in lower case without `kafka.`. Raises `SettingError` for what cannot be."""
    found: dict[str, Any] = {}
    for name, value in options.items():
        if name in _BY_SPARK:
            raise SettingError(f"the kafka source decides kafka.{name} itself, as Spark's own: leave it out")
        if name.startswith(_STORES) and not name.endswith(".type"):
            raise SettingError(
                f"kafka.{name} is a Java key store: give PEM files as kafka.ssl.ca.location and the like"
            )
        if name == _JAAS:
            found |= _jaas(value)
        elif name not in _JAVA_ONLY and not name.startswith(_STORES):
            found[name] = value
    return found


def _jaas(line: str) -> dict[str, str]:
    """User and password of `…PlainLoginModule required username="u" password="p";`."""
    given = {match[1]: match[2] or match[3] or match[4] or "" for match in _CREDENTIAL.finditer(line)}
    if not _LOGIN.search(line) or given.keys() != {"username", "password"}:
        raise SettingError(
            "kafka.sasl.jaas.config is read for PlainLoginModule and ScramLoginModule with username and password: "
            "give kafka.sasl.username and kafka.sasl.password"
        )
    return {f"sasl.{name}": re.sub(r"\\(.)", r"\1", value) for name, value in given.items()}
