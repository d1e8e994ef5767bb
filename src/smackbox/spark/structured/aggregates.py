"""Aggregate functions in pieces: what Sail computes of a batch, how that joins the state, and what comes out.

A function is a few partial functions of its arguments, a merge of two lists of partial values, and a result. `NaN` and
nulls are what Sail makes of them within a batch; a merge treats null as nothing, as Spark's functions do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

from smackbox.spark.front.errors import not_there
from smackbox.spark.front.rewrite import legacy_analysis_error

Values = list[Any]
DECIMAL = Context(prec=76)
"""Sums of 38 digits are exact."""


@dataclass(frozen=True)
class Aggregate:
    """`partials`: functions of Sail on the arguments whose numbers follow each."""

    partials: tuple[tuple[str, tuple[int, ...]], ...]
    merge: Callable[[Values, Values], Values]
    result: Callable[[Values], Any]


def aggregate_of(function: Any) -> Aggregate | None:
    """How an `UnresolvedFunction` is merged; None when it is no aggregate function.

    Raises `SparkError` for distinct aggregates, as Spark does, and for those that cannot be merged here.
    """
    name = function.function_name.lower()
    if name in _REFUSED:
        raise not_there(f"the aggregate function {name} on a stream", f"These are there: {', '.join(sorted(_KNOWN))}.")
    if name not in _KNOWN:
        return None
    if function.is_distinct:
        raise legacy_analysis_error(
            "Distinct aggregations are not supported on streaming DataFrames/Datasets. Consider using "
            "approx_count_distinct() instead."
        )
    if name in {"first", "first_value", "last", "last_value", "any_value"} and len(function.arguments) == 2:
        if function.arguments[1].literal.boolean:
            return _FIRST_OF_SOME if name.startswith(("first", "any")) else _LAST_OF_SOME
        return _KNOWN[name]
    return _KNOWN[name]


def _add(old: Any, new: Any) -> Any:
    if old is None or new is None:
        return new if old is None else old
    return DECIMAL.add(old, new) if isinstance(old, Decimal) else old + new


def _add_all(old: Values, new: Values) -> Values:
    return [_add(a, b) for a, b in zip(old, new, strict=True)]


def _average(values: Values) -> Any:
    total, count = values
    if not count or total is None:
        return None
    return DECIMAL.divide(total, Decimal(count)) if isinstance(total, Decimal) else total / count


def _order(value: Any) -> Any:
    """NaN is larger than any other number in Spark; null structs' fields come first."""
    if isinstance(value, float):
        return (1, 0.0) if math.isnan(value) else (0, value)
    if isinstance(value, dict):
        return tuple(_order(item) for item in value.values())
    if isinstance(value, list):
        return tuple(_order(item) for item in value)
    return (-1, 0) if value is None else (0, value)


def _least(old: Any, new: Any) -> Any:
    if old is None or new is None:
        return new if old is None else old
    return min(old, new, key=_order)


def _greatest(old: Any, new: Any) -> Any:
    if old is None or new is None:
        return new if old is None else old
    return max(old, new, key=_order)


def _union(old: Values, new: Values) -> Values:
    """Sets as lists, in the order of arrival."""
    found = list(old[0] or [])
    seen = {repr(value) for value in found}
    for value in new[0] or []:
        if repr(value) not in seen:
            seen.add(repr(value))
            found.append(value)
    return [found]


def _moments(old: Values, new: Values) -> Values:
    """Count, mean and sum of squared distances of two parts (Chan et al.); a part's third value is its variance."""
    if not old[0] or not new[0]:
        return new if not old[0] else old
    count = old[0] + new[0]
    distance = new[1] - old[1]
    mean = old[1] + distance * new[0] / count
    squares = old[2] * old[0] + new[2] * new[0] + distance * distance * old[0] * new[0] / count
    return [count, mean, squares / count]


def _variance(*, sample: bool, root: bool) -> Callable[[Values], Any]:
    def result(values: Values) -> Any:
        count, _, spread = values
        if not count or (sample and count == 1):
            return None
        value = spread * count / (count - 1) if sample else spread
        return math.sqrt(value) if root else value

    return result


def _by(better: Callable[[Any, Any], Any]) -> Callable[[Values, Values], Values]:
    """`max_by` and `min_by`: the value, and what it is ordered by."""

    def merge(old: Values, new: Values) -> Values:
        if new[1] is None:
            return old
        return new if old[1] is None or (better(old[1], new[1]) == new[1] and old[1] != new[1]) else old

    return merge


def _each(merge: Callable[[Any, Any], Any]) -> Callable[[Values, Values], Values]:
    return lambda old, new: [merge(old[0], new[0])]


def _only(values: Values) -> Any:
    return values[0]


def _simple(name: str, merge: Callable[[Any, Any], Any], arguments: Sequence[int] = (0,)) -> Aggregate:
    return Aggregate(((name, tuple(arguments)),), _each(merge), _only)


def _moment(*, sample: bool, root: bool) -> Aggregate:
    parts = (("count", (0,)), ("avg", (0,)), ("var_pop", (0,)))
    return Aggregate(parts, _moments, _variance(sample=sample, root=root))


_FIRST_OF_SOME = _simple("first", lambda old, new: new if old is None else old, (0, 1))
_LAST_OF_SOME = _simple("last", lambda old, new: old if new is None else new, (0, 1))
_ALL = -1
"""All arguments."""

_KNOWN: dict[str, Aggregate] = {
    "count": Aggregate((("count", (_ALL,)),), _add_all, _only),
    "sum": _simple("sum", _add),
    "min": _simple("min", _least),
    "max": _simple("max", _greatest),
    "first": _simple("first", lambda old, _: old),
    "last": _simple("last", lambda _, new: new),
    "collect_list": _simple("collect_list", lambda old, new: [*(old or []), *(new or [])]),
    "collect_set": Aggregate((("collect_set", (0,)),), _union, _only),
    "approx_count_distinct": Aggregate((("collect_set", (0,)),), _union, lambda values: len(values[0] or [])),
    "avg": Aggregate((("sum", (0,)), ("count", (0,))), _add_all, _average),
    "var_pop": _moment(sample=False, root=False),
    "var_samp": _moment(sample=True, root=False),
    "stddev_pop": _moment(sample=False, root=True),
    "stddev_samp": _moment(sample=True, root=True),
    "bool_and": _simple("bool_and", lambda old, new: _both(old, new, all)),
    "bool_or": _simple("bool_or", lambda old, new: _both(old, new, any)),
    "count_if": _simple("count_if", _add),
    "max_by": Aggregate((("max_by", (0, 1)), ("max", (1,))), _by(_greatest), _only),
    "min_by": Aggregate((("min_by", (0, 1)), ("min", (1,))), _by(_least), _only),
}
_SAME = {
    "mean": "avg", "first_value": "first", "any_value": "first", "last_value": "last", "array_agg": "collect_list",
    "variance": "var_samp", "stddev": "stddev_samp", "std": "stddev_samp", "every": "bool_and", "any": "bool_or",
    "some": "bool_or",
}  # fmt: skip
_KNOWN.update({other: _KNOWN[name] for other, name in _SAME.items()})
_REFUSED = frozenset(
    {"corr", "covar_pop", "covar_samp", "kurtosis", "skewness", "percentile", "percentile_approx", "approx_percentile"}
    | {"median", "mode", "histogram_numeric", "grouping", "grouping_id", "bit_and", "bit_or", "bit_xor", "try_sum"}
    | {"try_avg", "listagg", "string_agg", "regr_count", "regr_slope", "product", "percentile_cont", "percentile_disc"}
    | {"hll_sketch_agg", "count_min_sketch", "sum_distinct", "count_distinct"}
)


def _both(old: Any, new: Any, join: Callable[[list[bool]], bool]) -> Any:
    if old is None or new is None:
        return new if old is None else old
    return join([old, new])
