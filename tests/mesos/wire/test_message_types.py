"""The types of messages are those of the table of fields."""

from __future__ import annotations

from pathlib import Path
from typing import get_type_hints

from smackbox.mesos.wire import message_types, messages
from smackbox.mesos.wire.fields import message_names, message_type


def test_the_module_is_what_the_table_makes() -> None:
    text = Path(messages.__file__).read_text(encoding="utf-8")
    assert text == message_types.source(), (
        "run python -m smackbox.mesos.wire.message_types > src/smackbox/mesos/wire/messages.py"
    )


def test_a_type_has_the_keys_of_its_message_and_requires_the_required() -> None:
    for name in message_names():
        kind = getattr(messages, message_types.python_name(name))
        fields = message_type(name).fields
        assert set(get_type_hints(kind)) == {field.name for field in fields}
        assert kind.__total__
        optional = {key for key, hint in kind.__annotations__.items() if "NotRequired" in str(hint)}
        assert {field.name for field in fields if field.required} == {field.name for field in fields} - optional
