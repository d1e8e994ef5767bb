"""A real Apache Cassandra to compare with: installed from its Maven jars, started on free ports, stopped and removed.

One node on loopback. The jars go to `.cache/real/cassandra-VERSION` once; each run has its data in a directory of its
own. Needs Java 17 (Cassandra 5 does not start on a newer one) and Maven. What makes a lone node wait for others is
switched off, as every test cluster does; memory and storage settings are those that Cassandra ships with, and a heap of
1 GB. Materialized views are switched on.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import ssl
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from bench.engines.java import free_ports, java, java_version
from smackbox.base.errors import ProtocolError
from smackbox.cassandra.server.probe import probe

VERSION = "5.0.6"
COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "real"
JAVA_VERSIONS = (11, 17)
INSTALL_ATTEMPTS = 3
START_LIMIT_S = 180.0
STOP_LIMIT_S = 60.0
HEAP = ("-Xms1G", "-Xmx1G")

_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>smackbox</groupId><artifactId>real-cassandra</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.cassandra</groupId><artifactId>cassandra-all</artifactId><version>{version}</version>
    </dependency>
  </dependencies>
</project>
"""

_LOGBACK = """<configuration scan="false">
  <appender name="C" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%-5level %date{{ISO8601}} %logger{{0}}: %msg%n</pattern></encoder></appender>
  <root level="INFO"><appender-ref ref="C"/></root>
</configuration>
"""

# what Cassandra needs of the Java module system: the lists of its jvm17-server.options
_EXPORTS = (
    "java.base/jdk.internal.misc", "java.base/jdk.internal.ref", "java.base/sun.nio.ch", "java.base/java.lang.ref",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi", "java.rmi/sun.rmi.registry", "java.rmi/sun.rmi.server",
    "java.rmi/sun.rmi.transport.tcp", "java.sql/java.sql", "jdk.unsupported/sun.misc", "jdk.attach/sun.tools.attach",
    "jdk.compiler/com.sun.tools.javac.file",
)  # fmt: skip
_OPENS = (
    "jdk.compiler/com.sun.tools.javac", "java.base/java.lang.module", "java.base/jdk.internal.loader",
    "java.base/jdk.internal.ref", "java.base/jdk.internal.reflect", "java.base/jdk.internal.math",
    "java.base/jdk.internal.module", "java.base/jdk.internal.util.jar", "jdk.management/com.sun.management.internal",
    "java.base/sun.nio.ch", "java.base/java.io", "java.base/java.nio", "java.base/java.util.concurrent",
    "java.base/java.util", "java.base/java.util.concurrent.atomic", "java.base/java.lang", "java.base/java.math",
    "java.base/java.lang.reflect", "java.base/java.net", "java.rmi/sun.rmi.transport.tcp",
)  # fmt: skip
_JVM = (
    "-Djdk.attach.allowAttachSelf=true", "-XX:+UseThreadPriorities", "-Xss256k", "-XX:+UseTLAB", "-XX:+ResizeTLAB",
    "-XX:+PerfDisableSharedMem", "-Djava.net.preferIPv4Stack=true", "-XX:+UseG1GC", "-XX:+ParallelRefProcEnabled",
    "-XX:MaxTenuringThreshold=1", "-XX:G1RSetUpdatingPauseTimePercent=5", "-XX:MaxGCPauseMillis=300",
    "-XX:InitiatingHeapOccupancyPercent=70", "-XX:+ExitOnOutOfMemoryError",
    "-Dio.netty.tryReflectionSetAccessible=true", "-Dio.netty.allocator.useCacheForAllThreads=true",
    "-Dio.netty.allocator.maxOrder=11",
)  # fmt: skip
# a lone node need not wait for a ring
_ALONE = (
    "-Dcassandra.skip_wait_for_gossip_to_settle=0",
    "-Dcassandra.ring_delay_ms=1000",
    "-Dcassandra.superuser_setup_delay_ms=0",
    "-Dcassandra-foreground=yes",
)

_SETTINGS = {
    "cluster_name": "smackbox",
    "num_tokens": "16",
    "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
    "commitlog_sync": "periodic",
    "commitlog_sync_period": "10000ms",
    "concurrent_reads": "32",
    "concurrent_writes": "32",
    "concurrent_counter_writes": "32",
    "listen_address": "127.0.0.1",
    "rpc_address": "127.0.0.1",
    "start_native_transport": "true",
    "endpoint_snitch": "SimpleSnitch",
    "authenticator": "AllowAllAuthenticator",
    "authorizer": "AllowAllAuthorizer",
    "auto_snapshot": "false",
    "materialized_views_enabled": "true",
}


def missing() -> str | None:
    """Why a real Cassandra cannot run here, in one line; None when it can."""
    if java() is None:
        return "there is no java (17 is needed)"
    if not installed() and shutil.which("mvn") is None:
        return "there is no mvn to fetch Cassandra's jars with"
    version = java_version()
    if version not in JAVA_VERSIONS:
        return f"Cassandra {VERSION} runs on Java 11 or 17, this one is {version}"
    return None


def home(version: str = VERSION) -> Path:
    return CACHE / f"cassandra-{version}"


def installed(version: str = VERSION) -> bool:
    return (home(version) / "installed.json").exists()


def install(version: str = VERSION) -> Path:
    """The directory of the jars, fetched when they are not there. Raises `RuntimeError` with Maven's last words."""
    directory = home(version)
    if installed(version):
        return directory
    jars = directory / "libs"
    shutil.rmtree(jars, ignore_errors=True)
    jars.mkdir(parents=True)
    pom = directory / "pom.xml"
    pom.write_text(_POM.format(version=version))
    command = ["mvn", "-B", "-q", "-f", str(pom), COPY_DEPENDENCIES, "-DincludeScope=runtime"]
    started = time.monotonic()
    for _ in range(INSTALL_ATTEMPTS):
        done = subprocess.run([*command, f"-DoutputDirectory={jars}"], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            break
    else:
        raise RuntimeError(f"Maven could not fetch Cassandra {version}: {done.stdout[-1000:]}")
    facts = {
        "version": version,
        "jars": len(list(jars.iterdir())),
        "seconds": round(time.monotonic() - started, 1),
    }
    (directory / "installed.json").write_text(json.dumps(facts))
    return directory


class RealCassandra:
    """`with RealCassandra(directory, {"concurrent_reads": "64"}) as cassandra: cassandra.address`.

    `config` holds lines of cassandra.yaml; the values are written as they are. `tls`: how to ask it whether it answers.
    """

    def __init__(
        self,
        directory: Path,
        config: dict[str, str] | None = None,
        version: str = VERSION,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.directory = directory
        self.version = version
        self.address = ("127.0.0.1", 0)
        self.pid = 0
        self.start_s = 0.0
        self._config = config or {}
        self._tls = tls
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        for name in ("conf", "tmp"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            port, storage_port, jmx_port = free_ports(3, held)
        self.address = ("127.0.0.1", port)
        self._write_settings(port, storage_port)
        self._start(jmx_port)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, signum: int = signal.SIGTERM) -> None:
        """Stop the node; its data stays in the directory."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signum)
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _write_settings(self, port: int, storage_port: int) -> None:
        folder = self.directory
        settings = {
            **_SETTINGS,
            "native_transport_port": str(port),
            "storage_port": str(storage_port),
            "ssl_storage_port": str(storage_port),
            "data_file_directories": f"['{folder / 'data'}']",
            "commitlog_directory": str(folder / "commitlog"),
            "hints_directory": str(folder / "hints"),
            "saved_caches_directory": str(folder / "saved_caches"),
            "cdc_raw_directory": str(folder / "cdc_raw"),
            "seed_provider": (
                "[{class_name: org.apache.cassandra.locator.SimpleSeedProvider, "
                f"parameters: [{{seeds: '127.0.0.1:{storage_port}'}}]}}]"
            ),
            **self._config,
        }
        conf = folder / "conf"
        (conf / "cassandra.yaml").write_text("".join(f"{key}: {value}\n" for key, value in settings.items()))
        (conf / "logback.xml").write_text(_LOGBACK.format())

    def _start(self, jmx_port: int) -> None:
        jars = install(self.version) / "libs"
        (jamm,) = jars.glob("jamm-*.jar")
        binary = java()
        assert binary is not None, "missing() says so"
        conf = self.directory / "conf"
        command = [binary]
        for name in _EXPORTS:
            command += ["--add-exports", f"{name}=ALL-UNNAMED"]
        for name in _OPENS:
            command += ["--add-opens", f"{name}=ALL-UNNAMED"]
        command += [*_JVM, *HEAP, *_ALONE, f"-javaagent:{jamm}"]
        if java_version() >= 17:
            command.append("-Djava.security.manager=allow")
        command += [
            f"-Dcassandra.config=file://{conf / 'cassandra.yaml'}",
            f"-Dlogback.configurationFile={conf / 'logback.xml'}",
            f"-Dcassandra.storagedir={self.directory}",
            f"-Dcassandra.jmx.local.port={jmx_port}",
            f"-Djava.io.tmpdir={self.directory / 'tmp'}",
            "-cp",
            f"{conf}:{jars}/*",
            "org.apache.cassandra.service.CassandraDaemon",
        ]
        log = self.directory / "cassandra.log"
        started = time.monotonic()
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.directory,
                env={**os.environ, "MALLOC_ARENA_MAX": "4"},
            )
        self.pid = self._process.pid
        while not _answers(self.address, self._tls):
            if self._process.poll() is not None or time.monotonic() - started > START_LIMIT_S:
                self.stop(signal.SIGKILL)
                raise RuntimeError(f"Cassandra did not start: {log.read_text(errors='replace')[-1000:]}")
            time.sleep(0.02)
        self.start_s = time.monotonic() - started


def _answers(address: tuple[str, int], tls: ssl.SSLContext | None) -> bool:
    """Whether a CQL server there says which release it is."""
    try:
        asyncio.run(asyncio.wait_for(probe(*address, tls), 5))
    except (OSError, ProtocolError, TimeoutError, asyncio.IncompleteReadError):
        return False
    return True
