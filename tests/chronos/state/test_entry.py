"""How a run is named: Chronos' task ids, which clients take apart."""

from __future__ import annotations

import pytest

from smackbox.chronos.state.entry import Run


@pytest.mark.parametrize(
    ("run", "task_id"),
    [
        (Run(job="backup", due_ms=17), "ct:17:0:backup:"),
        (Run(job="backup", due_ms=17, attempt=2, arguments="-v /tmp\tx"), "ct:17:2:backup:-v__tmp_x"),
        (Run(job="a", due_ms=0, arguments="x" * 101), f"ct:0:0:a:{'x' * 100}"),
    ],
)
def test_the_id_of_a_task(run: Run, task_id: str) -> None:
    assert run.task_id == task_id


def test_the_key_of_a_run_is_that_of_all_its_attempts() -> None:
    assert Run(job="a", due_ms=5, attempt=0).key == Run(job="a", due_ms=5, attempt=3).key == "5:a"
