"""Service ports: a cluster-wide unique number for each port of an app, for load balancers."""

from __future__ import annotations

import msgspec

from smackbox.marathon.state.root import Root
from smackbox.marathon.wire.app import App
from smackbox.marathon.wire.errors import Refusal

LOCAL_PORT_MIN = 10_000
LOCAL_PORT_MAX = 20_000


def with_service_ports(root: Root, before: Root) -> Root:
    """Give every port without a service port the one that its app had in `before`, or a free one.

    Raises `Refusal` when none is free.
    """
    taken = {port for app in (*root.apps.values(), *before.apps.values()) for port in app.service_ports}

    def free() -> int:
        port = next((number for number in range(LOCAL_PORT_MIN, LOCAL_PORT_MAX + 1) if number not in taken), None)
        if port is None:
            raise Refusal(422, f"All ports in the range [{LOCAL_PORT_MIN}-{LOCAL_PORT_MAX}] are already in use")
        taken.add(port)
        return port

    def complete(app: App) -> App:
        given = app.service_ports
        former = before.apps.get(app.id)
        own = [port for port in (former.service_ports if former is not None else ()) if port and port not in given]
        spare = iter(own)
        ports = [port or next(spare, 0) or free() for port in given]
        if app.host_networking:
            definitions = app.port_definitions or []
            return msgspec.structs.replace(
                app,
                port_definitions=[
                    msgspec.structs.replace(one, port=port) for one, port in zip(definitions, ports, strict=True)
                ],
            )
        assert app.container is not None
        mappings = [
            msgspec.structs.replace(one, service_port=port) for one, port in zip(app.port_mappings, ports, strict=True)
        ]
        return msgspec.structs.replace(app, container=msgspec.structs.replace(app.container, port_mappings=mappings))

    apps = {app_id: complete(app) if 0 in app.service_ports else app for app_id, app in root.apps.items()}
    return Root(apps, root.groups, root.version)
