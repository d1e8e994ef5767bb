"""Spark's REST submission protocol, version 1, as `RestSubmissionServer` and Mesos' dispatcher answer it.

    POST /v1/submissions/create      CreateSubmissionRequest
    POST /v1/submissions/kill/ID
    GET  /v1/submissions/status/ID

Each answer is JSON with `action`, `serverSparkVersion` and `success`. A malformed request is 400, another version of
the protocol 468 with `highestProtocolVersion`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from smackbox.base.errors import RequestError, SettingError
from smackbox.net.http import HttpRequest, HttpResponse
from smackbox.spark.dispatcher.driver_run import NOT_FOUND, RUNNING, DriverRun
from smackbox.spark.dispatcher.machine import Dispatcher
from smackbox.spark.dispatcher.order import driver_of
from smackbox.spark.rdd.cluster.settings import ClusterSettings
from smackbox.spark.rdd.seen.event_log import SPARK_VERSION
from smackbox.spark.submission import Submission

Json = dict[str, Any]

VERSION = "v1"
UNKNOWN_VERSION = 468
PYTHON_RUNNER = frozenset({"", "org.apache.spark.deploy.PythonRunner", "org.apache.spark.deploy.SparkSubmit"})
"""Main classes that clients name for a Python program."""
_SET_BY_SUBMIT = frozenset(
    {"spark.master", "spark.app.name", "spark.submit.deployMode", "spark.jars", "spark.files", "spark.submit.pyFiles"}
)


class CreateSubmissionRequest(msgspec.Struct):
    """What is submitted; fields beyond these are named in the answer's `unknownFields`."""

    action: str
    appResource: str | None = None  # noqa: N815 - Spark's names
    mainClass: str | None = None  # noqa: N815
    appArgs: list[str] | None = None  # noqa: N815
    sparkProperties: dict[str, str] | None = None  # noqa: N815
    environmentVariables: dict[str, str] | None = None  # noqa: N815
    clientSparkVersion: str | None = None  # noqa: N815
    message: str | None = None


def answer(dispatcher: Dispatcher, request: HttpRequest) -> HttpResponse:
    """The answer to a request of the protocol."""
    parts = [part for part in request.path.split("/") if part]
    if parts[:2] != [VERSION, "submissions"] or len(parts) < 3 or parts[2] not in {"create", "kill", "status"}:
        return _misled(parts)
    action = parts[2]
    if request.method != ("GET" if action == "status" else "POST"):
        return _error(405, f"{request.method} is not for /{VERSION}/submissions/{action}")
    if action == "create":
        return _create(dispatcher, request.body)
    if len(parts) < 4:
        return _error(400, f"Submission ID is missing in {action} request.")
    return _kill(dispatcher, parts[3]) if action == "kill" else _status(dispatcher, parts[3])


def _create(dispatcher: Dispatcher, body: bytes) -> HttpResponse:
    try:
        raw = msgspec.json.decode(body, type=dict[str, Any])
        # clients write numbers and booleans too, where Spark's own writes text
        properties = {key: _text(value) for key, value in (raw.get("sparkProperties") or {}).items()}
        wanted = msgspec.convert({**raw, "sparkProperties": properties}, CreateSubmissionRequest)
        driver = _driver(wanted)
    except (msgspec.DecodeError, msgspec.ValidationError, AttributeError) as error:
        return _error(400, f"Malformed request: {error}")
    except SettingError as error:
        return _error(400, f"Malformed request: {error}")
    unknown = sorted(set(raw) - set(CreateSubmissionRequest.__struct_fields__))
    more: Json = {"unknownFields": unknown} if unknown else {}
    try:
        dispatcher.submit(driver)
    except RequestError as error:
        return _answer("CreateSubmissionResponse", success=False, message=str(error), **more)
    return _answer(
        "CreateSubmissionResponse",
        success=True,
        submissionId=driver.submission_id,
        message=f"Driver successfully submitted as {driver.submission_id}",
        **more,
    )


def _driver(wanted: CreateSubmissionRequest) -> DriverRun:
    """Raises `SettingError`."""
    if wanted.action != "CreateSubmissionRequest":
        raise SettingError(f"Received message of unexpected type {wanted.action}.")
    for name, what in (("appResource", "Application"), ("appArgs", "Application arguments")):
        if getattr(wanted, name) is None:
            raise SettingError(f"{what} '{name}' is missing.")
    properties = wanted.sparkProperties or {}
    resource, arguments = wanted.appResource or "", list(wanted.appArgs or [])
    is_jar = resource.endswith(".jar")
    if is_jar and not wanted.mainClass:
        raise SettingError("Main class 'mainClass' is missing.")
    if not is_jar and wanted.mainClass not in PYTHON_RUNNER | {None}:
        raise SettingError(f"mainClass {wanted.mainClass!r} belongs to a .jar, and appResource is {resource}")
    if wanted.mainClass == "org.apache.spark.deploy.SparkSubmit" and arguments[:1] == [resource]:
        arguments = arguments[1:]
    conf = {key: value for key, value in properties.items() if key not in _SET_BY_SUBMIT}
    ClusterSettings.of(conf)
    submission = Submission(
        _path(resource),
        tuple(arguments),
        name=properties.get("spark.app.name"),
        class_name=wanted.mainClass if is_jar else None,
        py_files=_paths(properties.get("spark.submit.pyFiles", "")),
        files=_paths(properties.get("spark.files", "")),
        conf=conf,
    )
    return driver_of(submission, wanted.environmentVariables)


def _kill(dispatcher: Dispatcher, submission_id: str) -> HttpResponse:
    driver = dispatcher.drivers.get(submission_id)
    if driver is None:
        message, success = "Cannot find driver", False
    elif driver.is_over:
        message, success = "Driver already terminated", False
    else:
        message = "Killing running driver" if driver.state == RUNNING else "Removed driver while it's still pending"
        success = dispatcher.kill(submission_id)
    return _answer("KillSubmissionResponse", success=success, submissionId=submission_id, message=message)


def _status(dispatcher: Dispatcher, submission_id: str) -> HttpResponse:
    driver = dispatcher.drivers.get(submission_id)
    if driver is None:
        return _answer("SubmissionStatusResponse", success=False, submissionId=submission_id, driverState=NOT_FOUND)
    more: Json = {"message": driver.message} if driver.message else {}
    if driver.agent_id:
        more |= {"workerId": driver.agent_id, "workerHostPort": driver.agent_url.removeprefix("http://")}
    return _answer(
        "SubmissionStatusResponse", success=True, submissionId=submission_id, driverState=driver.state, **more
    )


def _misled(parts: list[str]) -> HttpResponse:
    """Spark's own words for a path that is not of the protocol."""
    here = f" Please submit requests through http://[host]:[port]/{VERSION}/submissions/..."
    if not parts:
        return _error(400, "Missing protocol version." + here)
    if parts[0] != VERSION:
        return _error(UNKNOWN_VERSION, f"Unknown protocol version '{parts[0]}'." + here, highestProtocolVersion=VERSION)
    if parts[1:2] != ["submissions"]:
        return _error(400, "Missing the /submissions prefix." + here)
    return _error(400, "Missing an action: please specify one of /create, /kill, or /status." + here)


def _answer(action: str, *, success: bool, **fields: Any) -> HttpResponse:
    return HttpResponse.json({"action": action, "serverSparkVersion": SPARK_VERSION, "success": success, **fields})


def _error(status: int, message: str, **fields: Any) -> HttpResponse:
    return HttpResponse.json(
        {"action": "ErrorResponse", "message": message, "serverSparkVersion": SPARK_VERSION, **fields}, status
    )


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _path(resource: str) -> str:
    return resource.removeprefix("file://").removeprefix("file:")


def _paths(text: str) -> tuple[str, ...]:
    return tuple(_path(part.strip()) for part in text.split(",") if part.strip())
