"""Online migration: a group changes its protocol while it has members (KIP-848).

Upgrade: the first ConsumerGroupHeartbeat to a classic group of consumers converts it into a KIP-848 group. Each classic
member stays, with its last assignment from the leader. Downgrade: when the last KIP-848 member has left, the classic
members form a classic group again, which rebalances. `group.consumer.migration.policy` controls which of the two is
allowed.
"""

from __future__ import annotations

from enum import Enum

from smackbox.base.errors import ProtocolError
from smackbox.kafka.state.assignors import Assignment
from smackbox.kafka.state.catalog import Catalog
from smackbox.kafka.state.classic_group import ClassicGroup
from smackbox.kafka.state.classic_member import Member
from smackbox.kafka.state.consumer_member import ClassicMembership, ConsumerMember
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.mixed_group import CONSUMER_PROTOCOL, MixedGroup
from smackbox.kafka.wire import consumer_subscription
from smackbox.kafka.wire import error_codes as errors


class MigrationPolicy(Enum):
    """The values of `group.consumer.migration.policy`."""

    BIDIRECTIONAL = "bidirectional"
    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"
    DISABLED = "disabled"

    @property
    def upgrades(self) -> bool:
        """Whether a KIP-848 member may join a classic group."""
        return self in {MigrationPolicy.BIDIRECTIONAL, MigrationPolicy.UPGRADE}

    @property
    def downgrades(self) -> bool:
        """Whether a group whose last KIP-848 member leaves becomes a classic one."""
        return self in {MigrationPolicy.BIDIRECTIONAL, MigrationPolicy.DOWNGRADE}


def upgraded_members(group: ClassicGroup, catalog: Catalog) -> list[ConsumerMember]:
    """The members in their KIP-848 form. Raises `KafkaError` when they do not use the consumer protocol."""
    try:
        return [_upgraded(group, member, catalog) for member in group.members.values()]
    except ProtocolError as error:
        raise KafkaError(
            errors.GROUP_ID_NOT_FOUND,
            f"Cannot upgrade classic group {group.group_id} to consumer group because the embedded consumer protocol "
            f"is malformed: {error}",
        ) from error


def _upgraded(group: ClassicGroup, member: Member, catalog: Catalog) -> ConsumerMember:
    name = group.protocol_name if group.protocol_name in member.protocols else next(iter(member.protocols))
    subscription = consumer_subscription.subscription(member.protocols[name])
    upgraded = ConsumerMember(
        member.member_id,
        member.instance_id,
        subscription.rack_id,
        member.client_id,
        member.client_host,
        member.rebalance_timeout_ms,
        frozenset(subscription.topics),
        epoch=group.generation,
        previous_epoch=group.generation,
        assigned=_assigned(member.assignment, catalog),
        classic=ClassicMembership(member.session_timeout_ms, dict(member.protocols)),
    )
    upgraded.keep_epochs()
    return upgraded


def _assigned(data: bytes, catalog: Catalog) -> Assignment:
    """The leader's assignment; empty when the member never synced. Raises `ProtocolError`."""
    if not data:
        return {}
    assignment: Assignment = {}
    for entry in consumer_subscription.assignment(data).assigned_partitions:
        if entry.topic in catalog.topics and entry.partitions:
            assignment.setdefault(catalog.topics[entry.topic].topic_id, set()).update(entry.partitions)
    return assignment


def downgrade(group: MixedGroup, made: ClassicGroup) -> None:
    """Move the members of `group`, which all use the classic protocol, to the empty classic group `made`."""
    members = []
    for member in group.members.values():
        classic = member.classic
        assert classic is not None
        version = consumer_subscription.version_of(classic.protocols[classic.protocol_name])
        members.append(
            Member(
                member.member_id,
                member.instance_id,
                member.client_id,
                member.client_host,
                classic.session_timeout_ms,
                member.rebalance_timeout_ms,
                dict(classic.protocols),
                consumer_subscription.encoded_assignment(group.by_name(member.assigned), version),
            )
        )
    made.take_over(CONSUMER_PROTOCOL, group.epoch, members)
