"""Local agreement: words that two passes in a row agree on are stable and never taken back (arXiv 2307.14743)."""

from __future__ import annotations

import unicodedata


def normal(word: str) -> str:
    """Return a word as it is compared: lower case, without punctuation around it."""
    return "".join(c for c in unicodedata.normalize("NFKC", word).casefold() if c.isalnum() or c in "'’-")


class Agreement:
    """The stable words of one utterance."""

    def __init__(self) -> None:
        self.stable: list[str] = []
        self._before: list[str] = []

    def partial(self, words: list[str]) -> list[str]:
        """Take the words of a new pass; return the words to show: the stable ones, then the rest of this pass.

        The last word of a pass is never stable: it may be cut off.
        """
        agreed = 0
        for one, other in zip(words[:-1], self._before, strict=False):
            if normal(one) != normal(other):
                break
            agreed += 1
        self._before = words
        if agreed > len(self.stable):
            self.stable += words[len(self.stable) : agreed]
        return self.stable + words[len(self.stable) :]

    def final(self, words: list[str]) -> list[str]:
        """Take the last pass; stable words stay as they were shown, the rest comes from this pass."""
        return self.stable + words[len(self.stable) :]
