"""The control channel's page names every message with all its fields."""

import re
import typing
from pathlib import Path
from typing import Any

import pytest

from control import messages as m
from control.captions import CAPTION_PROBLEMS, CaptionWord
from control.pipes import PipeSpec
from control.tracks import RecordedTrack

PAGE = (Path(__file__).parents[2] / "docs/control.md").read_text("utf-8")
INNER = (PipeSpec, m.TrackOffer, m.SubscriberTrack, RecordedTrack, CaptionWord)
MESSAGES: list[Any] = [
    *dict.fromkeys(
        message
        for union in (m.ToWorker, m.FromWorker, m.Command, m.Result, m.Notice)
        for message in typing.get_args(union)
    )
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__struct_config__.tag)
def test_every_message_has_a_row_with_all_its_fields(message: Any) -> None:
    tag = message.__struct_config__.tag
    (row,) = re.findall(rf"^\| `{tag}` \|.*$", PAGE, re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", row))
    assert set(message.__struct_fields__) <= named, f"{tag} lacks {set(message.__struct_fields__) - named}"


@pytest.mark.parametrize("struct", INNER, ids=lambda struct: struct.__name__)
def test_what_is_inside_of_messages_is_documented_field_by_field(struct: Any) -> None:
    lines = PAGE.splitlines()
    assert any(set(struct.__struct_fields__) <= set(re.findall(r"`(\w+)`", line)) for line in lines)


def test_the_page_names_no_message_that_is_gone() -> None:
    tags = {message.__struct_config__.tag for message in MESSAGES}
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) <= tags


def test_every_reason_for_missing_captions_is_named() -> None:
    assert all(f"`{code}`" in PAGE for code in CAPTION_PROBLEMS)
