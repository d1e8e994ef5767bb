"""Expressions as Cassandra shows them in messages and in column names."""

from __future__ import annotations

from collections.abc import Callable

from smackbox.cassandra.wire.cql import ast


def bare(expression: ast.Expression) -> ast.Expression:
    """An expression without its parentheses, which parse as a tuple of one."""
    while isinstance(expression, ast.TupleLiteral) and len(expression.items) == 1:
        expression = expression.items[0]
    return expression


def function_name(call: ast.Call) -> str:
    """A function's name with its keyspace, as in errors."""
    return f"{call.keyspace or 'system'}.{call.name}"


def operation_name(expression: ast.Binary | ast.Negate) -> str:
    """The function behind an operator, as in errors."""
    return "system." + (expression.operator if isinstance(expression, ast.Binary) else "-")


def show(expression: ast.Expression, named: Callable[[ast.Expression], str] | None = None) -> str:
    """An expression as Cassandra's messages show it. `named` overrides how its operands are shown."""
    inside = named or show
    if isinstance(expression, ast.Literal):
        if expression.kind == "null":
            return "NULL"
        return f"'{expression.text}'" if expression.kind == "string" else expression.text
    if isinstance(expression, ast.Bind):
        return "?" if expression.name is None else f":{expression.name}"
    if isinstance(expression, ast.Column):
        return expression.name
    if isinstance(expression, ast.Call):
        inner = "*" if expression.star else ", ".join(map(show, expression.arguments))
        prefix = f"{expression.keyspace}." if expression.keyspace else ""
        return f"{prefix}{expression.name}({inner})"
    if isinstance(expression, ast.TypeHint):
        return f"({_type_text(expression.type)}){show(expression.value)}"
    if isinstance(expression, ast.Binary):
        return f"{inside(expression.left)} {expression.operator} {inside(expression.right)}"
    if isinstance(expression, ast.Negate):
        return f"-{inside(expression.value)}"
    if isinstance(expression, ast.Cast):
        return f"cast({show(expression.value)} as {_type_text(expression.type)})"
    if isinstance(expression, ast.FieldOf):
        return f"{inside(expression.value)}.{expression.name}"
    if isinstance(expression, ast.ElementOf):
        return f"{inside(expression.value)}[{show(expression.index)}]"
    if isinstance(expression, ast.SliceOf):
        low = "" if expression.low is None else show(expression.low)
        high = "" if expression.high is None else show(expression.high)
        return f"{inside(expression.value)}[{low}..{high}]"
    if isinstance(expression, ast.ListLiteral):
        return f"[{', '.join(map(show, expression.items))}]"
    if isinstance(expression, ast.SetLiteral):
        return f"{{{', '.join(map(show, expression.items))}}}"
    if isinstance(expression, ast.TupleLiteral):
        return f"({', '.join(map(show, expression.items))})"
    if isinstance(expression, ast.MapLiteral):
        return f"{{{', '.join(f'{show(key)}: {show(value)}' for key, value in expression.items)}}}"
    return f"{{{', '.join(f'{name}: {show(value)}' for name, value in expression.fields)}}}"


def _type_text(name: ast.TypeName) -> str:
    inner = name.name
    if name.parameters:
        parts = [*map(_type_text, name.parameters), *([str(name.dimension)] if name.name == "vector" else [])]
        inner += f"<{', '.join(parts)}>"
    return f"frozen<{inner}>" if name.frozen else inner
