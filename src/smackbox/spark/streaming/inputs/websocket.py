"""Messages of a WebSocket, an event each, by the client of `websockets`. Messages that wait for a batch are lost with
the process, for a WebSocket cannot be asked again. When the peer closes, or is not there yet, it is connected again.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from typing import Any

from smackbox.base.errors import StartError
from smackbox.base.shown_url import without_secrets
from smackbox.spark.streaming.inputs.pushed import CONNECT_TIMEOUT_S, EVENT_BYTES, PushedInput

log = logging.getLogger(__name__)


class WebSocketInput(PushedInput):
    """One connection. `subscribe` is sent when it opens. Raises `StartError` without `websockets`."""

    def __init__(self, name: str, url: str, headers: Mapping[str, str], subscribe: str | None = None) -> None:
        super().__init__(name, without_secrets(url))
        try:
            from websockets.sync.client import connect
        except ImportError as error:
            raise StartError("a WebSocket source needs websockets: pip install 'smackbox[websocket]'") from error
        self._connect = connect
        self._url = url
        self._headers = dict(headers)
        self._subscribe = subscribe
        self._connection: Any = None
        self._failure = ""

    def _read(self) -> None:
        from websockets.exceptions import WebSocketException

        try:
            with self._connect(
                self._url,
                additional_headers=self._headers,
                max_size=EVENT_BYTES,
                open_timeout=CONNECT_TIMEOUT_S,
                close_timeout=CONNECT_TIMEOUT_S,
            ) as connection:
                self._connection = connection
                self._failure = ""
                if self._stopping.is_set():
                    return  # `_disconnect` came before there was a connection
                if self._subscribe is not None:
                    connection.send(self._subscribe)
                for message in connection:
                    if self._stopping.is_set():
                        return
                    self._push(message.encode() if isinstance(message, str) else message)
        except (OSError, WebSocketException) as error:
            if str(error) != self._failure:
                log.warning("the WebSocket %s is tried again: %s", self._part, error)
            self._failure = str(error)
        finally:
            self._connection = None

    def _disconnect(self) -> None:
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()
