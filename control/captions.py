"""Captions as a transcriber tells them, and why none come."""

import msgspec

from control.ids import ParticipantId, PublicationId, RoomId
from control.struct import Struct


class CaptionWord(Struct, frozen=True):
    """One word with its time on the server's wall clock and its probability (0 to 1)."""

    text: str
    start_at_s: float
    end_at_s: float
    probability: float


class Caption(Struct, tag="caption", frozen=True):
    """Words of one speaker. A later `revision` of a `segment` replaces an earlier one; `final` ends it.

    The first `stable_chars` characters of `text` will never change; only a final one with an empty text withdraws what
    was shown, since nobody said it.
    """

    room: RoomId
    participant: ParticipantId
    publication: PublicationId
    speaker: str
    segment: str
    revision: int
    final: bool
    text: str
    stable_chars: int
    start_at_s: float
    end_at_s: float
    language: str
    model: str
    words: list[CaptionWord] = msgspec.field(default_factory=list)
    gap: bool = False
    """True for words that were spoken and are missing, since there was no time for them; `text` ends with […]."""


CAPTION_PROBLEMS = ("model_missing", "model_damaged", "engine_failed")
"""Why there are no captions: codes of `CaptionsUnavailable`, and of `Failed` to `StartCaptions`."""


class CaptionsUnavailable(Struct, tag="captions_unavailable", frozen=True):
    """Captions that were begun will not come: there is no model to work with (`CAPTION_PROBLEMS`)."""

    code: str
    reason: str
