"""Messages of the table, made at random.

From a seed and not from strategies: the types contain one another so deeply that drawing each value is too slow.
"""

from base64 import b64encode
from random import Random
from typing import Any

from hypothesis import strategies as st

from smackbox.mesos.wire.fields import INTEGER_BOUNDS, Field, enum_numbers, message_type

DEPTH = 6
TEXTS = ["", "a", "*", "größer", "\n", "😀", "x" * 130]
DOUBLES = [0.0, -0.5, 1.0, 1e300, 5e-324, 31000.125]


def a_message(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """A message of that type: all its required fields and some others, to a certain depth."""
    return st.integers(0, 1 << 64).map(lambda seed: make_message(name, Random(seed), DEPTH))


def make_message(name: str, chance: Random, depth: int) -> dict[str, Any]:
    likely = 0.4 if depth > 3 else 0.15
    return {
        field.name: make_field(field, chance, depth - 1)
        for field in message_type(name).fields
        if field.required or (chance.random() < likely and (field.kind != "message" or depth > 0))
    }


def make_field(field: Field, chance: Random, depth: int) -> Any:
    count = chance.randint(1, 2)
    if field.is_map:
        return {chance.choice(TEXTS): make_value(field, chance, depth) for _ in range(count)}
    if field.repeated:
        return [make_value(field, chance, depth) for _ in range(count)]
    return make_value(field, chance, depth)


def make_value(field: Field, chance: Random, depth: int) -> Any:
    if field.kind == "message":
        return make_message(field.type_name, chance, depth)
    if field.kind == "enum":
        return chance.choice(sorted(enum_numbers(field.type_name)))
    if field.kind in INTEGER_BOUNDS:
        low, high = INTEGER_BOUNDS[field.kind]
        return chance.choice([low, high, 0, 1, 127, 128, 31000, chance.randint(low, high)])
    if field.kind == "bytes":
        return b64encode(chance.randbytes(chance.choice([0, 1, 16]))).decode()
    if field.kind == "double":
        return chance.choice(DOUBLES)
    return chance.random() < 0.5 if field.kind == "bool" else chance.choice(TEXTS)
