"""CQL keywords that may be the value of an option without quotes (Cassandra's `Parser.g`)."""

from __future__ import annotations

_WORDS = """
    access aggregate aggregates all ann any as ascii between bigint blob boolean called cast cidrs cluster clustering
    column columns compact contains count counter custom datacenters date decimal default distinct double duration
    entries exists filtering finalfunc float frozen function functions generated group groups hashed identity inet
    initcond input int internals json key keys keyspaces language level like list login map mask masked maxwritetime
    nologin nosuperuser only options partition password per permission permissions replace returns role roles
    select_masked sfunc smallint static storage stype super superuser tables text time timestamp timeuuid tinyint
    trigger ttl tuple type types unmask unset user users uuid values varchar varint vector writetime
"""
UNRESERVED = frozenset(_WORDS.split())
