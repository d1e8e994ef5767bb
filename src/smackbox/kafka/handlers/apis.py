"""The APIs that this broker serves: each one's key and versions, its messages and its handler.

A handler module `handlers/NAME.py` has `handle(broker, call, request)`, which returns the answer or `PARKED`. Modules
are imported on their first request: a broker that never sees a transaction never loads it.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any

from smackbox.kafka.handlers.call import Handler
from smackbox.kafka.wire.schema import Message, Reader, Writer, reader, writer

API_VERSIONS_KEY = 18
SASL_HANDSHAKE_KEY = 17
SASL_AUTHENTICATE_KEY = 36
PRODUCE_KEY = 0
FETCH_KEY = 1


@dataclass(slots=True)
class Api:
    """One API key. `flexible` is the first version with flexible headers and bodies; `advertised_min` differs from
    `min_version` where Kafka advertises versions that it refuses."""

    key: int
    name: str
    min_version: int
    max_version: int
    advertised_min: int | None = None
    _handler: Handler | None = None
    _readers: dict[int, Reader] = field(default_factory=dict)
    _writers: dict[int, Writer] = field(default_factory=dict)
    _flexible: int | None = None

    @property
    def module_name(self) -> str:
        """The name of its handler module and message module: `describe_groups` for DescribeGroups."""
        return "".join(f"_{c.lower()}" if c.isupper() else c for c in self.name).lstrip("_")

    @property
    def handler(self) -> Handler:
        """Its handler, imported on first use."""
        if self._handler is None:
            module = importlib.import_module(f"smackbox.kafka.handlers.{self.module_name}")
            handler: Handler = module.handle
            self._handler = handler
        return self._handler

    @property
    def flexible(self) -> int:
        """The first version with tagged fields and compact strings and arrays (KIP-482)."""
        if self._flexible is None:
            self._flexible = self.request_type.FLEXIBLE
        return self._flexible

    @property
    def request_type(self) -> type[Message]:
        """The message type of its requests."""
        return self._message("Request")

    @property
    def response_type(self) -> type[Message]:
        """The message type of its answers."""
        return self._message("Response")

    def reader(self, version: int) -> Reader:
        """The reader of requests of that version, compiled on first use."""
        if version not in self._readers:
            self._readers[version] = reader(self.request_type, version, version >= self.flexible)
        return self._readers[version]

    def writer(self, version: int) -> Writer:
        """The writer of answers of that version, compiled on first use."""
        if version not in self._writers:
            self._writers[version] = writer(self.response_type, version, version >= self.flexible)
        return self._writers[version]

    def _message(self, suffix: str) -> type[Message]:
        module: Any = importlib.import_module(f"smackbox.kafka.wire.messages.{self.module_name}")
        message_type: type[Message] = getattr(module, self.name + suffix)
        return message_type


_SERVED = (
    # librdkafka stops compressing when Produce is not advertised from 0 on, so Kafka advertises versions 0 to 2 and
    # rejects them
    Api(PRODUCE_KEY, "Produce", 3, 13, advertised_min=0, _flexible=9),
    Api(FETCH_KEY, "Fetch", 4, 18, _flexible=12),
    Api(2, "ListOffsets", 1, 11),
    Api(3, "Metadata", 0, 13),
    Api(8, "OffsetCommit", 2, 10),
    Api(9, "OffsetFetch", 1, 10),
    Api(10, "FindCoordinator", 0, 6),
    Api(11, "JoinGroup", 0, 9),
    Api(12, "Heartbeat", 0, 4),
    Api(13, "LeaveGroup", 0, 5),
    Api(14, "SyncGroup", 0, 5),
    Api(15, "DescribeGroups", 0, 6),
    Api(16, "ListGroups", 0, 5),
    Api(SASL_HANDSHAKE_KEY, "SaslHandshake", 0, 1),
    Api(API_VERSIONS_KEY, "ApiVersions", 0, 5),
    Api(19, "CreateTopics", 2, 7),
    Api(20, "DeleteTopics", 1, 6),
    Api(21, "DeleteRecords", 0, 2),
    Api(22, "InitProducerId", 0, 5),
    Api(23, "OffsetForLeaderEpoch", 2, 4),
    Api(24, "AddPartitionsToTxn", 0, 5),
    Api(25, "AddOffsetsToTxn", 0, 4),
    Api(26, "EndTxn", 0, 5),
    Api(27, "WriteTxnMarkers", 1, 2),
    Api(28, "TxnOffsetCommit", 0, 6),
    Api(29, "DescribeAcls", 1, 3),
    Api(30, "CreateAcls", 1, 3),
    Api(31, "DeleteAcls", 1, 3),
    Api(32, "DescribeConfigs", 1, 4),
    Api(33, "AlterConfigs", 0, 2),
    Api(34, "AlterReplicaLogDirs", 1, 2),
    Api(35, "DescribeLogDirs", 1, 5),
    Api(SASL_AUTHENTICATE_KEY, "SaslAuthenticate", 0, 2),
    Api(37, "CreatePartitions", 0, 3),
    Api(38, "CreateDelegationToken", 1, 3),
    Api(39, "RenewDelegationToken", 1, 2),
    Api(40, "ExpireDelegationToken", 1, 2),
    Api(41, "DescribeDelegationToken", 1, 3),
    Api(42, "DeleteGroups", 0, 3),
    Api(43, "ElectLeaders", 0, 2),
    Api(44, "IncrementalAlterConfigs", 0, 1),
    Api(45, "AlterPartitionReassignments", 0, 1),
    Api(46, "ListPartitionReassignments", 0, 0),
    Api(47, "OffsetDelete", 0, 0),
    Api(48, "DescribeClientQuotas", 0, 1),
    Api(49, "AlterClientQuotas", 0, 1),
    Api(50, "DescribeUserScramCredentials", 0, 0),
    Api(51, "AlterUserScramCredentials", 0, 0),
    Api(55, "DescribeQuorum", 0, 2),
    Api(57, "UpdateFeatures", 0, 2),
    Api(60, "DescribeCluster", 0, 2),
    Api(61, "DescribeProducers", 0, 0),
    Api(65, "DescribeTransactions", 0, 0),
    Api(66, "ListTransactions", 0, 2),
    Api(68, "ConsumerGroupHeartbeat", 0, 1),
    Api(69, "ConsumerGroupDescribe", 0, 1),
    Api(74, "ListConfigResources", 0, 1),
    Api(75, "DescribeTopicPartitions", 0, 0),
)

APIS: dict[int, Api] = {api.key: api for api in _SERVED}
