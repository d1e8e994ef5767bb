"""A real ZooKeeper from Debian's `zookeeper` package, started and stopped for a test or a benchmark."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

JARS = Path("/usr/share/java")
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0


def missing() -> str | None:
    """Why it cannot run here, or None."""
    if shutil.which("java") is None:
        return "there is no java (Java 17 serves)"
    if not (JARS / "zookeeper.jar").exists():
        return "Debian's package zookeeper is not installed (apt-get install zookeeper)"
    return None


class RealZooKeeper:
    """One standalone server; a context manager. `start_s` is the time to its first answer.

    With `users` (password by name) clients may log in by SASL; with `certificates` (a folder of `server.pem`,
    `server.key` and `ca.pem`) the server listens at `secure_address` too, where clients have to show a certificate.
    """

    def __init__(
        self, directory: Path, *, users: dict[str, str] | None = None, certificates: Path | None = None
    ) -> None:
        self._directory = directory
        self._users = users or {}
        self._certificates = certificates
        self.address = ""
        self.secure_address = ""
        self.pid = 0
        self.start_s = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RealZooKeeper:
        self._directory.mkdir(parents=True, exist_ok=True)
        with socket.socket() as probe, socket.socket() as secure_probe:
            probe.bind(("127.0.0.1", 0))
            secure_probe.bind(("127.0.0.1", 0))
            port, secure_port = probe.getsockname()[1], secure_probe.getsockname()[1]
        settings = self._directory / "zoo.cfg"
        settings.write_text(
            f"tickTime=2000\ndataDir={self._directory / 'data'}\nclientPort={port}\nclientPortAddress=127.0.0.1\n"
            "admin.enableServer=false\nmaxClientCnxns=0\n4lw.commands.whitelist=*\n" + self._secure(secure_port)
        )
        command = [
            "java", "-Xmx512m", *self._flags(), "-Dzookeeper.extendedTypesEnabled=true",
            "-Dznode.container.checkIntervalMs=200",
            "-cp", f"{JARS}/*", "org.apache.zookeeper.server.ZooKeeperServerMain", str(settings),
        ]  # fmt: skip
        started = time.monotonic()
        with (self._directory / "server.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self.pid = self._process.pid
        self.address = f"127.0.0.1:{port}"
        while not answers(port):
            if self._process.poll() is not None or time.monotonic() - started > START_TIMEOUT_S:
                self.__exit__()
                raise RuntimeError(f"ZooKeeper did not start, see {self._directory / 'server.log'}")
            time.sleep(0.02)
        self.start_s = time.monotonic() - started
        return self

    def _flags(self) -> list[str]:
        if not self._users:
            return []
        login = self._directory / "jaas.conf"
        users = "".join(f'\n  user_{name}="{password}"' for name, password in self._users.items())
        login.write_text(f"Server {{\n  org.apache.zookeeper.server.auth.DigestLoginModule required{users};\n}};\n")
        return [f"-Djava.security.auth.login.config={login}"]

    def _secure(self, port: int) -> str:
        """The settings of the secure port."""
        lines = ["authProvider.sasl=org.apache.zookeeper.server.auth.SASLAuthenticationProvider"] if self._users else []
        if self._certificates is not None:
            self.secure_address = f"127.0.0.1:{port}"
            key_store = self._directory / "server.pem"
            parts = ("server.key", "server.pem")
            key_store.write_text("".join((self._certificates / part).read_text() for part in parts))
            lines += [
                f"secureClientPort={port}",
                "secureClientPortAddress=127.0.0.1",
                "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
                f"ssl.keyStore.location={key_store}",
                "ssl.keyStore.type=PEM",
                f"ssl.trustStore.location={self._certificates / 'ca.pem'}",
                "ssl.trustStore.type=PEM",
                "ssl.hostnameVerification=false",
                "authProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider",
            ]
        return "".join(f"{line}\n" for line in lines)

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1.0) as connection:
            connection.sendall(b"ruok")
            return connection.recv(4) == b"imok"
    except OSError:
        return False
