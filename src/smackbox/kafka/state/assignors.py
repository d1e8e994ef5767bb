"""The server-side assignors of KIP-848: they decide which member reads which partition.

`range` goes topic by topic: members, sorted by id, get contiguous partitions, as evenly as possible. Topics with the
same number of partitions and the same subscribers are assigned alike, so that one member reads both sides of a join.
`uniform` balances over all topics, and takes no partition from a member without need. If all members subscribe to the
same topics, their counts differ by one at most; otherwise each free partition goes to the least loaded subscriber.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

Topics = Mapping[bytes, int]  # partitions by topic id
Subscriptions = Mapping[str, frozenset[bytes]]  # topic ids by member id
Assignment = dict[bytes, set[int]]
Assignments = dict[str, Assignment]
Assignor = Callable[[Topics, Subscriptions, Mapping[str, Assignment]], Assignments]

UNIFORM = "uniform"
RANGE = "range"


def assign_range(topics: Topics, subscriptions: Subscriptions, current: Mapping[str, Assignment]) -> Assignments:  # noqa: ARG001 - it does not look back
    """Kafka's range assignor: each member gets contiguous partitions of each topic."""
    result: Assignments = {member: {} for member in subscriptions}
    for topic in sorted(topics):
        members = sorted(member for member, wanted in subscriptions.items() if topic in wanted)
        if not members:
            continue
        each, more = divmod(topics[topic], len(members))
        begin = 0
        for place, member in enumerate(members):
            end = begin + each + (place < more)
            if end > begin:
                result[member][topic] = set(range(begin, end))
            begin = end
    return result


def assign_uniform(topics: Topics, subscriptions: Subscriptions, current: Mapping[str, Assignment]) -> Assignments:
    """Kafka's uniform assignor: partitions stay where they are as long as all members have equally many."""
    result: Assignments = {member: {} for member in subscriptions}
    load = dict.fromkeys(subscriptions, 0)
    same = len(set(subscriptions.values())) == 1
    wanted_topics = {topic for wanted in subscriptions.values() for topic in wanted}
    total = sum(count for topic, count in topics.items() if topic in wanted_topics)
    floor, more = divmod(total, len(subscriptions)) if subscriptions else (0, 0)
    free = {(topic, index) for topic, count in topics.items() if topic in wanted_topics for index in range(count)}

    def give(member: str, topic: bytes, index: int) -> None:
        result[member].setdefault(topic, set()).add(index)
        load[member] += 1
        free.discard((topic, index))

    for member in sorted(subscriptions):
        for topic in sorted(current.get(member, {})):
            for index in sorted(current[member][topic]):
                if topic not in subscriptions[member] or (topic, index) not in free:
                    continue
                if same and load[member] >= floor + (more > 0):
                    continue
                if same and load[member] == floor:
                    more -= 1
                give(member, topic, index)
    for topic, index in sorted(free):
        able = [member for member, wanted in subscriptions.items() if topic in wanted]
        give(min(able, key=lambda member: (load[member], member)), topic, index)
    if not same:
        _level(subscriptions, result, load)
    return result


def _level(subscriptions: Subscriptions, result: Assignments, load: dict[str, int]) -> None:
    """Move single partitions from the most loaded members to the least loaded until no move improves the balance."""
    moved = True
    while moved:
        moved = False
        for taker in sorted(subscriptions, key=lambda member: (load[member], member)):
            givers = sorted(subscriptions, key=lambda member: (-load[member], member))
            for giver in givers:
                if load[giver] - load[taker] < 2:
                    break
                topic = next((t for t in sorted(result[giver]) if t in subscriptions[taker] and result[giver][t]), None)
                if topic is None:
                    continue
                index = max(result[giver][topic])
                result[giver][topic].discard(index)
                if not result[giver][topic]:
                    del result[giver][topic]
                result[taker].setdefault(topic, set()).add(index)
                load[giver] -= 1
                load[taker] += 1
                moved = True
                break


ASSIGNORS: dict[str, Assignor] = {UNIFORM: assign_uniform, RANGE: assign_range}
