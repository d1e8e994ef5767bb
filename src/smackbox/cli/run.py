"""`smack run app.py`: an application on the running box, on the URLs given, or on a box of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from smackbox.cli.up import box_options, box_settings


@click.command("run")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--job", help="Run this job once, and nothing else.")
@click.option("--kafka", envvar="SMACK_KAFKA", help="host:port of a Kafka to use instead of the box's.")
@click.option("--cassandra", envvar="SMACK_CASSANDRA", help="host:port of a Cassandra to use instead of the box's.")
@click.option("--spark", envvar="SMACK_SPARK", help="sc://host:port of a Spark to use instead of an embedded one.")
@click.option("--zookeeper", envvar="SMACK_ZOOKEEPER", help="host:port of a ZooKeeper to use instead of the box's.")
@click.option(
    "--schema-registry", envvar="SMACK_SCHEMA_REGISTRY", help="http://host:port of the schemas of Avro topics."
)
@click.option("--akka", help="akka://system@host:port of a cluster that the application's actors join.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the HTTP endpoint.  [default: 8080]")
@click.option("--only", help="Run one part in this process: prepare, ingest, stream:NAME, archive:NAME or actors:NAME.")
@click.option("--accept-changes", "accept", is_flag=True, help="Start even if keys or fields of topics have changed.")
@click.option("--add-partitions", is_flag=True, help="Add partitions where topics have fewer than declared.")
@box_options
def command(file: Path, job: str | None, only: str | None, port: int | None, **flags: Any) -> None:
    """Run the application in FILE."""
    import msgspec

    from smackbox.app.load import load_app
    from smackbox.base.address import host_ports
    from smackbox.runtime.changes import Changes
    from smackbox.runtime.run import run_app, run_job, run_part
    from smackbox.runtime.settings import CASSANDRA_PORT, KAFKA_PORT, Urls

    urls = Urls(
        **{name: flags.pop(name) for name in ("kafka", "cassandra", "spark", "zookeeper", "schema_registry", "akka")}
    )
    for address, default_port in ((urls.kafka, KAFKA_PORT), (urls.cassandra, CASSANDRA_PORT)):
        if address is not None:
            host_ports(address, default_port)
    changes = Changes(flags.pop("accept"), flags.pop("add_partitions"))
    settings = box_settings(flags)
    config = flags["config"]
    if port is not None:
        settings = msgspec.structs.replace(settings, ingest_port=port)
    app = load_app(file)
    if only is not None:
        run_part(app, only, urls, settings, config, changes)
    elif job is not None:
        run_job(app, app.find_job(job), urls, settings, config)
    else:
        run_app(app, file, urls, settings, config, changes)
