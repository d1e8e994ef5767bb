"""The client of Spark's REST submission protocol: submit to a dispatcher, ask for a driver, end it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from smackbox.base.errors import SettingError, StartError
from smackbox.net.http import JSON
from smackbox.net.http_client import HttpClient, HttpClientError
from smackbox.spark.dispatcher.order import absolute
from smackbox.spark.mesos_link import MASTER_SCHEME
from smackbox.spark.submission import Submission

Json = dict[str, Any]


def is_dispatcher(master: str) -> bool:
    """Whether `mesos://host:port` is a dispatcher and not a master of Mesos; False where nobody answers."""
    if master.startswith(f"{MASTER_SCHEME}zk://") or "," in master:
        return False
    try:
        return ask(master, "GET", "status/none").get("action") == "SubmissionStatusResponse"
    except StartError:
        return False


def send(submission: Submission) -> Json:
    """The answer to a submission. Raises `StartError` where there is none, `SettingError` where it is refused."""
    properties = {
        **submission.conf,
        "spark.master": submission.master,
        "spark.submit.deployMode": "cluster",
        "spark.app.name": submission.name or submission.job,
        "spark.submit.pyFiles": ",".join(map(absolute, submission.py_files)),
        "spark.files": ",".join(map(absolute, submission.files)),
    }
    return _accepted(
        ask(
            submission.master,
            "POST",
            "create",
            {
                "action": "CreateSubmissionRequest",
                "appResource": absolute(submission.job),
                "mainClass": submission.class_name or "",
                "appArgs": list(submission.arguments),
                "sparkProperties": {key: value for key, value in properties.items() if value},
                "environmentVariables": {},
            },
        )
    )


def status(master: str, submission_id: str) -> Json:
    """Where a driver is. Raises `StartError`, and `SettingError` where there is none of that id."""
    answer = ask(master, "GET", f"status/{submission_id}")
    if not answer.get("success"):
        raise SettingError(f"{master} has no driver {submission_id}")
    return answer


def kill(master: str, submission_id: str) -> Json:
    """End a driver. Raises `StartError`, and `SettingError` where it cannot be ended."""
    return _accepted(ask(master, "POST", f"kill/{submission_id}"))


def ask(master: str, method: str, path: str, body: Json | None = None) -> Json:
    """An answer of the protocol. Raises `StartError` where there is none at the address."""
    url = f"http://{master.removeprefix(MASTER_SCHEME)}/v1/submissions/{path}"
    data = b"" if body is None else msgspec.json.encode(body)

    async def request() -> bytes:
        client = HttpClient()
        try:
            return (await client.request(method, url, body=data, headers={"Content-Type": JSON})).body
        finally:
            await client.close()

    try:
        return msgspec.json.decode(asyncio.run(request()), type=dict[str, Any])
    except (HttpClientError, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise StartError(f"{master} is no dispatcher that answers: {error}") from error


def _accepted(answer: Json) -> Json:
    if not answer.get("success"):
        raise SettingError(str(answer.get("message", answer)))
    return answer
