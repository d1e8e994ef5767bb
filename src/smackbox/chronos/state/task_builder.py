"""From a run and its resources to the TaskInfo for Mesos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from smackbox.chronos.state.entry import Run
from smackbox.chronos.wire.job import Container, Job

Json = dict[str, Any]


def task_info(job: Job, run: Run, resources: Sequence[Json]) -> Json:
    """The `TaskInfo` of a run on these resources."""
    info: Json = {
        "name": f"ChronosTask:{job.name}",
        "task_id": {"value": run.task_id},
        "agent_id": {"value": run.agent_id},
        "resources": list(resources),
        "command": _command(job, run),
    }
    if job.container is not None:
        info["container"] = _container(job.container)
    return info


def _command(job: Job, run: Run) -> Json:
    variables = {
        "mesos_task_id": run.task_id,
        "CHRONOS_JOB_OWNER": job.owner,
        "CHRONOS_JOB_NAME": job.name,
        "CHRONOS_JOB_RUN_TIME": str(run.due_ms),
        "CHRONOS_JOB_RUN_ATTEMPT": str(run.attempt),
        "CHRONOS_RESOURCE_CPU": str(job.cpus),
        "CHRONOS_RESOURCE_MEM": str(job.mem),
        "CHRONOS_RESOURCE_DISK": str(job.disk),
        "HOST": run.host,
        **{variable.name: variable.value for variable in job.environment_variables},
    }
    command: Json = {
        "environment": {"variables": [{"name": name, "value": value} for name, value in variables.items()]},
        "uris": [
            *({"value": uri, "extract": True} for uri in job.uris),
            *(
                {
                    "value": fetch.uri,
                    "extract": fetch.extract,
                    "executable": fetch.executable,
                    "cache": fetch.cache,
                    **({"output_file": fetch.output} if fetch.output else {}),
                }
                for fetch in job.fetch
            ),
        ],
    }
    if job.run_as_user:
        command["user"] = job.run_as_user
    if job.shell:
        text = job.command if not run.arguments else f"{job.command} {run.arguments}"
        return {**command, "shell": True, "value": text} if text else {**command, "shell": False}
    arguments = [job.command, *job.arguments, *run.arguments.split()]
    return {**command, "shell": False, "value": job.command, "arguments": arguments}


def _container(container: Container) -> Json:
    volumes = [
        {
            "container_path": volume.container_path,
            "mode": volume.mode or "RW",
            **({"host_path": volume.host_path} if volume.host_path is not None else {}),
        }
        for volume in container.volumes
    ]
    if container.type.upper() == "MESOS":
        built: Json = {"type": "MESOS", "volumes": volumes}
        if container.image:
            image = {"type": "DOCKER", "docker": {"name": container.image}, "cached": not container.force_pull_image}
            built["mesos"] = {"image": image}
        return built
    docker = {
        "image": container.image,
        "network": container.network.upper(),
        "force_pull_image": container.force_pull_image,
        "parameters": [{"key": parameter.key, "value": parameter.value} for parameter in container.parameters],
    }
    return {"type": "DOCKER", "volumes": volumes, "docker": docker}
