"""Test hosts made of network namespaces, and what can be done to the links between them. Needs root and Linux.

All hosts hang on one bridge, in a namespace of its own; nothing of it touches the machine's network. `cut` takes a
host's link away, `split` puts some hosts on a bridge of their own, `slow` makes a link narrow, so that everything on it
is late. Whoever asks the hosts from the test does so
in a thread that has entered the namespace of one more host (`Visitor`).
"""

from __future__ import annotations

import ctypes
import json
import os
import queue
import shutil
import signal
import subprocess
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

CLONE_NEWNET = 0x40000000
NETWORK = "10.231.77"
RATE = "rate 128kbit burst 4kb latency 1500ms"


def missing() -> str | None:
    """Why there can be no test hosts here, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "there is no ip (Debian: iproute2)"
    name = f"smack-{uuid.uuid4().hex[:6]}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"no network namespace can be made: {tried.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], check=True)
    return None


class Hosts:
    """A context manager. `names` are numbered from 1; a host's address is `NETWORK.number`."""

    def __init__(self, count: int, directory: Path) -> None:
        self._tag = f"smack-{uuid.uuid4().hex[:6]}"
        self._count = count
        self._directory = directory
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._commands: dict[str, tuple[int, list[str]]] = {}

    def __enter__(self) -> Hosts:
        switch = self._switch
        _ip("netns", "add", switch)
        _ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", switch, "link", "add", "other", "type", "bridge")
        for bridge in ("bridge", "other"):
            _ip("-n", switch, "link", "set", bridge, "up")
        for number in range(1, self._count + 1):
            host = self._host(number)
            _ip("netns", "add", host)
            _ip("-n", switch, "link", "add", f"h{number}", "type", "veth", "peer", "name", "eth0", "netns", host)
            _ip("-n", switch, "link", "set", f"h{number}", "master", "bridge", "up")
            _ip("-n", host, "addr", "add", f"{address(number)}/24", "dev", "eth0")
            for link in ("lo", "eth0"):
                _ip("-n", host, "link", "set", link, "up")
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._processes):
            self.kill(name)
        for number in range(1, self._count + 1):
            for pid in self.pids(number):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            subprocess.run(["ip", "netns", "del", self._host(number)], check=False)
        subprocess.run(["ip", "netns", "del", self._switch], check=False)

    # --- processes

    def start(self, name: str, number: int, command: list[str]) -> None:
        """Run a command on a host; what it says goes to `NAME.log`."""
        self._commands[name] = (number, command)
        with (self._directory / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                ["ip", "netns", "exec", self._host(number), *command],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def kill(self, name: str) -> None:
        """`kill -9`."""
        process = self._processes.pop(name, None)
        if process is not None:
            process.kill()
            process.wait()

    def restart(self, name: str) -> None:
        """As it was started."""
        if name not in self._processes:
            self.start(name, *self._commands[name])

    def is_running(self, name: str) -> bool:
        process = self._processes.get(name)
        return process is not None and process.poll() is None

    def pids(self, number: int) -> list[int]:
        """Every process on a host."""
        listed = subprocess.run(
            ["ip", "netns", "pids", self._host(number)], capture_output=True, text=True, check=False
        )
        return [int(pid) for pid in listed.stdout.split()]

    # --- links

    def cut(self, number: int) -> None:
        _ip("-n", self._switch, "link", "set", f"h{number}", "down")

    def split(self, *numbers: int) -> None:
        """These hosts see one another and none of the rest."""
        for number in numbers:
            _ip("-n", self._switch, "link", "set", f"h{number}", "master", "other")

    def join(self, *numbers: int) -> None:
        """They see all again."""
        for number in numbers:
            _ip("-n", self._switch, "link", "set", f"h{number}", "master", "bridge")

    def slow(self, number: int) -> None:
        subprocess.run(
            ["ip", "netns", "exec", self._switch, "tc", "qdisc", "replace", "dev", f"h{number}", "root", "tbf",
             *RATE.split()], check=True,
        )  # fmt: skip

    def mend(self, number: int) -> None:
        _ip("-n", self._switch, "link", "set", f"h{number}", "up")
        subprocess.run(
            ["ip", "netns", "exec", self._switch, "tc", "qdisc", "del", "dev", f"h{number}", "root"],
            check=False, capture_output=True,
        )  # fmt: skip

    @property
    def _switch(self) -> str:
        return f"{self._tag}-switch"

    def _host(self, number: int) -> str:
        return f"{self._tag}-{number}"

    def visitor(self, number: int) -> Visitor:
        return Visitor(f"/var/run/netns/{self._host(number)}")


def address(number: int) -> str:
    return f"{NETWORK}.{number}"


class Visitor:
    """Asks from a host's network: a thread that has entered it."""

    def __init__(self, namespace: str) -> None:
        self._work: queue.Queue[tuple[Callable[[], Any], queue.Queue[Any]] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, args=(namespace,), daemon=True)
        self._thread.start()

    def ask(self, method: str, url: str, body: Any = None, timeout_s: float = 5.0) -> Any:
        """The JSON of a successful answer; None while there is none."""

        def work() -> Any:
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            try:
                with opener.open(request, timeout=timeout_s) as answer:
                    text = answer.read()
                    return json.loads(text) if text else {}
            except (urllib.error.URLError, OSError, ValueError):
                return None

        answers: queue.Queue[Any] = queue.Queue()
        self._work.put((work, answers))
        return answers.get(timeout=timeout_s * 4)

    def close(self) -> None:
        self._work.put(None)
        self._thread.join(10)

    def _run(self, namespace: str) -> None:
        descriptor = os.open(namespace, os.O_RDONLY)
        assert ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) == 0
        os.close(descriptor)
        while (item := self._work.get()) is not None:
            work, answers = item
            answers.put(work())


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
