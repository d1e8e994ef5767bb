"""A Spark Connect session: on a server named by its URL, or on an embedded Sail server started on demand."""

from __future__ import annotations

import atexit
import os
import socket
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from smackbox.base.address import host_port
from smackbox.base.errors import SettingError, StartError

RETRIES = 3
DEFAULT_PORT = 15002
CONNECT_TIMEOUT_S = 5.0
SESSION_TIMEOUT_S = 365 * 24 * 3600

_embedded: Any = None
_lock = threading.Lock()


def session(url: str | None = None, app_name: str = "smackbox") -> Any:
    """A `SparkSession` on `url` (`sc://host:port`), with the data sources `kafka` and `cassandra` registered.

    None is an embedded server in this process, one for all sessions. Each call opens a session of its own.
    Raises `StartError` when the extra is not installed or nobody listens at `url`, `SettingError` for no such URL.
    """
    if url is not None:
        _check_url(url)
    with quiet():
        try:
            from smackbox.spark.front import messages  # noqa: F401 - before anything else of pyspark
            from pyspark.sql.connect.session import SparkSession  # isort: skip
        except ImportError as error:
            raise StartError(f"Spark is not installed: pip install 'smackbox[spark]' ({error})") from error
        from smackbox.spark.smack_session import SmackSession

        spark = SparkSession.Builder().remote(url or embedded_url()).appName(app_name).create()
        spark.__class__ = SmackSession
        spark._reads_local_files = url is None
        if url is None:
            # no network that could break between two ends in one process
            spark.client.disable_reattachable_execute()
        register_sources(spark)
    return spark


def _check_url(url: str) -> None:
    """pyspark by itself tries for ten minutes to reach a server that is not there."""
    address = url.removeprefix("sc://").partition("/")[0].partition(";")[0]
    if not url.startswith("sc://"):
        raise SettingError(f"{url!r} is not the URL of a Spark Connect server: sc://host:{DEFAULT_PORT}")
    try:
        socket.create_connection(host_port(address, DEFAULT_PORT), CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise StartError(
            f"no Spark Connect server answers at {url} ({error}): start one with `smack spark serve`, or leave --spark "
            "out for an embedded one"
        ) from error


def fail_soon(spark: Any) -> None:
    """Let a session report a server that is away within a second or two; pyspark by itself tries for ten minutes."""
    from pyspark.sql.connect.client.retries import DefaultPolicy

    spark.client.set_retry_policies([DefaultPolicy(max_retries=RETRIES, max_backoff=500)])


def register_sources(spark: Any) -> None:
    """Make `format("kafka")` and `format("cassandra")` known to a session.

    Spark has the name `kafka` for its own source; there ours is `smack_kafka`, which it is called everywhere as well.
    """
    from pyspark.errors import PySparkException

    from smackbox.spark.sources import SOURCES

    spark.conf.set("spark.sql.python.filterPushdown.enabled", "true")
    for source in SOURCES:
        try:
            spark.dataSource.register(source)
        except PySparkException as error:
            if "DATA_SOURCE_ALREADY_EXISTS" not in str(error):
                raise


def embedded_url() -> str:
    """The URL of this process's own server, started on a free loopback port when there is none yet."""
    global _embedded
    with _lock:
        if _embedded is None:
            _embedded = start_server("127.0.0.1", 0)
            atexit.register(stop_embedded)
        host, port = _embedded.listening_address
        return f"sc://{host}:{port}"


def stop_embedded() -> None:
    """Stop this process's own server; sessions on it are dead then."""
    global _embedded
    with _lock:
        if _embedded is not None:
            _embedded.stop()
            _embedded = None


def start_server(host: str, port: int) -> Any:
    """A Spark Connect server, listening: our front with Sail behind it (`front.server.ConnectFront`).

    Raises `StartError` when Sail is not installed or the address is taken.
    """
    try:
        from smackbox.spark.front.server import ConnectFront
    except ImportError as error:
        raise StartError(f"Spark is not installed: pip install 'smackbox[spark]' ({error})") from error
    return ConnectFront(host, port, start_sail)


def start_sail() -> Any:
    """A Sail server on a free loopback port. Raises `StartError` when it is not installed or does not start."""
    os.environ.setdefault("RUST_LOG", "error")
    # the front ends sessions; by itself, Sail forgets one with its views after some minutes without a call
    os.environ.setdefault("SAIL_SPARK__SESSION_TIMEOUT_SECS", str(SESSION_TIMEOUT_S))
    try:
        from pysail.spark import SparkConnectServer
    except ImportError as error:
        raise StartError(f"Spark is not installed: pip install 'smackbox[spark]' ({error})") from error
    server = SparkConnectServer("127.0.0.1", 0)
    try:
        server.start(background=True)
    except (OSError, RuntimeError) as error:
        raise StartError(f"Sail does not start: {error}") from error
    return server


def is_away(error: BaseException) -> bool:
    """True when a Spark error means that the server does not answer, or has lost the session by a restart."""
    with quiet():
        import grpc  # type: ignore[import-untyped, unused-ignore]
        from pyspark.errors import PySparkException
    if isinstance(error, grpc.RpcError):
        code = getattr(error, "code", lambda: None)()
        return code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
    if isinstance(error, PySparkException):
        text = str(error)
        return any(mark in text for mark in ("UNAVAILABLE", "SESSION_NOT_FOUND", "SESSION_CLOSED", "session not found"))
    return isinstance(error, ConnectionError)


@contextmanager
def quiet() -> Iterator[None]:
    """pyspark warns at its import of a pandas that it does not know yet; pandas is not used here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield
