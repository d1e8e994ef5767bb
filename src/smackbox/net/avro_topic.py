"""A topic whose values are Avro in Confluent's wire format: a zero byte, the schema's id (4 bytes), Avro's bytes.

The schema is registered as `TOPIC-value` at a schema registry, which checks that it is compatible; the schemas of
records that others wrote are fetched by their ids, once each.
"""

from __future__ import annotations

import http.client
import io
import struct
import urllib.error
import urllib.parse
import urllib.request
from http import HTTPStatus
from importlib.util import find_spec
from typing import Any

import msgspec

from smackbox.base.avro_events import AvroEvents, avro_schema
from smackbox.base.errors import StartError

CALL_TIMEOUT_S = 30.0
SCHEMA_NOT_FOUND = 40403
CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
_HEAD = struct.Struct(">bI")


class AvroTopic:
    """Values of the topic `name` as events of one type. Raises `StartError` where `fastavro` is not installed."""

    def __init__(self, registry: str, name: str, event: type[msgspec.Struct]) -> None:
        if find_spec("fastavro") is None:
            raise StartError(f"topic {name} is in Avro, which needs: pip install 'smackbox[registry]'")
        if not registry.startswith(("http://", "https://")):
            raise StartError(f"a schema registry is named by its URL, http://host:port, not {registry}")
        self._registry = registry.rstrip("/")
        self._name = name
        self._schema = msgspec.json.encode(avro_schema(event)).decode()
        self._events: AvroEvents[Any] = AvroEvents(event)
        self._head = b""
        self._schemas: dict[int, str] = {}

    def register(self) -> None:
        """Register the schema. Raises `StartError` where it is incompatible or no registry answers."""
        subject = urllib.parse.quote(f"{self._name}-value", safe="")
        try:
            answered = self._call(f"/subjects/{subject}/versions", {"schema": self._schema})
        except urllib.error.HTTPError as error:
            raise StartError(
                f"topic {self._name}: {_text(_refusal(error), error)}; see {self._registry}/subjects/{subject}"
            ) from error
        except OSError as error:
            raise StartError(
                f"topic {self._name}: no schema registry answers at {self._registry} ({error}): start one with "
                "`smack up --registry`, or say where it is (--schema-registry http://host:port)"
            ) from error
        self._head = _HEAD.pack(0, answered["id"])

    def encode(self, event: Any) -> bytes:
        """A value of the topic; after `register`."""
        assert self._head, "the schema is registered first"
        into = io.BytesIO()
        into.write(self._head)
        self._events.encode(event, into)
        return into.getvalue()

    def decode(self, value: bytes) -> Any:
        """The event of a value. Raises `ValueError` for other bytes, `OSError` where no registry answers."""
        if len(value) < _HEAD.size or value[0] != 0:
            raise ValueError("not in Confluent's wire format: it begins with a zero byte and a schema's id")
        _, schema_id = _HEAD.unpack_from(value)
        schema = self._schemas.get(schema_id)
        if schema is None:
            try:
                schema = self._call(f"/schemas/ids/{schema_id}?format=resolved").get("schema")
            except urllib.error.HTTPError as error:
                if error.code != HTTPStatus.NOT_FOUND:
                    raise
                refusal = _refusal(error)
                if refusal.get("error_code") != SCHEMA_NOT_FOUND:
                    raise OSError(f"{self._registry} is no schema registry: {_text(refusal, error)}") from error
                raise ValueError(f"schema {schema_id}: {_text(refusal, error)}") from error
            if not isinstance(schema, str):
                raise OSError(f"{self._registry} answers without a schema")
            self._schemas[schema_id] = schema
        data = io.BytesIO(value)
        data.seek(_HEAD.size)
        return self._events.decode(data, schema)

    def _call(self, path: str, body: Any = None) -> Any:
        data = None if body is None else msgspec.json.encode(body)
        request = urllib.request.Request(self._registry + path, data, {"Content-Type": CONTENT_TYPE})  # noqa: S310
        # a broken answer is the registry's fault, and says nothing about a record
        try:
            with urllib.request.urlopen(request, timeout=CALL_TIMEOUT_S) as response:  # noqa: S310
                return msgspec.json.decode(response.read(), type=dict)
        except (http.client.HTTPException, msgspec.DecodeError) as error:
            raise OSError(f"the answer of {self._registry} cannot be read: {error!r}") from error


def _refusal(error: urllib.error.HTTPError) -> dict[str, Any]:
    """What a registry says with its status; empty for another server's words."""
    with error:
        try:
            return msgspec.json.decode(error.read(), type=dict)
        except (msgspec.DecodeError, http.client.HTTPException):
            return {}


def _text(refusal: dict[str, Any], error: urllib.error.HTTPError) -> str:
    return str(refusal.get("message", f"HTTP {error.code}"))
