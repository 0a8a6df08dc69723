"""Picture numbers that go on over a switch of layers (VP8, VP9).

Each simulcast layer counts its pictures by itself, and counts those that its encoder drops differently from the others
(Chromium lets them begin with the same numbers; a second later they differ). A receiver sees one stream: a picture
number that goes back is a picture of the past to it, and the stream stands still.

Instead of rewriting every packet for every receiver, a layer is renumbered once, on arrival, so that its numbers are
ahead of those that anybody has seen who changes to it. That can only be done at a keyframe, which is where receivers
change, and does not disturb those who were on the layer already: a decoder takes a hole before a keyframe for lost
pictures that nobody needs any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfu.wire.payloads.pictures import PictureNumbers, renumber

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_STRETCHES = 4
"""Numberings remembered for packets that come late; each lasts from a keyframe on."""

MAX_HOLE = 64
"""A picture number that is ahead by no more is left as it is (a sixteenth of what the field holds, if that is less)."""


class PictureNumbering:
    """The numbering of one layer: its own numbers and what is added to them, by packet index."""

    __slots__ = ("_find", "_stretches")

    def __init__(self, find: Callable[[bytes], PictureNumbers | None]) -> None:
        """Begin with the publisher's own numbers; `find` reads them from a payload."""
        self._find = find
        self._stretches = [(-1, 0, 0)]
        """(first packet index, picture offset, TL0 offset), newest first."""

    def renumber(self, index: int, payload: bytes) -> bytes:
        """Return the payload of the packet with this index as it is to be stored and sent."""
        _, picture_offset, tl0_offset = self._at(index)
        if not picture_offset and not tl0_offset:
            return payload
        numbers = self._find(payload)
        return payload if numbers is None else renumber(payload, numbers, picture_offset, tl0_offset)

    def find(self, payload: bytes) -> PictureNumbers | None:
        """Return the numbers in a payload."""
        return self._find(payload)

    def go_on(self, index: int, payload: bytes, seen: Iterable[PictureNumbers]) -> bytes:
        """Let the numbers from this packet on, the first one of a keyframe, be ahead of all that were seen.

        `payload` is what `renumber` returned; what is to be stored and sent instead is returned.
        """
        numbers = self._find(payload)
        if numbers is None:
            return payload
        seen = list(seen)
        picture = _ahead(numbers.picture, [each.picture for each in seen], numbers.picture_bits)
        tl0 = _ahead(numbers.tl0, [each.tl0 for each in seen if each.tl0_at], 8) if numbers.tl0_at else 0
        if not picture and not tl0:
            return payload
        _, picture_offset, tl0_offset = self._at(index)
        self._stretches.insert(0, (index, picture_offset + picture & 0x7FFF, tl0_offset + tl0 & 0xFF))
        del self._stretches[MAX_STRETCHES:]
        return renumber(payload, numbers, picture, tl0)

    def _at(self, index: int) -> tuple[int, int, int]:
        stretches = self._stretches
        newest = stretches[0]
        if index >= newest[0]:
            return newest
        return next((stretch for stretch in stretches if index >= stretch[0]), stretches[-1])


def _ahead(number: int, seen: list[int], bits: int) -> int:
    """Return what must be added to a number of so many bits to be the next one after all that were seen, or 0."""
    if not seen:
        return 0
    size = 1 << bits
    newest = seen[0]
    for other in seen[1:]:
        if 0 < (other - newest) % size < size // 2:
            newest = other
    if 0 < (number - newest) % size <= min(MAX_HOLE, size // 16):
        return 0
    return (newest + 1 - number) % size
