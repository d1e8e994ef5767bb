"""What becomes of actors that fail: directives, limits, back-off, children, every hook; nobody is lost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smackbox.akka import (
    Actor,
    AllForOne,
    BackOff,
    Behavior,
    Behaviors,
    ChildFailed,
    Directive,
    OneForOne,
    Props,
    SupervisorStrategy,
    Terminated,
)
from smackbox.akka.actor.errors import ActorInitializationError
from smackbox.akka.actor.messages import DeathPactError, PostStop, PreRestart
from smackbox.akka.testkit.kit import ActorTestKit
from tests.akka.actor.test_life import Recorder


class Child(Recorder):
    def pre_restart(self, cause: BaseException, message: Any) -> None:
        self.log.append(f"{self.name}pre_restart {message!r}")
        super().pre_restart(cause, message)

    def post_restart(self, cause: BaseException) -> None:
        self.log.append(f"{self.name}post_restart {cause}")
        super().post_restart(cause)


def parent_of(strategy: OneForOne, log: list[Any], *names: str) -> Props[Any]:
    class Parent(Actor[Any]):
        supervisor_strategy = strategy

        def pre_start(self) -> None:
            for name in names:
                self.context.watch(self.context.spawn(Props.of(Child, log, f"{name}:"), name))

        def receive(self, message: Any) -> None:
            name, inner = message
            self.context.children[name].tell(inner)

        def on_signal(self, signal: Any) -> None:
            log.append(signal)

    return Props(Parent)


def test_a_restart_loses_only_the_failing_message(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []
    error = ValueError("no")
    ref = akka_testkit.spawn(Props.of(Child, log))
    for message in (1, error, 2):
        ref.tell(message)
    akka_testkit.settle()
    assert log == [
        "made", "start", 1, f"pre_restart {error!r}", "stop", "made", "post_restart no", "start", 2,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("directive", "expected"),
    [
        (Directive.RESUME, ["a:made", "a:start", 1, 2]),
        (Directive.STOP, ["a:made", "a:start", 1, "a:stop"]),
    ],
)
def test_resume_and_stop(akka_testkit: ActorTestKit, directive: Directive, expected: list[Any]) -> None:
    log: list[Any] = []
    parent = akka_testkit.spawn(parent_of(OneForOne(lambda _: directive), log, "a"))
    for message in (1, ValueError("no"), 2):
        if "a" in parent.cell.children:
            parent.tell(("a", message))
    akka_testkit.settle()
    assert [entry for entry in log if not isinstance(entry, Terminated)] == expected
    if directive is Directive.STOP:
        (failed,) = [entry for entry in log if isinstance(entry, Terminated)]
        assert isinstance(failed, ChildFailed) and str(failed.cause) == "no"


def test_too_many_restarts_in_the_time_stop_and_each_child_has_its_own_count(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []
    parent = akka_testkit.spawn(parent_of(OneForOne(max_restarts=2, within_s=10), log, "a", "b"))
    for _ in range(2):
        for name in ("a", "b"):
            parent.tell((name, ValueError("no")))
        akka_testkit.settle()
    assert sorted(parent.cell.children) == ["a", "b"]
    parent.tell(("a", ValueError("no")))
    akka_testkit.settle()
    assert sorted(parent.cell.children) == ["b"]
    akka_testkit.advance(11)
    parent.tell(("b", ValueError("no")))
    akka_testkit.settle()
    assert sorted(parent.cell.children) == ["b"]


def test_all_for_one_restarts_the_siblings(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []
    parent = akka_testkit.spawn(parent_of(AllForOne(), log, "a", "b"))
    log.clear()
    parent.tell(("a", ValueError("no")))
    akka_testkit.settle()
    assert {"a:post_restart no", "b:post_restart no", "b:pre_restart None"} <= set(log)


def test_an_escalated_failure_is_the_parents_own(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []
    parent = akka_testkit.spawn(parent_of(OneForOne(lambda _: Directive.ESCALATE), log, "a"))
    log.clear()
    parent.tell(("a", ValueError("no")))
    akka_testkit.settle()
    assert log == ["a:stop", "a:made", "a:start"]


def test_back_off_doubles_waits_and_begins_anew(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []
    strategy = OneForOne(back_off=BackOff(first_s=1, limit_s=8, jitter=0))
    parent = akka_testkit.spawn(parent_of(strategy, log, "a"))
    for delay_s in (1, 2, 4, 8, 8):
        log.clear()
        parent.tell(("a", ValueError("no")))
        parent.tell(("a", "waits"))
        akka_testkit.advance(delay_s - 0.01)
        assert "waits" not in log
        akka_testkit.advance(0.01)
        assert log[-1] == "waits"
    akka_testkit.advance(5)
    log.clear()
    parent.tell(("a", ValueError("no")))
    akka_testkit.advance(1)
    assert log[-1] == "a:start"


def test_a_failing_constructor_stops_and_what_was_sent_is_dead(akka_testkit: ActorTestKit) -> None:
    class Broken(Actor[Any]):
        def __init__(self) -> None:
            raise OSError("no disk")

    probe = akka_testkit.probe()
    ref = akka_testkit.system.spawn(Broken)
    ref.tell("lost")
    probe.watch(ref)
    probe.expect_terminated(ref)
    assert [letter.message for letter in akka_testkit.dead_letters] == ["lost"]


@pytest.mark.parametrize("hook", ["pre_start", "post_stop", "pre_restart", "post_restart"])
def test_a_failing_hook_is_supervised_or_told(akka_testkit: ActorTestKit, hook: str) -> None:
    log: list[Any] = []

    def fail(self: Any, *_: Any) -> None:
        raise OSError(f"in {hook}")

    broken = type("Broken", (Recorder,), {hook: fail})
    probe = akka_testkit.probe()
    ref = akka_testkit.spawn(Props.of(broken, log))
    probe.watch(ref)
    if hook != "pre_start":
        ref.tell(ValueError("no"))
        ref.tell("after")
        akka_testkit.settle()
    if hook in {"pre_start", "post_restart"}:
        probe.expect_terminated(ref)
    else:
        assert log[-1] == "after"
        akka_testkit.stop(ref)


def test_a_decider_decides_by_the_cause(akka_testkit: ActorTestKit) -> None:
    seen: list[BaseException] = []

    def decide(cause: BaseException) -> Directive:
        seen.append(cause)
        return Directive.STOP if isinstance(cause, ActorInitializationError) else Directive.RESUME

    parent = akka_testkit.spawn(parent_of(OneForOne(decide), [], "a"))
    parent.tell(("a", KeyError("k")))
    akka_testkit.settle()
    assert [type(cause) for cause in seen] == [KeyError]


def test_timers_and_handlers_do_not_outlive_a_restart(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []

    class Ticking(Recorder):
        def receive(self, message: Any) -> None:
            if message == "begin":
                self.context.timers.start_with_fixed_delay("t", "tick", 1)
                self.context.become(lambda inner: self.log.append(("became", inner)) or self._maybe(inner))
            else:
                super().receive(message)

        def _maybe(self, message: Any) -> None:
            if isinstance(message, Exception):
                raise message

    ref = akka_testkit.spawn(Props.of(Ticking, log))
    ref.tell("begin")
    akka_testkit.advance(2.5)
    assert log.count(("became", "tick")) == 2
    ref.tell(ValueError("no"))
    akka_testkit.advance(5)
    ref.tell("plain")
    akka_testkit.settle()
    assert log.count(("became", "tick")) == 2
    assert log[-1] == "plain"


def test_children_that_pre_restart_keeps_are_restarted(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []

    class Keeping(Recorder):
        def pre_start(self) -> None:
            if "c" not in self.context.children:
                self.context.spawn(Props.of(Child, self.log, "c:"), "c")

        def pre_restart(self, cause: BaseException, message: Any) -> None:
            self.log.append("kept")

    ref = akka_testkit.spawn(Props.of(Keeping, log))
    child = ref.cell.children["c"]
    ref.tell(ValueError("no"))
    akka_testkit.settle()
    assert ref.cell.children["c"] == child
    assert "c:post_restart no" in log and "c:stop" in log


# -- functional behaviors


def failing(log: list[Any]) -> Behavior[Any]:
    def on_message(_context: Any, message: Any) -> Behavior[Any]:
        if isinstance(message, BaseException):
            raise message
        log.append(message)
        return Behaviors.same()

    def on_signal(_context: Any, signal: Any) -> Behavior[Any]:
        log.append(signal)
        return Behaviors.same()

    def setup(_context: Any) -> Behavior[Any]:
        log.append("setup")
        return Behaviors.receive(on_message, on_signal)

    return Behaviors.setup(setup)


def test_a_behavior_that_is_not_supervised_stops(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []
    probe = akka_testkit.probe()
    ref = akka_testkit.spawn(failing(log))
    probe.watch(ref)
    ref.tell(ValueError("no"))
    probe.expect_terminated(ref)
    assert log == ["setup", PostStop()]


def test_a_supervised_behavior_restarts_resumes_or_stops_by_its_cause(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []
    inner = Behaviors.supervise(failing(log)).on_failure(SupervisorStrategy.restart(), ValueError)
    outer = Behaviors.supervise(inner).on_failure(SupervisorStrategy.resume(), KeyError)
    probe = akka_testkit.probe()
    ref = akka_testkit.spawn(outer)
    probe.watch(ref)
    for message in (1, ValueError("a"), 2, KeyError("b"), 3, OSError("c")):
        ref.tell(message)
    probe.expect_terminated(ref)
    assert log == ["setup", 1, PreRestart(), "setup", 2, 3, PostStop()]


def test_a_supervised_behavior_has_limits_and_back_off(akka_testkit: ActorTestKit) -> None:
    log: list[Any] = []
    strategy = SupervisorStrategy.restart_with_back_off(1, 10, 0, max_restarts=2)
    probe = akka_testkit.probe()
    ref = akka_testkit.spawn(Behaviors.supervise(failing(log)).on_failure(strategy))
    probe.watch(ref)
    for delay_s in (1, 2):
        ref.tell(ValueError("no"))
        ref.tell("waits")
        akka_testkit.advance(delay_s - 0.1)
        assert log[-1] != "waits"
        akka_testkit.advance(0.1)
        assert log[-1] == "waits"
    ref.tell(ValueError("no"))
    probe.expect_terminated(ref)


def test_an_unhandled_terminated_is_a_death_pact(akka_testkit: ActorTestKit) -> None:
    class Bound(Actor[Any]):
        def receive(self, message: Any) -> None:
            self.context.watch(message)

    probe = akka_testkit.probe()
    other, bound = akka_testkit.spawn(failing([])), akka_testkit.spawn(Bound)
    probe.watch(bound)
    bound.tell(other)
    akka_testkit.settle()
    with akka_testkit.expect_log("DeathPactError"):
        akka_testkit.stop(other)
    probe.expect_terminated(bound)
    assert DeathPactError(other).dead == other


FAILURES = ["none", "constructor", "pre_start", "receive", "pre_restart", "post_restart", "post_stop"]


class Node(Actor[Any]):
    """One of a random tree: it fails where it is told, and its children do as theirs say."""

    def __init__(self, tree: dict[str, Any], world: dict[str, Any]) -> None:
        self.tree = tree
        self.world = world
        world["alive"] += 1
        self.supervisor_strategy = OneForOne(
            lambda cause: Directive.STOP if isinstance(cause, ActorInitializationError) else tree["directive"],
            max_restarts=2,
        )
        if tree["fails"] == "constructor" and world["chance"]():
            world["alive"] -= 1
            raise ValueError("constructor")

    def pre_start(self) -> None:
        for name, inner in self.tree["children"].items():
            if name not in self.context.children:
                self.world["refs"].append(self.context.spawn(Props.of(Node, inner, self.world), name))
        self._fail("pre_start")

    def receive(self, message: Any) -> None:
        self._fail("receive")
        for child in self.context.children.values():
            child.tell(message)

    def on_signal(self, signal: Any) -> None: ...

    def pre_restart(self, cause: BaseException, message: Any) -> Any:
        self._fail("pre_restart")
        return super().pre_restart(cause, message)

    def post_restart(self, cause: BaseException) -> Any:
        self._fail("post_restart")
        return super().post_restart(cause)

    def post_stop(self) -> None:
        self._fail("post_stop")

    def _fail(self, where: str) -> None:
        if self.tree["fails"] == where and self.world["chance"]():
            raise ValueError(where)


def trees(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    children = st.just({}) if depth == 0 else st.dictionaries(st.sampled_from("abc"), trees(depth - 1), max_size=2)
    return st.fixed_dictionaries(
        {"fails": st.sampled_from(FAILURES), "directive": st.sampled_from(Directive), "children": children}
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(tree=trees(3), seed=st.randoms(use_true_random=False), messages=st.integers(1, 5))
def test_no_watcher_is_lost_and_no_actor_leaks_in_any_tree(tree: dict[str, Any], seed: Any, messages: int) -> None:
    with ActorTestKit() as kit:
        world = {"alive": 0, "refs": [], "chance": lambda: seed.random() < 0.5}
        top = Props.of(Node, tree, world)

        class Top(Actor[Any]):
            supervisor_strategy = OneForOne(lambda _: Directive.STOP)

            def pre_start(self) -> None:
                world["refs"].append(self.context.spawn(top, "top"))

            def receive(self, message: Any) -> None: ...

            def on_signal(self, signal: Any) -> None: ...

        root = kit.spawn(Top)
        for _ in range(messages):
            for ref in list(world["refs"]):
                ref.tell("go")
            kit.settle()
        probe = kit.probe()
        refs = list(world["refs"])
        for ref in refs:
            probe.watch(ref)
        kit.stop(root)
        heard = []
        while kit.wait_for(lambda: probe._signals, 0.1):
            heard.append(probe._signals.pop(0).ref)
        assert sorted(map(str, heard)) == sorted(map(str, refs)), "each watcher hears exactly once of each death"
        assert not kit.system._user_guardian.child(root.path.name)
        assert kit.system.waiting == {}
