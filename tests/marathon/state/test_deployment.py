"""By which definition an app runs at each step of a deployment, and which steps lead from one root to another."""

from __future__ import annotations

import msgspec

from smackbox.marathon.state import deployment as deploy
from smackbox.marathon.state.deployment import Action, Deployment
from smackbox.marathon.state.root import Root
from smackbox.marathon.wire.app import App, VersionInfo


def app(app_id: str, version: str = "1", **fields: object) -> App:
    made = App(
        id=app_id, version=version, version_info=VersionInfo(last_scaling_at=version, last_config_change_at=version)
    )
    return msgspec.structs.replace(made, **fields)


def root(*apps: App) -> Root:
    return Root().with_apps({one.id: one for one in apps}, "1")


def plan(steps: list[list[Action]], original: list[App], target: list[App], current: int = 0) -> Deployment:
    return Deployment(
        id="d",
        version="2",
        original={one.id: one for one in original},
        target={one.id: one for one in target},
        steps=steps,
        current=current,
    )


def test_an_app_goes_on_by_its_old_definition_until_its_step() -> None:
    before, after = app("/a"), app("/a", "2", cpus=2.0)
    steps = [[Action(deploy.SCALE, "/b")], [Action(deploy.RESTART, "/a")]]
    assert plan(steps, [before], [after]).definition("/a") == before
    assert plan(steps, [before], [after], current=1).definition("/a") == after
    assert plan(steps, [before], [after], current=2).definition("/a") == after


def test_an_app_is_started_with_no_instance_and_scaled_then() -> None:
    created = app("/a", instances=3)
    steps = [[Action(deploy.START, "/a")], [Action(deploy.SCALE, "/a")]]
    started = plan(steps, [], [created]).definition("/a")
    assert started is not None and started.instances == 0
    assert plan(steps, [], [created], current=1).definition("/a") == created


def test_an_app_that_is_stopped_has_no_definition() -> None:
    assert plan([[Action(deploy.STOP, "/a")]], [app("/a")], []).definition("/a") is None


def test_the_actions_are_those_of_the_step_under_way() -> None:
    steps = [[Action(deploy.STOP, "/a")], [Action(deploy.SCALE, "/b")]]
    assert plan(steps, [], []).actions == steps[0]
    assert plan(steps, [], [], current=1).actions == steps[1]
    assert plan(steps, [], [], current=2).actions == []


def test_what_is_shown_counts_steps_from_one_and_not_past_the_last() -> None:
    steps = [[Action(deploy.STOP, "/a")], [Action(deploy.SCALE, "/b")]]
    shown = [plan(steps, [], [], current=current).render({})["currentStep"] for current in range(3)]
    assert shown == [1, 2, 2]
    assert plan(steps, [], []).render({})["totalSteps"] == 2


def test_gone_apps_stop_first_and_the_others_follow_their_dependencies() -> None:
    original = root(app("/gone"), app("/changed"), app("/scaled"), app("/same"))
    target = root(
        app("/changed", "2", cpus=2.0, dependencies=["/created"]),
        app("/scaled", instances=2),
        app("/same"),
        app("/created"),
    )
    steps = deploy.steps(original, target)
    assert steps[:2] == [[Action(deploy.STOP, "/gone")], [Action(deploy.START, "/created")]]
    order = [action for step in steps[2:] for action in step]
    assert set(order) == {
        Action(deploy.SCALE, "/created"),
        Action(deploy.SCALE, "/scaled"),
        Action(deploy.RESTART, "/changed"),
    }
    assert order.index(Action(deploy.SCALE, "/created")) < order.index(Action(deploy.RESTART, "/changed"))


def test_without_a_change_there_is_no_step() -> None:
    assert deploy.steps(root(app("/a")), root(app("/a"))) == []


def test_what_a_deployment_affects_and_does_now() -> None:
    steps = [[Action(deploy.START, "/a")], [Action(deploy.SCALE, "/a"), Action(deploy.STOP, "/b")]]
    made = plan(steps, [app("/b")], [app("/a")])
    assert made.affected == {"/a", "/b"}
    assert [plan(steps, [], [], current=step).actions for step in (0, 1, 2)] == [*steps, []]
    assert made.actions == steps[0]
