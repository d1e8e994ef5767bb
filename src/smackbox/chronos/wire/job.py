"""A job in Chronos' REST API: its fields and their defaults. Only Chronos sets the counters."""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from smackbox.chronos.wire import schedule as schedules
from smackbox.chronos.wire.errors import Refusal

Json = dict[str, Any]

NAME = re.compile(r"[\w\s.#-]+")
OPERATORS = {"EQUALS", "LIKE", "UNLIKE"}
TASK_ID_NAME_LIMIT = 200


class Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The common base of all parts of a job: camelCase on the wire, unknown fields ignored."""


class Variable(Part, frozen=True):
    """An environment variable."""

    name: str
    value: str = ""


class Fetch(Part, frozen=True):
    """A file that the agent fetches before the run."""

    uri: str
    extract: bool = True
    executable: bool = False
    cache: bool = False
    output: str | None = None


class Volume(Part, frozen=True):
    """A path of the host in the container."""

    container_path: str
    host_path: str | None = None
    mode: Literal["RO", "RW"] | None = None


class Parameter(Part, frozen=True):
    """An option of the container's runtime."""

    key: str
    value: str


class Container(Part, frozen=True):
    """The container of a run."""

    image: str = ""
    type: Literal["DOCKER", "MESOS", "docker", "mesos"] = "DOCKER"
    network: str = "HOST"
    force_pull_image: bool = False
    volumes: list[Volume] = []
    parameters: list[Parameter] = []
    network_name: str | None = None


class Job(Part, frozen=True):
    """A job in the form that clients send."""

    name: str
    command: str = ""
    shell: bool = True
    arguments: list[str] = []
    executor: str = ""
    executor_flags: str = ""
    task_info_data: str = ""
    retries: int = 2
    owner: str = ""
    owner_name: str = ""
    description: str = ""
    cpus: float = 0.1
    mem: float = 128.0
    disk: float = 256.0
    gpus: float = 0.0
    disabled: bool = False
    concurrent: bool = False
    soft_error: bool = False
    async_: bool = msgspec.field(name="async", default=False)
    epsilon: str = "PT60S"
    max_completion_time: float | None = None
    """Seconds after which a run is killed, and counts as failed."""

    missed_runs: Literal["last", "all", "none"] | None = None
    """Overrides the setting of that name for this job."""

    high_priority: bool = False
    data_processing_job_type: bool = False
    run_as_user: str = ""
    fetch: list[Fetch] = []
    uris: list[str] = []
    environment_variables: list[Variable] = []
    constraints: list[list[str]] = []
    container: Container | None = None
    schedule: str | None = None
    schedule_time_zone: str = ""
    parents: list[str] = []


READ_ONLY = {"successCount", "errorCount", "lastSuccess", "lastError", "errorsSinceLastSuccess"}
_NUMBERS = {"cpus", "mem", "disk", "gpus", "retries", "maxCompletionTime"}


def read_job(body: bytes, defaults: Json, now_ms: int, *, dependent: bool | None = None) -> Job:
    """Decode a job. `dependent` is the kind that the request's path requires, None for either. Raises `Refusal`
    (400).
    """
    try:
        given = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise Refusal(400, f"the body is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise Refusal(400, "the body must be one JSON object: a job")
    fields = {key: value for key, value in given.items() if value is not None and key not in READ_ONLY}
    for name in _NUMBERS & fields.keys():
        fields[name] = _number(name, fields[name])
    for name, value in defaults.items():
        if not fields.get(name):
            fields[name] = value
    if fields.get("schedule") == "":
        del fields["schedule"]
    for name in _TEXTS & fields.keys():
        fields[name] = _text(fields[name])
    for name in _LISTS_OF_TEXTS & fields.keys():
        if isinstance(fields[name], list):
            fields[name] = [_text(field) for field in fields[name]]
    for variable in fields.get("environmentVariables") or ():
        if isinstance(variable, dict):
            variable.update({name: _text(variable[name]) for name in ("name", "value") if name in variable})
    for name in _BOOLEANS & fields.keys():
        fields[name] = _boolean(fields[name])
    try:
        job = msgspec.convert(fields, Job)
    except msgspec.ValidationError as error:
        raise Refusal(400, f"the job cannot be read: {error}") from error
    _check(job, now_ms, dependent)
    return job


_FIELDS = msgspec.structs.fields(Job)
_TEXTS = {field.encode_name for field in _FIELDS if field.type in {str, str | None}}
_BOOLEANS = {field.encode_name for field in _FIELDS if field.type is bool}
_LISTS_OF_TEXTS = {field.encode_name for field in _FIELDS if field.type == list[str]}


def _text(value: Any) -> Any:
    """Like Chronos, convert a number or a boolean to text if a text is expected."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _boolean(value: Any) -> Any:
    """Chronos' clients also send booleans as text."""
    return {"true": True, "false": False}.get(value.strip().lower(), value) if isinstance(value, str) else value


def _number(name: str, value: Any) -> float | int:
    """Chronos' clients also send numbers as text."""
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise Refusal(400, f"{name}: {value!r} is not a number") from error
    return int(number) if name == "retries" else number


def _check(job: Job, now_ms: int, dependent: bool | None) -> None:
    if NAME.fullmatch(job.name) is None or len(job.name) > TASK_ID_NAME_LIMIT:
        raise Refusal(400, f"name: {job.name!r} must be of letters, digits, blanks and . _ # -")
    if bool(job.parents) == (job.schedule is not None):
        raise Refusal(400, "a job has either a schedule or parents")
    if dependent is not None and dependent != bool(job.parents):
        raise Refusal(400, "a job with parents goes to …/dependency, one with a schedule to …/iso8601")
    if job.schedule is not None:
        schedules.parse(job.schedule, job.schedule_time_zone, now_ms)
    elif job.schedule_time_zone:
        schedules.parse_zone(job.schedule_time_zone)
    if job.name in job.parents:
        raise Refusal(400, "a job cannot be its own parent")
    if job.epsilon:
        schedules.parse_period(job.epsilon)
    for name in ("cpus", "mem", "disk", "gpus", "retries"):
        if getattr(job, name) < 0:
            raise Refusal(400, f"{name}: {getattr(job, name)} is less than 0")
    if job.max_completion_time is not None and job.max_completion_time <= 0:
        raise Refusal(400, "maxCompletionTime: must be more than 0 seconds")
    for constraint in job.constraints:
        if len(constraint) != 3 or constraint[1] not in OPERATORS:
            raise Refusal(400, f"constraints: {constraint} is not [attribute, {' | '.join(sorted(OPERATORS))}, value]")
        if constraint[1] != "EQUALS":
            try:
                re.compile(constraint[2])
            except re.error as error:
                raise Refusal(400, f"constraints: {constraint[2]!r} is not a regular expression: {error}") from error
    if not job.command and job.container is None:
        raise Refusal(400, "command: a job without a container needs one")
