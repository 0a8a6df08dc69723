"""The browser's types of the protocol have the fields of the server's structs."""

import re
from pathlib import Path
from typing import get_args

import msgspec

from signaling import messages

TEXT = (Path(__file__).parents[2] / "web/static/room/protocol.d.ts").read_text("utf-8")
INTERFACES = {
    name: dict(re.findall(r"^    (\w+): (.+);$", body, re.M))
    for name, body in re.findall(r"^  interface (\w+) \{\n(.*?)^  \}", TEXT, re.M | re.S)
}


def fields(struct: type[msgspec.Struct]) -> set[str]:
    tag = {"type"} if struct.__struct_config__.tag else set()
    return {field.encode_name for field in msgspec.structs.fields(struct)} | tag


def test_every_message_of_the_server_has_its_type_with_the_same_fields() -> None:
    for struct in get_args(messages.ServerMessage):
        assert set(INTERFACES[struct.__name__]) == fields(struct), struct.__name__
        assert INTERFACES[struct.__name__]["type"] == f'"{struct.__struct_config__.tag}"'


def test_what_messages_carry_has_the_same_fields() -> None:
    inner = INTERFACES.keys() - {struct.__name__ for struct in get_args(messages.ServerMessage)}
    assert inner
    for name in inner:
        assert set(INTERFACES[name]) == {field.name for field in msgspec.structs.fields(getattr(messages, name))}, name
