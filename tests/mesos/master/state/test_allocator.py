from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smackbox.base.clock import FakeClock
from smackbox.mesos.master.state.allocator import Allocator, Grant
from smackbox.mesos.master.state.quotas import Quota
from smackbox.mesos.resources.resources import UNITS, Resources, total
from smackbox.mesos.resources.text import parse_resources

AGENT = "cpus:4;mem:4096;disk:10000;ports:[31000-32000]"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def allocator(clock: FakeClock) -> Allocator:
    return Allocator(clock, Random(1).shuffle)


def add_agents(allocator: Allocator, count: int, resources: str = AGENT) -> None:
    for number in range(count):
        allocator.add_agent(f"a{number}", {}, parse_resources(resources))


def cpus(grants: list[Grant], framework: str | None = None) -> float:
    return sum(one.resources.scalar("cpus") for one in grants if framework in {None, one.framework_id})


def decline(allocator: Allocator, grants: list[Grant], refuse_seconds: float) -> None:
    for one in grants:
        allocator.recover(one.framework_id, one.role, one.agent_id, one.resources, refuse_seconds)


def test_the_worked_example_of_the_paper(allocator: Allocator) -> None:
    """9 CPU and 18 GB; A's tasks need <1 CPU, 4 GB>, B's <3 CPU, 1 GB>: A runs three, B two (section 4.1)."""
    whole = parse_resources("cpus:9;mem:18")
    demands = {"A": parse_resources("cpus:1;mem:4"), "B": parse_resources("cpus:3;mem:1")}
    allocator.add_agent("agent", {}, whole)
    for name in demands:
        allocator.add_framework(name, [name], [], [])
    tasks = {"A": 0, "B": 0}
    while True:
        wanting = [one for one in allocator.roles.names() if allocator.agents["agent"].free.contains(demands[one])]
        if not wanting or wanting[0] != allocator.roles.names()[0]:
            break
        allocator.allocated(wanting[0], wanting[0], "agent", demands[wanting[0]])
        tasks[wanting[0]] += 1
    assert tasks == {"A": 3, "B": 2}
    assert allocator.roles.share("A") == allocator.roles.share("B") == pytest.approx(2 / 3)


def test_an_agent_goes_whole_to_who_has_least(allocator: Allocator) -> None:
    add_agents(allocator, 3)
    for name in ("f1", "f2", "f3"):
        allocator.add_framework(name, ["*"], [], [])
    grants = allocator.allocate()
    assert sorted(one.framework_id for one in grants) == ["f1", "f2", "f3"]
    assert all(one.resources == parse_resources(AGENT) for one in grants)
    assert allocator.allocate() == []


def test_a_heavier_role_gets_more(allocator: Allocator) -> None:
    add_agents(allocator, 30)
    allocator.set_weight("heavy", 2.0)
    allocator.add_framework("f1", ["heavy"], [], [])
    allocator.add_framework("f2", ["light"], [], [])
    grants = allocator.allocate()
    assert cpus(grants, "f1") == 2 * cpus(grants, "f2") == 80


def test_roles_below_one_another_share_what_the_upper_one_gets(allocator: Allocator) -> None:
    add_agents(allocator, 24)
    for name, role in (("f1", "a/x"), ("f2", "a/y"), ("f3", "b"), ("f4", "a")):
        allocator.add_framework(name, [role], [], [])
    grants = allocator.allocate()
    assert {name: cpus(grants, name) for name in ("f1", "f2", "f3", "f4")} == {"f1": 16, "f2": 16, "f3": 48, "f4": 16}


def test_what_is_refused_comes_again_after_its_time(allocator: Allocator, clock: FakeClock) -> None:
    add_agents(allocator, 1)
    allocator.add_framework("f1", ["*"], [], [])
    decline(allocator, allocator.allocate(), 5.0)
    assert allocator.allocate() == []
    clock.advance_ms(4_999)
    assert allocator.allocate() == []
    clock.advance_ms(1)
    assert len(allocator.allocate()) == 1


@pytest.mark.parametrize(("refuse_seconds", "seconds"), [(-1.0, 5), (1e12, 365 * 24 * 3600), (0.001, 1)])
def test_refuse_seconds_have_a_default_a_cap_and_one_pass_at_least(
    allocator: Allocator, clock: FakeClock, refuse_seconds: float, seconds: int
) -> None:
    add_agents(allocator, 1)
    allocator.add_framework("f1", ["*"], [], [])
    decline(allocator, allocator.allocate(), refuse_seconds)
    clock.advance_ms(seconds * 1_000 - 1)
    assert allocator.allocate() == []
    clock.advance_ms(1)
    assert len(allocator.allocate()) == 1


def test_no_refuse_seconds_no_filter(allocator: Allocator) -> None:
    add_agents(allocator, 1)
    allocator.add_framework("f1", ["*"], [], [])
    decline(allocator, allocator.allocate(), 0.0)
    assert len(allocator.allocate()) == 1


def test_revive_takes_filters_and_suppression_away_by_role(allocator: Allocator) -> None:
    add_agents(allocator, 1)
    allocator.add_framework("f1", ["a", "b"], ["b"], ["MULTI_ROLE"])
    decline(allocator, allocator.allocate(), 1000.0)
    assert allocator.allocate() == []
    allocator.revive("f1", ["b"])
    [grant] = allocator.allocate()
    assert grant.role == "b"
    decline(allocator, [grant], 0.0)
    allocator.suppress("f1", ["b"])
    assert allocator.allocate() == []
    allocator.revive("f1", [])
    assert len(allocator.allocate()) == 1


def test_more_than_was_refused_is_offered(allocator: Allocator) -> None:
    add_agents(allocator, 1)
    allocator.add_framework("f1", ["*"], [], [])
    [grant] = allocator.allocate()
    half = parse_resources("cpus:2;mem:2048")
    allocator.recover("f1", "*", "a0", half, 1000.0)
    assert allocator.allocate() == []
    allocator.recover("f1", "*", "a0", grant.resources - half)
    assert len(allocator.allocate()) == 1


def test_crumbs_are_not_offered(allocator: Allocator) -> None:
    allocator.add_agent("a", {}, parse_resources("cpus:0.009;mem:31;disk:100"))
    claim = allocator.add_framework("f1", ["*"], [], [])
    assert allocator.allocate() == []
    claim.min_allocatable["*"] = [{"disk": 50 * UNITS}]
    allocator.revive("f1", [])
    assert len(allocator.allocate()) == 1


def test_gpus_are_for_those_who_know_them(allocator: Allocator) -> None:
    allocator.add_agent("a", {}, parse_resources(AGENT + ";gpus:1"))
    allocator.add_framework("f1", ["*"], [], [])
    assert allocator.allocate() == []
    allocator.add_framework("f2", ["*"], [], ["GPU_RESOURCES"])
    assert [one.framework_id for one in allocator.allocate()] == ["f2"]


def test_what_is_reserved_goes_to_its_role(allocator: Allocator) -> None:
    allocator.add_agent("a", {}, parse_resources("cpus(ads):2;mem(ads):512;cpus:1;mem:512"))
    allocator.add_framework("f1", ["web"], [], [])
    allocator.add_framework("f2", ["ads/eu"], [], [])
    grants = {one.framework_id: one.resources for one in allocator.allocate()}
    assert total(grants.values()) == parse_resources("cpus(ads):2;mem(ads):512;cpus:1;mem:512")
    assert not grants["f1"].reserved() if "f1" in grants else grants["f2"].reserved()


def test_a_guarantee_comes_first_and_is_kept_free(allocator: Allocator) -> None:
    add_agents(allocator, 4)
    allocator.quotas.set("ads", Quota({"cpus": 8 * UNITS, "mem": 8192 * UNITS}))
    allocator.add_framework("greedy", ["web"], [], [])
    grants = allocator.allocate()
    assert cpus(grants, "greedy") == 8
    allocator.add_framework("f2", ["ads/eu"], [], [])
    assert cpus(allocator.allocate(), "f2") == 8


def test_a_limit_is_kept(allocator: Allocator) -> None:
    add_agents(allocator, 4)
    allocator.quotas.set("ads", Quota({}, {"cpus": 5 * UNITS}))
    allocator.add_framework("f1", ["ads"], [], [])
    assert cpus(allocator.allocate()) == 5
    assert cpus(allocator.allocate()) == 0


def test_one_that_is_away_is_offered_nothing(allocator: Allocator) -> None:
    add_agents(allocator, 1)
    allocator.add_framework("f1", ["*"], [], [])
    allocator.set_framework_active("f1", False)
    assert allocator.allocate() == []
    allocator.set_framework_active("f1", True)
    allocator.set_agent_active("a0", False)
    assert allocator.allocate() == []


def test_an_agent_that_comes_with_tasks_is_counted_in(allocator: Allocator) -> None:
    used = {("f1", "*"): parse_resources("cpus:3;mem:4000")}
    allocator.add_agent("a", {}, parse_resources(AGENT), used)
    allocator.add_framework("f1", ["*"], [], [])
    allocator.add_framework("f2", ["*"], [], [])
    [grant] = allocator.allocate()
    assert (grant.framework_id, cpus([grant])) == ("f2", 1)
    allocator.remove_agent("a")
    assert allocator.share("f1", "*") == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 32))
def test_nothing_is_given_twice_and_guarantees_are_met(seed: int) -> None:
    chance = Random(seed)
    clock = FakeClock()
    allocator = Allocator(clock, chance.shuffle)
    roles = ["a", "a/x", "b", "*"]
    add_agents(allocator, chance.randint(2, 6), "cpus:4;mem:4096;cpus(b):1;ports:[1-100]")
    room = sum(pool.total.unreserved().scalar("cpus") for pool in allocator.agents.values())
    guarantee = chance.randint(0, int(room)) * UNITS
    if guarantee:
        allocator.quotas.set("a", Quota({"cpus": guarantee}))
    for number in range(chance.randint(1, 5)):
        allocator.add_framework(f"f{number}", chance.sample(roles, chance.randint(1, 3)), [], ["MULTI_ROLE"])
    held: list[Grant] = []
    for _ in range(12):
        clock.advance_ms(1_000)
        held += allocator.allocate()
        check_books(allocator, held)
        for one in chance.sample(held, chance.randint(0, len(held))):
            held.remove(one)
            allocator.recover(one.framework_id, one.role, one.agent_id, one.resources, chance.choice([None, 0.0, 3.0]))
    others = [one for one in held if not one.role.startswith("a")]
    unreserved = total(one.resources.unreserved() for one in others)
    assert unreserved.quantities().get("cpus", 0) <= room * UNITS - guarantee


def check_books(allocator: Allocator, held: list[Grant]) -> None:
    for pool in allocator.agents.values():
        given = total(one.resources for one in held if one.agent_id == pool.id)
        assert given == total(pool.allocated.values())
        assert given + pool.free == pool.total


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 32))
def test_what_a_pass_leaves_out_nobody_would_have_taken(seed: int) -> None:
    """An agent that nobody wanted is not offered around again in vain; who would take it gets it all the same."""
    chance = Random(seed)
    clock = FakeClock()
    one, other = (Allocator(clock, lambda _: None) for _ in range(2))
    both = (one, other)
    for allocator in both:
        add_agents(allocator, 3)
        for number in range(3):
            allocator.add_framework(f"f{number}", ["*"], [], [])
    held: list[Grant] = []
    for _ in range(25):
        clock.advance_ms(chance.choice([500, 1_000, 4_000]))
        for pool in other.agents.values():
            pool.settled = -1
        grants = one.allocate()
        assert grants == other.allocate()
        held += grants
        for grant in chance.sample(held, chance.randint(0, len(held))):
            held.remove(grant)
            part = chance.choice([grant.resources, parse_resources("cpus:1;mem:100")])
            refuse_seconds = chance.choice([None, 0.0, 2.0, 10.0, 1e5])
            for allocator in both:
                allocator.recover(grant.framework_id, "*", grant.agent_id, part, refuse_seconds)
            if rest := grant.resources - part:
                held.append(Grant(grant.framework_id, "*", grant.agent_id, rest))
        change, name = chance.choice(["revive", "suppress", "none", "away"]), f"f{chance.randint(0, 2)}"
        for allocator in both:
            if change == "revive":
                allocator.revive(name, [])
            elif change == "suppress":
                allocator.suppress(name, [])
            elif change == "away":
                allocator.set_framework_active(name, not allocator.claims[name].active)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1 << 32))
def test_shares_converge(seed: int) -> None:
    """Frameworks that take all they are offered for a while end with shares no further apart than one agent."""
    chance = Random(seed)
    clock = FakeClock()
    allocator = Allocator(clock, chance.shuffle)
    agents = chance.randint(10, 40)
    add_agents(allocator, agents)
    frameworks = [f"f{number}" for number in range(chance.randint(2, 8))]
    for name in frameworks:
        allocator.add_framework(name, [name], [], [])
    held = allocator.allocate()
    for _ in range(5):
        for one in chance.sample(held, len(held) // 2):
            held.remove(one)
            allocator.recover(one.framework_id, one.role, one.agent_id, one.resources)
        clock.advance_ms(1_000)
        held += allocator.allocate()
    shares = [allocator.roles.share(name) for name in frameworks]
    assert max(shares) - min(shares) <= 1 / agents + 1e-9


@pytest.mark.parametrize(("agents", "tasks"), [(100, 5_000), pytest.param(1_000, 50_000, marks=pytest.mark.slow)])
def test_a_day_of_a_large_cluster(agents: int, tasks: int) -> None:
    """100 frameworks: all tasks run, nothing is given twice, all comes back."""
    chance = Random(7)
    clock = FakeClock()
    allocator = Allocator(clock, chance.shuffle)
    add_agents(allocator, agents, "cpus:16;mem:65536")
    task = parse_resources("cpus:1;mem:1024")
    waiting = {f"f{number}": tasks // 100 for number in range(100)}
    for number, name in enumerate(waiting):
        allocator.add_framework(name, [f"r{number % 10}"], [], [])
    running: list[tuple[int, Grant]] = []
    started = 0
    while started < tasks or running:
        clock.advance_ms(1_000)
        now_s = clock.monotonic_ms() // 1_000
        for _, grant in [one for one in running if one[0] <= now_s]:
            allocator.recover(grant.framework_id, grant.role, grant.agent_id, grant.resources)
        running = [one for one in running if one[0] > now_s]
        for grant in allocator.allocate():
            count = min(waiting[grant.framework_id], int(grant.resources.scalar("cpus")))
            used = Resources({kind: amount * count for kind, amount in task if count and isinstance(amount, int)})
            waiting[grant.framework_id] -= count
            started += count
            allocator.recover(grant.framework_id, grant.role, grant.agent_id, grant.resources - used, 5.0)
            if count:
                ends_s = now_s + chance.randint(5, 60)
                running.append((ends_s, Grant(grant.framework_id, grant.role, grant.agent_id, used)))
        assert clock.monotonic_ms() < 24 * 3600 * 1_000
    assert started == tasks
    assert not any(waiting.values())
    assert all(pool.free == pool.total and not pool.allocated for pool in allocator.agents.values())
