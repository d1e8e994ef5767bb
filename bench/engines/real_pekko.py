"""A real Pekko node to compare with: built by Maven from `tests/contract/akka/pekko`, started, and stopped.

The classes and jars go to `.cache/real` once for each state of the sources. Needs Java 17 and Maven.
`pekko_sharding` beside it adds cluster sharding, on the newest version of which Maven Central has all modules.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from bench.engines.java import free_ports, java

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "tests" / "contract" / "akka" / "pekko"
SHARDING_SOURCES = ROOT / "tests" / "contract" / "akka" / "pekko_sharding"
CACHE = ROOT / ".cache" / "real"
COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
BUILD_TIMEOUT_S = 600
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
FIGURES_TIMEOUT_S = 300


def missing() -> str | None:
    """Why it cannot run here, in one line; None when it can."""
    if java() is None:
        return "there is no java (17 is needed)"
    if not _home((SOURCES,)).exists() and shutil.which("mvn") is None:
        return "there is no mvn to fetch Pekko's jars with"
    return None


def _home(folders: tuple[Path, ...]) -> Path:
    digest = hashlib.sha256()
    for folder in folders:
        for file in sorted(folder.rglob("*.*")):
            digest.update(file.read_bytes())
    return CACHE / f"{folders[-1].name}-{digest.hexdigest()[:12]}"


def build(*folders: Path) -> Path:
    """The folder with `classes` and `libs` of all sources; the last folder has the `pom.xml`.

    Raises `RuntimeError` with the last words of what failed.
    """
    home = _home(folders)
    if (home / "done").exists():
        return home
    shutil.rmtree(home, ignore_errors=True)
    (home / "classes").mkdir(parents=True)
    libs = home / "libs"
    copy = ["mvn", "-B", "-q", "-f", str(folders[-1] / "pom.xml"), COPY_DEPENDENCIES, f"-DoutputDirectory={libs}"]
    _run([*copy, "-DincludeScope=runtime"])
    files = [str(file) for folder in folders for file in folder.rglob("*.java")]
    _run(["javac", "-cp", f"{libs}/*", "-d", str(home / "classes"), *files])
    (home / "done").touch()
    return home


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=BUILD_TIMEOUT_S)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {(done.stdout + done.stderr)[-1000:]}")


def reporting_node(system: str, host: str, port: int, *, config: str, every_ms: int) -> list[str]:
    """The command of a cluster's node that prints its view (`view …`) regularly, until SIGTERM lets it leave."""
    home = build(SOURCES)
    command = java()
    assert command is not None, "missing() says so"
    return [
        command, "-Xmx192m", "-Dprovider=cluster", f"-Dhost={host}", f"-Dreport={every_ms}", f"-Dextra={config}",
        "-cp", f"{home / 'classes'}:{home / 'libs'}/*", "lab.Node", system, str(port),
    ]  # fmt: skip


def figures(address: str) -> dict[str, float]:
    """What `lab.Figures` measures of Pekko's actors, and of messages with the system at `address`."""
    home = build(SOURCES)
    command = java()
    assert command is not None, "missing() says so"
    with ExitStack() as held:
        (port,) = free_ports(1, held)
    done = subprocess.run(
        [
            command, "-Xmx1g", "-cp", f"{home / 'classes'}:{home / 'libs'}/*",
            "lab.Figures", str(port), f"{address}/user/echo",
        ],
        capture_output=True, text=True, check=True, timeout=FIGURES_TIMEOUT_S,
    )  # fmt: skip
    pairs = [line.split() for line in done.stdout.splitlines() if len(line.split()) == 2]
    return {name: float(value) for name, value in pairs if not name.startswith("SLF4J")}


class RealPekko:
    """One node; a context manager. `address` is that of its actor system, `config` more of its HOCON."""

    def __init__(
        self,
        system: str = "lab",
        *,
        provider: str = "remote",
        config: str = "",
        sharding: bool = False,
        management: bool = False,
    ) -> None:
        self._system = system
        self._provider = provider
        self._config = config
        self._sharding = sharding or management
        self._management = management
        self._process: subprocess.Popen[str] | None = None
        self.address = ""
        self.management_url = ""
        """Where Pekko Management answers, with `management` (and the jars of `sharding`)."""

    def __enter__(self) -> Self:
        home = build(SOURCES, SHARDING_SOURCES) if self._sharding else build(SOURCES)
        with ExitStack() as held:
            port, management_port = free_ports(2, held)
        if self._management:
            self.management_url = f"http://127.0.0.1:{management_port}"
            self._config += (
                f"\npekko.management.http {{ hostname = 127.0.0.1, port = {management_port}, "
                "route-providers-read-only = off }"
            )
        self.address = f"pekko://{self._system}@127.0.0.1:{port}"
        command = java()
        assert command is not None, "missing() says so"
        self._process = subprocess.Popen(
            [
                command, "-Xmx256m", f"-Dprovider={self._provider}", f"-Dextra={self._config}",
                f"-Dmanagement={'on' if self._management else 'off'}",
                "-cp", f"{home / 'classes'}:{home / 'libs'}/*",
                "lab.Node", self._system, str(port),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        lines = []
        for line in self._process.stdout:
            lines.append(line)
            if line.strip() == "ready":
                return self
        self.__exit__()
        raise RuntimeError(f"Pekko did not start: {''.join(lines)[-1000:]}")

    def alive(self) -> None:
        """Raises `OSError` where it has ended by itself."""
        if self._process is None or self._process.poll() is not None:
            raise OSError("Pekko has ended")

    def kill(self) -> None:
        """As a crash: nothing is said to the others."""
        assert self._process is not None
        self._process.kill()

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process is None:
            return
        self._process = None
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
