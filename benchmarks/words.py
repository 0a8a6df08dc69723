"""French words as they are compared, and what share of them is wrong. Needs jiwer and text2num."""

from __future__ import annotations

import re
from dataclasses import dataclass

import jiwer
from text_to_num import alpha2digit


@dataclass(slots=True, frozen=True)
class Score:
    """Word error rate of all texts together (0.1 = 10 %), and the share of texts whose first word is missing."""

    wer: float
    substituted: int
    deleted: int
    inserted: int
    words: int
    first_word_missing: float


def normal(text: str) -> str:
    """Return French text as it is compared: lower case, numbers as digits, apostrophes and hyphens as spaces."""
    plain = alpha2digit(text.casefold().replace("’", "'"), "fr")
    return " ".join(re.sub(r"[^\w]", " ", plain).split())


def score(said: list[str], heard: list[str]) -> Score:
    """Compare what was said with what was heard, text by text."""
    found = jiwer.process_words([normal(text) for text in said], [normal(text) for text in heard])
    cut = [chunks for chunks in found.alignments if chunks and chunks[0].type == "delete"]
    return Score(
        found.wer,
        found.substitutions,
        found.deletions,
        found.insertions,
        found.hits + found.substitutions + found.deletions,
        len(cut) / len(said),
    )
