"""A real Apache Kafka to compare with: installed from its Maven jars, started on a free port, stopped and removed.

One node in KRaft mode, broker and controller in one process. The jars go to `.cache/real/kafka-VERSION` once; each run
has its data in a directory of its own. Needs Java 17 or newer and Maven. The command-line tools (`kafka-dump-log`,
`kafka-consumer-groups`, …) are installed beside it when they are asked for.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import struct
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from bench.engines.java import free_ports, java, java_version

VERSION = "4.4.0"
TOOLS_VERSION = "4.3.1"  # the newest whose command-line tools are published
LOG4J_VERSION = "2.25.3"
COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "real"
MIN_JAVA = 17
INSTALL_ATTEMPTS = 3
START_LIMIT_S = 120.0
STOP_LIMIT_S = 30.0
HEAP = ("-Xmx1G", "-Xms1G")

_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>smackbox</groupId><artifactId>real-kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{kafka}</version></dependency>
{more}    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>{log4j}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId><version>{log4j}</version>
    </dependency>
  </dependencies>
</project>
"""

_TOOLS = """    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{kafka}</version>
    </dependency>
"""

_LOGGING = """<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN">
  <Appenders><Console name="C" target="SYSTEM_ERR"><PatternLayout pattern="[%d] %p %m (%c)%n"/></Console></Appenders>
  <Loggers><Root level="warn"><AppenderRef ref="C"/></Root></Loggers>
</Configuration>
"""

# what the server.properties that ships with Kafka sets, on loopback
_PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "inter.broker.listener.name": "PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "num.network.threads": "3",
    "num.io.threads": "8",
    "socket.send.buffer.bytes": "102400",
    "socket.receive.buffer.bytes": "102400",
    "socket.request.max.bytes": "104857600",
    "num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
}
_PRODUCTION_FLAGS = (
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-Djava.awt.headless=true",
)


def missing() -> str | None:
    """Why a real Kafka cannot run here, in one line; None when it can."""
    if not installed() and shutil.which("mvn") is None:
        return "Maven (mvn) is not installed, and the jars are not in .cache/real"
    if java() is None:
        return f"Java {MIN_JAVA} or newer is not installed (no java on the PATH, no JAVA_HOME)"
    version = java_version()
    if version < MIN_JAVA:
        return f"Java {MIN_JAVA} or newer is needed, this one is {version}"
    return None


def home(version: str = VERSION) -> Path:
    return CACHE / f"kafka-{version}"


def installed(version: str = VERSION) -> bool:
    """Whether the jars are there, those that the current list of dependencies asks for."""
    stamp = home(version) / "installed.json"
    return stamp.exists() and json.loads(stamp.read_text()).get("pom") == _pom(version)


def install(version: str = VERSION) -> Path:
    """The directory of the jars, fetched when they are not there. Raises `RuntimeError` with Maven's last words."""
    directory = home(version)
    if installed(version):
        return directory
    jars = directory / "libs"
    shutil.rmtree(jars, ignore_errors=True)
    jars.mkdir(parents=True)
    pom = directory / "pom.xml"
    pom.write_text(_pom(version))
    command = ["mvn", "-B", "-q", "-f", str(pom), COPY_DEPENDENCIES, "-DincludeScope=runtime"]
    started = time.monotonic()
    for _ in range(INSTALL_ATTEMPTS):
        done = subprocess.run([*command, f"-DoutputDirectory={jars}"], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            break
    else:
        raise RuntimeError(f"Maven could not fetch Kafka {version}: {done.stdout[-1000:]}")
    seconds = round(time.monotonic() - started, 1)
    facts = {"version": version, "jars": len(list(jars.iterdir())), "seconds": seconds, "pom": _pom(version)}
    (directory / "installed.json").write_text(json.dumps(facts))
    return directory


def java_command(*arguments: str, version: str = VERSION, heap: tuple[str, ...] = ("-Xmx256M",)) -> list[str]:
    """A `java` command line with Kafka's jars. The command-line tools need `version=TOOLS_VERSION`."""
    directory = install(version)
    logging = directory / "log4j2-console.xml"
    if not logging.exists():
        logging.write_text(_LOGGING)
    binary = java()
    assert binary is not None, "missing() says so"
    return [binary, *heap, f"-Dlog4j2.configurationFile={logging}", "-cp", f"{directory}/libs/*", *arguments]


class RealKafka:
    """`with RealKafka(directory, {"log.segment.bytes": "1048576"}) as kafka: kafka.bootstrap`.

    In values of the config `@PORT@` and `@CONTROLLER_PORT@` stand for the ports that were chosen.
    """

    def __init__(self, directory: Path, config: dict[str, str] | None = None, version: str = VERSION) -> None:
        self.directory = directory
        self.version = version
        self.bootstrap = ""
        self.pid = 0
        self.start_s = 0.0
        self._config = config or {}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            port, controller_port = free_ports(2, held)
        self.bootstrap = f"127.0.0.1:{port}"
        listeners = f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}"
        properties = {
            **_PROPERTIES,
            "listeners": listeners,
            "advertised.listeners": listeners,
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller_port}",
            "log.dirs": str(self.directory / "data"),
            **self._config,
        }
        file = self.directory / "server.properties"
        text = "".join(f"{key}={value}\n" for key, value in properties.items())
        file.write_text(text.replace("@PORT@", str(port)).replace("@CONTROLLER_PORT@", str(controller_port)))
        if not (self.directory / "data").exists():
            self._format(file)
        self._start(file, port)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, signum: int = signal.SIGTERM) -> None:
        """Stop the broker; its data stays in the directory."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signum)
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _format(self, properties: Path) -> None:
        cluster_id = "A" + urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]
        arguments = ("format", "--standalone", "-t", cluster_id, "-c", str(properties))
        command = java_command("kafka.tools.StorageTool", *arguments, version=self.version)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"Kafka could not format its directory: {(done.stdout + done.stderr)[-1000:]}")

    def _start(self, properties: Path, port: int) -> None:
        heap = (*HEAP, *_PRODUCTION_FLAGS)
        command = java_command("kafka.Kafka", str(properties), version=self.version, heap=heap)
        log = self.directory / "broker.log"
        started = time.monotonic()
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.directory
            )
        self.pid = self._process.pid
        while not _answers(port):
            if self._process.poll() is not None or time.monotonic() - started > START_LIMIT_S:
                self.stop(signal.SIGKILL)
                raise RuntimeError(f"Kafka did not start: {log.read_text(errors='replace')[-1000:]}")
            time.sleep(0.01)
        self.start_s = time.monotonic() - started


def _pom(version: str) -> str:
    more = _TOOLS.format(kafka=version) if version == TOOLS_VERSION else ""
    return _POM.format(kafka=version, log4j=LOG4J_VERSION, more=more)


def _answers(port: int) -> bool:
    """Whether a broker answers Metadata (version 1, no topics) with itself in it."""
    request = struct.pack(">hhihi", 3, 1, 1, -1, 0)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = b""
            while len(answer) < 4 or len(answer) < 4 + struct.unpack_from(">i", answer)[0]:
                received = connection.recv(65536)
                if not received:
                    return False
                answer += received
            return bool(struct.unpack_from(">i", answer, 8)[0] >= 1)
    except (OSError, struct.error):
        return False
