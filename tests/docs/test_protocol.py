"""The protocol's page names every message, right and error."""

import typing
from pathlib import Path

from control.captions import CAPTION_PROBLEMS
from signaling import messages
from signaling.errors import TEXTS
from signaling.roles import HOST

PAGE = (Path(__file__).parents[2] / "docs/protocol.md").read_text("utf-8")


def test_every_message_is_documented() -> None:
    for union in (messages.ClientMessage, messages.ServerMessage):
        for message in typing.get_args(union):
            assert f"`{message.__struct_config__.tag}`" in PAGE


def test_every_error_and_right_is_documented() -> None:
    for name in [*TEXTS, *HOST, *CAPTION_PROBLEMS]:
        assert f"`{name}`" in PAGE
