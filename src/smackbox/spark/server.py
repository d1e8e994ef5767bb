"""The Spark Connect server of `smack spark serve`: Sail, in the process that runs it."""

from __future__ import annotations

import asyncio
from typing import Any

from smackbox.base.errors import StartError
from smackbox.net.listener import bind
from smackbox.net.service import Server
from smackbox.spark.connect import start_server
from smackbox.spark.settings import SparkSettings

PROBE_TIMEOUT_S = 10.0
PROBE_SESSION = b"00000000-0000-4000-8000-000000000000"
ASK_VERSION = b"\x0a\x24" + PROBE_SESSION + b"\x52\x00"
"""`AnalyzePlanRequest` of `spark/connect/base.proto`: session_id (1) and an empty spark_version (10)."""


class SparkServer(Server["RunningSparkServer"]):
    """A Spark Connect server from its settings."""

    name = "spark"

    def __init__(self, settings: SparkSettings) -> None:
        super().__init__()
        self._settings = settings

    async def open(self) -> RunningSparkServer:
        """Raises `StartError` when Sail is not installed or the address is taken."""
        settings = self._settings
        # Sail binds for itself; asking for the socket first gives one clear error, and keeps the rule about loopback
        bind(settings.host, settings.port, name=self.name, insecure=settings.insecure).close()
        return RunningSparkServer(settings.host, await asyncio.to_thread(start_server, settings.host, settings.port))


class RunningSparkServer:
    """The front and Sail, listening."""

    def __init__(self, host: str, front: Any) -> None:
        self.front = front
        _, port = front.listening_address
        self.url = f"sc://{host}:{port}"

    async def probe(self) -> None:
        """Ask for Spark's version, as a client does first."""
        await asyncio.to_thread(_ask_version, self.url)

    async def stop(self) -> None:
        """End all sessions and stop."""
        await asyncio.to_thread(self.front.stop)


def _ask_version(url: str) -> None:
    """One AnalyzePlan call by hand: importing pyspark for it would cost a second and 80 MB."""
    import grpc  # type: ignore[import-untyped, unused-ignore]

    with grpc.insecure_channel(url.removeprefix("sc://")) as channel:
        call = channel.unary_unary("/spark.connect.SparkConnectService/AnalyzePlan")
        try:
            answer = call(ASK_VERSION, timeout=PROBE_TIMEOUT_S, wait_for_ready=True)
        except grpc.RpcError as error:
            raise StartError(f"{url} does not answer Spark Connect: {error}") from error
    if PROBE_SESSION not in answer:
        raise StartError(f"{url} answers Spark Connect with something else: {answer[:80]!r}")
