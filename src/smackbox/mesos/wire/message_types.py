"""Generates `messages.py` from the table of fields: `python -m smackbox.mesos.wire.message_types > …/messages.py`."""

from __future__ import annotations

from smackbox.mesos.wire.fields import Field, message_names, message_type

_HEADER = '''"""The v1 messages as types: one `TypedDict` for each line of the table of fields. Made by `message_types`.

An enum is its name, `bytes` are base64. A message that passed `json_format.check` or came from `protobuf.decode` has no
other fields than these.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict
'''
_PYTHON = {"string": "str", "bytes": "str", "enum": "str", "bool": "bool", "double": "float"}


def python_name(name: str) -> str:
    """`SchedulerCallAccept` for `scheduler.Call.Accept`."""
    return "".join(part[0].upper() + part[1:] for part in name.split("."))


def source() -> str:
    """The text of `messages.py`."""
    return "\n\n".join([_HEADER, *(_class(name) + "\n" for name in message_names())]).rstrip() + "\n"


def _class(name: str) -> str:
    fields = [f"    {field.name}: {_annotation(field)}" for field in message_type(name).fields]
    about = f'    """`{name}` of the v1 API."""'
    return "\n".join([f"class {python_name(name)}(TypedDict):", about, *(["", *fields] if fields else [])])


def _annotation(field: Field) -> str:
    text = python_name(field.type_name) if field.kind == "message" else _PYTHON.get(field.kind, "int")
    if field.is_map:
        text = f"dict[str, {text}]"
    elif field.repeated:
        text = f"list[{text}]"
    return text if field.required else f"NotRequired[{text}]"


if __name__ == "__main__":
    print(source(), end="")
