"""Chronos: jobs, when they are due, and the runs that follow.

Plain and synchronous, like every state machine here: the effects of an input are collected in `effects`, records first.

**Once for each due time.** When a run falls due, one change stores both the run and the schedule advanced past it. It
is launched only after it is stored as launched, with its agent. A successor reconciles every launched run with Mesos:
one that was never launched (unknown to its agent, dropped) is launched again; one on an unreachable agent is waited
for, as it may be running; only one that ran and is lost, or whose agent stays unreachable for `unreachable_timeout`,
counts as failed. A task that Mesos dropped has never run.

**Failures** are retried after `failure_retry`, doubled each time, `retries` times. A run keeps its place meanwhile: if
the job is not `concurrent`, runs that fall due later wait behind it, at most `RUNS_LIMIT`.

**Missed runs**, due longer than the job's epsilon ago when a leader takes over, follow the policy `missed_runs`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from smackbox.base.clock import Clock
from smackbox.chronos.state import entry as states
from smackbox.chronos.state import job_graph
from smackbox.chronos.state.entry import Entry, Finished, Run
from smackbox.chronos.state.task_builder import task_info
from smackbox.chronos.wire import schedule as schedules
from smackbox.chronos.wire.errors import Refusal, unknown_job
from smackbox.chronos.wire.job import Job
from smackbox.chronos.wire.schedule import Cron, Schedule
from smackbox.mesos_framework.machine import KILL_RETRY_MS, FrameworkMachine, Mesos, asked
from smackbox.mesos_framework.offer import Offer

Json = dict[str, Any]

RUNS_LIMIT = 1_000
"""Runs of one job that wait; further ones are skipped, which is logged."""

RETRY_LIMIT_MS = 3_600_000
CONFIRM_MS = 60_000
"""How often a launched run without a status, or on an unreachable agent, is reconciled."""

ALIVE = {"TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING", "TASK_UNREACHABLE"}
NOT_THERE = {"TASK_GONE", "TASK_LOST"}
"""Reconciliation reasons which mean that a task without any status was never launched: an agent keeps a status until it
is acknowledged.
"""

log = logging.getLogger(__name__)


class Chronos(FrameworkMachine):
    """The state of the leading Chronos."""

    def __init__(
        self,
        clock: Clock,
        mesos: Mesos,
        *,
        failure_retry_ms: int = 60_000,
        missed_runs: str = "last",
        unreachable_timeout_ms: int = 3_600_000,
    ) -> None:
        super().__init__(clock, mesos)
        self.entries: dict[str, Entry] = {}
        self.runs: dict[str, Run] = {}
        """By key, in the order of their due times."""
        self._failure_retry_ms = failure_retry_ms
        self._missed_runs = missed_runs
        self._unreachable_timeout_ms = unreachable_timeout_ms
        self._schedules: dict[str, Schedule] = {}
        self._offers_wanted_for: set[str] = set()
        """Task ids."""

    # --- records

    def load(self, records: dict[str, bytes]) -> None:
        """Load what a predecessor stored; missed runs follow their policy."""
        for name, value in records.items():
            kind, _, key = name.partition(":")
            if kind == "framework":
                self.framework_id = value.decode()
            elif kind == "job":
                self.entries[key] = msgspec.json.decode(value, type=Entry)
            elif kind == "run":
                run = msgspec.json.decode(value, type=Run)
                self.runs[run.key] = run
        self.runs = dict(sorted(self.runs.items(), key=lambda item: item[1].due_ms))
        now_ms = self.clock.wall_ms()
        for entry in list(self.entries.values()):
            if entry.left is not None:
                self._schedules[entry.job.name] = self._schedule(entry)
                self._catch_up(entry, now_ms)

    def _schedule(self, entry: Entry) -> Schedule:
        assert entry.left is not None
        return schedules.parse(entry.left, entry.job.schedule_time_zone, entry.cron_after_ms)

    def _catch_up(self, entry: Entry, now_ms: int) -> None:
        """Skip or start the runs that were missed by more than the job's epsilon."""
        policy = entry.job.missed_runs or self._missed_runs
        schedule = self._schedules[entry.job.name]
        oldest_ms = now_ms - _epsilon_ms(entry.job)
        due_ms = schedule.due_ms
        if due_ms is None or due_ms >= oldest_ms or policy == "all":
            return
        last_ms = schedule.last_before(oldest_ms)
        if policy == "last" and last_ms is not None and not entry.job.disabled:
            self._add_run(entry, last_ms)
        schedule = schedule.skipped_to(oldest_ms)
        log.info("runs of %s that were due before are skipped (missed_runs %s)", entry.job.name, policy)
        self._move_on(entry, schedule)

    def _keep(self, entry: Entry) -> None:
        self.effects.records[f"job:{entry.job.name}"] = msgspec.json.encode(entry)

    def _keep_run(self, run: Run) -> None:
        self.runs[run.key] = run
        self.effects.records[f"run:{run.key}"] = msgspec.json.encode(run)

    def _forget_run(self, run: Run) -> None:
        self.runs.pop(run.key, None)
        self.effects.records[f"run:{run.key}"] = None

    # --- jobs

    def add(self, job: Job) -> None:
        """Add a job, or change the one of that name, which keeps its counts. Raises `Refusal`."""
        before = self.entries.get(job.name)
        job_graph.check({**self.parents(), job.name: job.parents})
        entry = Entry(job=job) if before is None else before
        same_schedule = (
            before is not None
            and job.schedule_time_zone == before.job.schedule_time_zone
            and job.schedule in {before.job.schedule, before.left}
        )
        entry.job = job
        entry.parents_done = [parent for parent in entry.parents_done if parent in job.parents]
        if job.schedule is None:
            entry.left = None
            self._schedules.pop(job.name, None)
        elif not same_schedule:
            now_ms = self.clock.wall_ms()
            schedule = schedules.parse(job.schedule, job.schedule_time_zone, now_ms)
            self._move_on(entry, schedule.skipped_to(now_ms - _epsilon_ms(job)))
        self.entries[job.name] = entry
        self._keep(entry)
        self.ask_again()

    def remove(self, name: str) -> None:
        """Remove a job and kill its runs. Raises `Refusal`: 404, or 400 if it is the only parent of others."""
        self.entry(name)
        left = [
            child for child in job_graph.children(self.parents(), name) if self.entries[child].job.parents == [name]
        ]
        if left:
            raise Refusal(400, f"'{name}' is the only parent of {', '.join(left)}: change or remove these first")
        for child in job_graph.children(self.parents(), name):
            entry = self.entries[child]
            parents = [parent for parent in entry.job.parents if parent != name]
            entry.job = msgspec.structs.replace(entry.job, parents=parents)
            self._keep(entry)
        self.kill_tasks(name)
        del self.entries[name]
        self._schedules.pop(name, None)
        self.effects.records[f"job:{name}"] = None

    def entry(self, name: str) -> Entry:
        """Look up a job. Raises `Refusal` (404)."""
        entry = self.entries.get(name)
        if entry is None:
            raise unknown_job(name)
        return entry

    def parents(self) -> dict[str, list[str]]:
        """The names of the jobs that each job follows."""
        return {name: entry.job.parents for name, entry in self.entries.items()}

    def runs_of(self, name: str) -> list[Run]:
        """The runs of a job that have not ended."""
        return [run for run in self.runs.values() if run.job == name]

    def next_due_ms(self, name: str) -> int | None:
        """When the job runs next, in milliseconds since 1970; None if it has no schedule."""
        schedule = self._schedules.get(name)
        return None if schedule is None else schedule.due_ms

    # --- requests

    def run_now(self, name: str, arguments: str = "") -> None:
        """Start a run outside the schedule. Raises `Refusal`."""
        self._add_run(self.entry(name), self.clock.wall_ms(), arguments)
        self.look_for_work()

    def mark_success(self, name: str) -> None:
        """Record a success as if a run had succeeded. Raises `Refusal`."""
        entry = self.entry(name)
        self._succeeded(entry, Finished(self.clock.wall_ms(), 0, True), counted=False)
        self.look_for_work()

    def kill_tasks(self, name: str) -> None:
        """Kill all the job's runs, without retries. Raises `Refusal`."""
        self.entry(name)
        for run in self.runs_of(name):
            if run.state in {states.WAITING, states.AWAITED}:
                self._forget_run(run)
            else:
                run.given_up = True
                self._kill(run)
                self._keep_run(run)
        self.look_for_work()

    def report(self, task_id: str, status_code: int) -> None:
        """Record the result of an async job's run. Raises `Refusal` (404)."""
        run = next((run for run in self.runs.values() if run.task_id == task_id), None)
        if run is None:
            raise Refusal(404, f"no run has the task id '{task_id}'")
        if run.state != states.AWAITED:
            self._kill(run)
        self._run_ended(run, succeeded=status_code == 0, again=True)
        self.look_for_work()

    # --- runs

    def _add_run(self, entry: Entry, due_ms: int, arguments: str = "") -> None:
        name = entry.job.name
        while f"{due_ms}:{name}" in self.runs:
            due_ms += 1
        if len(self.runs_of(name)) >= RUNS_LIMIT:
            log.error("%d runs of %s wait already: the one due at %d is skipped", RUNS_LIMIT, name, due_ms)
            return
        self._keep_run(Run(job=name, due_ms=due_ms, arguments=arguments))

    def _move_on(self, entry: Entry, schedule: Schedule) -> None:
        self._schedules[entry.job.name] = schedule
        entry.left = schedule.text()
        if isinstance(schedule, Cron):
            entry.cron_after_ms = schedule.after_ms
        self._keep(entry)

    def _launchable(self) -> list[Run]:
        """The runs that may be launched: one at a time for each job that is not concurrent."""
        now_ms = self.clock.wall_ms()
        launchable: list[Run] = []
        taken: set[str] = set()
        for run in self.runs.values():
            entry = self.entries.get(run.job)
            if entry is None or run.job in taken:
                continue
            if not entry.job.concurrent:
                taken.add(run.job)
            if run.state == states.WAITING and run.not_before_ms <= now_ms:
                launchable.append(run)
        return sorted(launchable, key=lambda run: not self.entries[run.job].job.high_priority)

    def _run_ended(self, run: Run, *, succeeded: bool, again: bool) -> None:
        """With `again`, a failure is retried while the job has retries left."""
        now_ms = self.clock.wall_ms()
        entry = self.entries.get(run.job)
        if entry is None:
            self._forget_run(run)
            return
        started_ms = run.started_ms or run.launched_ms or now_ms
        finished = Finished(started_ms, max(0, now_ms - started_ms), succeeded)
        if succeeded:
            self._forget_run(run)
            self._succeeded(entry, finished)
            return
        run.failures += 1
        if again and not run.given_up and run.failures <= entry.job.retries:
            delay_ms = min(self._failure_retry_ms * 2 ** (run.failures - 1), RETRY_LIMIT_MS)
            self._wait_again(run, now_ms + delay_ms)
            return
        self._forget_run(run)
        entry.error_count += 1
        entry.errors_since_last_success += 1
        entry.last_error_ms = now_ms
        entry.history = [*entry.history, finished][-states.HISTORY_LIMIT :]
        self._keep(entry)
        log.warning("job %s failed %d times and is given up for this time", run.job, run.failures)
        if entry.job.soft_error:
            self._trigger_children(entry.job.name)

    def _wait_again(self, run: Run, not_before_ms: int) -> None:
        """Queue its next attempt, under a new task id."""
        run.attempt += 1
        run.state = states.WAITING
        run.not_before_ms = not_before_ms
        run.agent_id = run.host = ""
        run.launched_ms = run.started_ms = run.unreachable_ms = run.killed_ms = 0
        self._keep_run(run)

    def _succeeded(self, entry: Entry, finished: Finished, *, counted: bool = True) -> None:
        entry.success_count += 1
        entry.errors_since_last_success = 0
        entry.last_success_ms = self.clock.wall_ms()
        if counted:
            entry.history = [*entry.history, finished][-states.HISTORY_LIMIT :]
        self._keep(entry)
        self._trigger_children(entry.job.name)

    def _trigger_children(self, name: str) -> None:
        """A child runs when each of its parents has succeeded since its last run."""
        for child in job_graph.children(self.parents(), name):
            entry = self.entries[child]
            done = {*entry.parents_done, name}
            if done >= set(entry.job.parents):
                entry.parents_done = []
                if not entry.job.disabled:
                    self._add_run(entry, self.clock.wall_ms())
            else:
                entry.parents_done = sorted(done)
            self._keep(entry)

    # --- events from Mesos

    def wants_offers(self) -> bool:
        return bool(self._launchable())

    def look_for_work(self) -> None:
        """Ask for offers again that were declined, for a run that has just become launchable."""
        launchable = {run.task_id for run in self._launchable()}
        if launchable - self._offers_wanted_for:
            self._revive_wanted = True
        self._offers_wanted_for = launchable
        super().look_for_work()

    def known_tasks(self) -> list[Json]:
        return [_asked(run) for run in self.runs.values() if run.state not in {states.WAITING, states.AWAITED}]

    def offers(self, messages: Iterable[Json]) -> None:
        """Launch waiting runs on these offers, and decline the rest."""
        for message in messages:
            offer = Offer(message)
            launches = [info for run in self._launchable() if (info := self._launch(run, offer)) is not None]
            operations = [{"type": "LAUNCH", "launch": {"task_infos": launches}}] if launches else []
            self.answer_offer(message, operations)
            self.effects.cut()
        self.look_for_work()

    def _launch(self, run: Run, offer: Offer) -> Json | None:
        job = self.entries[run.job].job
        if offer.message.get("unavailability") or not all(_met(constraint, offer) for constraint in job.constraints):
            return None
        needs = {"cpus": job.cpus, "mem": job.mem, "disk": job.disk, "gpus": job.gpus}
        if any(offer.scalar(name) + 1e-9 < amount for name, amount in needs.items()):
            return None
        resources = [lot for name, amount in needs.items() for lot in offer.take_scalar(name, amount) or []]
        run.state = states.LAUNCHED
        run.agent_id, run.host = offer.agent_id, offer.hostname
        run.launched_ms = self.clock.wall_ms()
        self._keep_run(run)
        return task_info(job, run, resources)

    def update(self, status: Json) -> None:
        """Handle a task's status. It is acknowledged once its effects are stored."""
        task_id, state = status["task_id"]["value"], status["state"]
        run = self._run_of(task_id)
        if run is None or run.state == states.WAITING:
            if state in ALIVE - {"TASK_UNREACHABLE", "TASK_KILLING"}:
                log.info("killing the unknown task %s", task_id)
                agent_id = status.get("agent_id", {"value": ""})
                self.call("KILL", kill={"task_id": status["task_id"], "agent_id": agent_id})
        elif state in ALIVE:
            self._alive(run, state)
        elif run.state != states.AWAITED:
            self._ended(run, status)
        self.acknowledge(status)
        self.look_for_work()

    def _run_of(self, task_id: str) -> Run | None:
        kind, _, rest = task_id.partition(":")
        due, _, rest = rest.partition(":")
        _, _, rest = rest.partition(":")
        run = self.runs.get(f"{due}:{rest.partition(':')[0]}") if kind == "ct" else None
        return run if run is not None and run.task_id == task_id else None

    def _alive(self, run: Run, state: str) -> None:
        now_ms = self.clock.wall_ms()
        if state == "TASK_UNREACHABLE":
            if run.state != states.UNREACHABLE:
                run.state, run.unreachable_ms = states.UNREACHABLE, now_ms
                self._keep_run(run)
        elif state == "TASK_RUNNING" and run.state != states.RUNNING:
            run.state, run.unreachable_ms = states.RUNNING, 0
            run.started_ms = run.started_ms or now_ms
            self._keep_run(run)

    def _ended(self, run: Run, status: Json) -> None:
        state, reason = status["state"], status.get("reason", "")
        entry = self.entries.get(run.job)
        unheard = run.state in {states.LAUNCHED, states.UNREACHABLE} and not run.started_ms
        never_there = unheard and state in NOT_THERE and reason == "REASON_RECONCILIATION"
        if never_there or state == "TASK_DROPPED" or reason == "REASON_INVALID_OFFERS":
            if run.given_up or entry is None:
                self._forget_run(run)
            else:
                self._wait_again(run, 0)
            return
        if state == "TASK_FINISHED" and entry is not None and entry.job.async_ and not run.given_up:
            run.state = states.AWAITED
            self._keep_run(run)
            return
        if status.get("message") and state != "TASK_FINISHED":
            log.info("%s: %s %s", run.task_id, state, status["message"])
        self._run_ended(run, succeeded=state == "TASK_FINISHED", again=True)

    # --- time

    def tick(self) -> None:
        """Start the runs that are due, and time out those that took too long."""
        now_ms = self.clock.wall_ms()
        for name, schedule in list(self._schedules.items()):
            self._due(self.entries[name], schedule, now_ms)
            self.effects.cut()
        for run in list(self.runs.values()):
            self._watch(run, now_ms)
        self.look_for_work()
        self.keep_reconciled()

    def _due(self, entry: Entry, schedule: Schedule, now_ms: int) -> None:
        """The runs that have fallen due, each in one change with its advanced schedule."""
        moved = False
        while (due_ms := schedule.due_ms) is not None and due_ms <= now_ms:
            if not entry.job.disabled:
                self._add_run(entry, due_ms)
            schedule = schedule.advanced()
            moved = True
        if moved:
            self._move_on(entry, schedule)

    def _watch(self, run: Run, now_ms: int) -> None:
        entry = self.entries.get(run.job)
        if run.state == states.UNREACHABLE and now_ms - run.unreachable_ms >= self._unreachable_timeout_ms:
            log.warning("%s: its agent stays away; the run counts as failed", run.task_id)
            self._run_ended(run, succeeded=False, again=True)
        elif run.state in {states.LAUNCHED, states.UNREACHABLE} and now_ms - run.launched_ms >= CONFIRM_MS:
            run.launched_ms = now_ms
            self.call("RECONCILE", reconcile={"tasks": [_asked(run)]})
        elif run.state in {states.LAUNCHED, states.RUNNING}:
            limit_s = entry.job.max_completion_time if entry is not None else None
            over = limit_s is not None and run.started_ms > 0 and now_ms - run.started_ms >= limit_s * 1000
            if (over or run.given_up or entry is None) and now_ms - run.killed_ms >= KILL_RETRY_MS:
                self._kill(run)
                self._keep_run(run)

    def _kill(self, run: Run) -> None:
        run.killed_ms = self.clock.wall_ms()
        self.call("KILL", kill=_asked(run))


def _asked(run: Run) -> Json:
    return asked(run.task_id, run.agent_id)


def _epsilon_ms(job: Job) -> int:
    if not job.epsilon:
        return 0
    period = schedules.parse_period(job.epsilon)
    days = period.days + 30 * period.months + 365 * period.years
    return round(period.passing.total_seconds() * 1000) + days * 86_400_000


def _met(constraint: list[str], offer: Offer) -> bool:
    name, operator, value = constraint
    here = offer.attribute(name)
    if operator == "UNLIKE":
        return here is None or re.fullmatch(value, here) is None
    if here is None:
        return False
    return here == value if operator == "EQUALS" else re.fullmatch(value, here) is not None
