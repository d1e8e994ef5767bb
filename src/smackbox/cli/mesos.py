"""`smack mesos`: a master or an agent alone."""

from __future__ import annotations

from typing import Any

import click

from smackbox.cli.mesos_agent import agent
from smackbox.cli.server_options import serve, server_options, settings_from
from smackbox.mesos.master.settings import MASTER_PORT


@click.group("mesos")
def command() -> None:
    """A Mesos master or agent."""


command.add_command(agent)


@command.command("master")
@server_options(MASTER_PORT)
@click.option("--zk", help="zk://host:port,…/path: run as one of several masters and elect the leader there.")
@click.option("--cluster", help="Name of the cluster.")
@click.option("--hostname", help="Advertised hostname.")
@click.option("--advertise-ip", help="Advertised IP address.  [default: --host]")
@click.option("--advertise-port", type=click.IntRange(1, 65535), help="Advertised port.  [default: --port]")
@click.option("--allocation-interval", help="Time between two allocations.  [default: 1secs]")
@click.option("--offer-timeout", help="Rescind an offer that is unanswered for this long.  [default: never]")
@click.option("--scheduler-heartbeat-interval", help="Time between two heartbeats.  [default: 15secs]")
@click.option("--agent-ping-timeout", help="Time between two pings of an agent.  [default: 15secs]")
@click.option("--max-agent-ping-timeouts", type=int, help="Pings that may go unanswered.  [default: 5]")
@click.option("--agent-reregister-timeout", help="Time for agents to reregister with a new leader.  [default: 10mins]")
@click.option("--weights", help="role=weight,role=weight")
@click.option("--authenticate-frameworks", is_flag=True, default=None, help="Frameworks must authenticate.")
@click.option("--authenticate-agents", is_flag=True, default=None, help="Agents must authenticate.")
@click.option("--authenticate-http-readonly", is_flag=True, default=None, help="Require authentication for reads.")
@click.option("--authenticate-http-readwrite", is_flag=True, default=None, help="Operators must authenticate.")
@click.option("--credentials", help='File: {"credentials": [{"principal": …, "secret": …}]}')
@click.option("--acls", help="File with ACLs in Mesos' format.")
@click.option("--ssl-cert-file", help="PEM certificate; enables TLS for all requests.")
@click.option("--ssl-key-file", help="PEM key, unless it is in the certificate's file.")
@click.option("--ssl-ca-file", help="PEM CA that verifies clients' certificates.")
def master_command(**flags: Any) -> None:
    """Run a master in the foreground."""
    from smackbox.mesos.master.server.service import MasterServer
    from smackbox.mesos.master.settings import MasterSettings

    serve(MasterServer(settings_from(MasterSettings, "mesos_master", MASTER_PORT, flags)))
