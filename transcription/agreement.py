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
        """What followed the stable words in the pass before."""

    def partial(self, words: list[str]) -> list[str]:
        """Take the words of a new pass; return the words to show: the stable ones, then the rest of this pass.

        The last word of a pass is never stable: it may be cut off.
        """
        rest = self._rest(words)
        agreed = 0
        for one, other in zip(rest[:-1], self._before, strict=False):
            if normal(one) != normal(other):
                break
            agreed += 1
        self.stable += rest[:agreed]
        self._before = rest[agreed:]
        return self.stable + self._before

    def final(self, words: list[str]) -> list[str]:
        """Take the last pass; stable words stay as they were shown, the rest comes from this pass."""
        return self.stable + self._rest(words)

    def _rest(self, words: list[str]) -> list[str]:
        """Return what follows the stable words in a pass, which may write them otherwise or in another number.

        They end where the beginning of the pass is most like them (edit distance over words).
        """
        if not self.stable:
            return words
        costs = list(range(len(words) + 1))
        plain = [normal(word) for word in words]
        for row, stable in enumerate(map(normal, self.stable), 1):
            diagonal, costs[0] = costs[0], row
            for column, word in enumerate(plain, 1):
                changed = diagonal + (word != stable)
                diagonal = costs[column]
                costs[column] = min(changed, costs[column] + 1, costs[column - 1] + 1)
        end = min(range(len(costs)), key=lambda column: (costs[column], -column))  # rather another word than none
        return words[end:]
