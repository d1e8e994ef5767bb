"""The options of keyspaces: `replication` and `durable_writes`, as Cassandra checks and stores them."""

from __future__ import annotations

import re

from smackbox.cassandra.wire.cql.ast import OptionValue
from smackbox.cassandra.wire.errors import ConfigFault, Invalid, SyntaxFault

_LOCATOR_PACKAGE = "org.apache.cassandra.locator."
_FACTOR = "replication_factor"
DEFAULT_FACTOR = "1"
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def boolean_option(name: str, value: str) -> bool:
    """A boolean option. Raises `SyntaxFault`."""
    flag = _BOOLEANS.get(value.lower())
    if flag is None:
        raise SyntaxFault(
            f"Invalid boolean value {value} for '{name}'. Positive values can be '1', 'true' or 'yes'. Negative values "
            "can be '0', 'false' or 'no'."
        )
    return flag


def keyspace_options(
    given: dict[str, OptionValue],
    name: str,
    data_center: str,
    previous: tuple[dict[str, str], bool] | None = None,
) -> tuple[dict[str, str], bool]:
    """Replication and durable_writes; `previous` are the options that ALTER changes. Raises `SyntaxFault` or
    `ConfigFault`.
    """
    for option in given:
        if option not in {"replication", "durable_writes"}:
            raise SyntaxFault(f"Unknown property '{option}'")
    replication, durable = previous or ({}, True)
    given_durable = given.get("durable_writes")
    if given_durable is not None:
        if isinstance(given_durable, dict):
            raise SyntaxFault("Invalid value for property 'durable_writes'. It should be a string")
        durable = boolean_option("durable_writes", given_durable)
    given_replication = given.get("replication")
    if given_replication is None:
        if previous is None:
            raise Invalid("Missing mandatory option 'replication'")
        return replication, durable
    if not isinstance(given_replication, dict):
        raise SyntaxFault("Invalid value for property 'replication'. It should be a map")
    if not given_replication:
        if previous is None:
            raise ConfigFault("Missing mandatory replication strategy class")
        return replication, durable
    return _replication(given_replication, name, data_center, replication), durable


def _replication(given: dict[str, str], name: str, data_center: str, previous: dict[str, str]) -> dict[str, str]:
    kind = given.get("class")
    if kind is None:
        raise ConfigFault("Missing replication strategy class")
    strategy = kind if "." in kind else _LOCATOR_PACKAGE + kind
    short = strategy.removeprefix(_LOCATOR_PACKAGE)
    if short == "OldNetworkTopologyStrategy":
        raise ConfigFault(
            "The support for the OldNetworkTopologyStrategy has been removed in C* version 4.0. The keyspace strategy "
            "should be switch to NetworkTopologyStrategy"
        )
    if short == "LocalStrategy":
        raise Invalid("Unable to use given strategy class: LocalStrategy is reserved for internal use.")
    if short not in {"SimpleStrategy", "NetworkTopologyStrategy"} or not strategy.startswith(_LOCATOR_PACKAGE):
        raise ConfigFault(f"Unable to find replication strategy class '{strategy}'")
    options = {option: value for option, value in given.items() if option != "class"}
    if short == "SimpleStrategy":
        options.setdefault(_FACTOR, DEFAULT_FACTOR)
        known = _FACTOR
    else:
        options = _for_data_center(options, previous, data_center)
        known = data_center
    factors_first = short == "NetworkTopologyStrategy"
    if factors_first:
        _check_factors(options)
    unknown = next((option for option in sorted(options) if option != known), None)
    if unknown is not None:
        raise ConfigFault(f"Unrecognized strategy option {{{unknown}}} passed to {short} for keyspace {name}")
    if not factors_first:
        _check_factors(options)
    if not options:
        raise ConfigFault("Configuration for at least one datacenter must be present")
    return {"class": strategy, **options}


def _for_data_center(options: dict[str, str], previous: dict[str, str], data_center: str) -> dict[str, str]:
    """A plain factor applies to the data centre, unless the keyspace has a factor for it; factor 0 means no
    replicas.
    """
    options = dict(options)
    factor = options.pop(_FACTOR, None)
    if factor is not None:
        if data_center in previous:
            options.setdefault(data_center, previous[data_center])
    elif not options:
        factor = previous.get(_FACTOR, previous.get(data_center, DEFAULT_FACTOR))
    if factor is not None:
        options.setdefault(data_center, factor)
    return {option: value for option, value in options.items() if value != "0"}


def _check_factors(options: dict[str, str]) -> None:
    for value in options.values():
        _check_factor(value)


def _check_factor(text: str) -> None:
    """`replicas` or `replicas/transient`; transient replicas are not supported."""
    parts = text.split("/")
    if len(parts) > 2 or (len(parts) == 2 and not parts[1]):
        raise ConfigFault("Replication factor format is <replicas> or <replicas>/<transient>")
    numbers = []
    for part in parts:
        if not re.fullmatch(r"[+-]?\d+", part, re.ASCII) or not -(2**31) <= int(part) < 2**31:
            raise ConfigFault(f'For input string: "{part}"')
        numbers.append(int(part))
    if numbers[0] < 0:
        raise ConfigFault(f"Replication factor must be non-negative, found {numbers[0]}")
    if len(numbers) == 2 and numbers[1]:
        raise ConfigFault("Transient replication is not enabled on this node")
