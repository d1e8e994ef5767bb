"""Makes the pool of a context on `mesos://`."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from smackbox.spark.rdd.cluster.mesos_thread import MesosThread, driver_address, reachable_host
from smackbox.spark.rdd.cluster.pool import ClusterPool, Launcher
from smackbox.spark.rdd.cluster.settings import ClusterSettings


def start_pool(
    master: str, name: str, settings: ClusterSettings, conf: Mapping[str, str], readable: Iterable[Path]
) -> ClusterPool:
    """Subscribe to Mesos; executors come with offers. `readable` are the folders whose files they may fetch.

    Raises `SettingError`.
    """
    host = settings.driver_host or reachable_host(master)
    secret = conf.get("spark.authenticate.secret") or secrets.token_hex(32)

    def launch(pool: ClusterPool) -> Launcher:
        address = driver_address(settings, host, pool.port)
        return MesosThread(master, name, settings, address, secret, pool.ended, pool.idle)

    return ClusterPool(settings, settings.driver_bind_address or host, secret, readable, launch)
