import json

import pytest
from hypothesis import given, settings
from tests.mesos.wire.messages import a_message

from smackbox.mesos.wire import json_format
from smackbox.mesos.wire.fields import MessageError, enum_numbers, message_names, message_type

SUBSCRIBE = {"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "u", "name": "n", "roles": ["a", "b"]}}}


def test_what_is_known_is_kept_and_what_is_not_is_left_out() -> None:
    given_call = {**SUBSCRIBE, "colour": "red", "framework_id": {"value": "f", "more": 1}}
    assert json_format.check("scheduler.Call", given_call) == {**SUBSCRIBE, "framework_id": {"value": "f"}}


def test_a_plain_string_may_stand_for_a_list_of_roles() -> None:
    checked = json_format.check("scheduler.Call.Revive", {"roles": "ads"})
    assert checked == {"roles": ["ads"]}


def test_slave_id_is_taken_where_agent_id_is_missing() -> None:
    assert json_format.check(
        "scheduler.Call.Shutdown", {"executor_id": {"value": "e"}, "slave_id": {"value": "s"}}
    ) == {
        "executor_id": {"value": "e"},
        "agent_id": {"value": "s"},
    }


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("scheduler.Call", [], "expecting a JSON object, not array"),
        ("scheduler.Call", {"type": "SUBSCRIB"}, "type: failed to find enum scheduler.Call.Type for 'SUBSCRIB'"),
        ("scheduler.Call", {"type": 1}, "type: not expecting a JSON number for an enum"),
        ("scheduler.Call", {"framework_id": {}}, "framework_id.value: missing required field"),
        ("scheduler.Call", {"framework_id": None}, "framework_id: expecting a JSON object, not null"),
        ("TaskInfo", {"name": 3}, "name: not expecting a JSON number for a string"),
        ("scheduler.Call.Accept", {"offer_ids": [{"value": "a"}, {}]}, "offer_ids[1].value: missing required field"),
        ("scheduler.Call.Acknowledge", {"uuid": "*"}, "uuid: failed to base64 decode"),
        ("Address", {"port": 1 << 31}, "port: 2147483648 is not within the bounds of int32"),
        ("Address", {"port": 1.5}, "port: not expecting a JSON number for an integer"),
        ("CommandInfo", {"shell": 1}, "shell: not expecting a JSON number for a boolean"),
        ("Value.Scalar", {"value": "1"}, "value: not expecting a JSON string for a number"),
        ("quota.QuotaConfig", {"limits": {"cpus": {}}}, "limits['cpus'].value: missing required field"),
    ],
)
def test_what_is_wrong_is_named(name: str, value: object, said: str) -> None:
    with pytest.raises(MessageError) as caught:
        json_format.check(name, value)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(MessageError):
        json_format.decode("scheduler.Call", body)


def test_what_is_written_is_ascii_on_one_line() -> None:
    data = json_format.encode({"message": "größer\n"})
    assert data == b'{"message":"gr\\u00f6\\u00dfer\\n"}'


@settings(max_examples=200, deadline=None)
@given(a_message("scheduler.Call"))
def test_a_message_comes_back_as_it_went(message: dict[str, object]) -> None:
    assert json_format.decode("scheduler.Call", json_format.encode(message)) == message
    assert json.loads(json_format.encode(message)) == message


def test_every_type_of_the_table_can_be_read() -> None:
    for name in message_names():
        fields = message_type(name).fields
        assert len({field.number for field in fields}) == len({field.name for field in fields}) == len(fields)
        for field in fields:
            assert field.kind != "enum" or enum_numbers(field.type_name)
