"""EBML elements (RFC 8794): how a Matroska file is made of them, and how they are found again in one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import pack
from typing import Protocol

from recordings.errors import MalformedFileError

UNKNOWN_SIZE = b"\x01" + b"\xff" * 7
"""Size of an element that ends with the file, in eight bytes so that the true one can take its place."""
VOID = 0xEC
MAX_HEADER_BYTES = 12


class Readable(Protocol):
    """Bytes, or a file mapped into memory."""

    def __getitem__(self, part: slice, /) -> bytes: ...
    def __len__(self) -> int: ...


def identifier(number: int) -> bytes:
    """Return an element ID, marker bits included."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def size(value: int, width: int | None = None) -> bytes:
    """Return a data size in the fewest bytes, or in `width` bytes."""
    if width is None:
        width = 1
        while value >= (1 << 7 * width) - 1:
            width += 1
    return (value | 1 << 7 * width).to_bytes(width, "big")


def element(number: int, data: bytes) -> bytes:
    """Return an element with its data."""
    return identifier(number) + size(len(data)) + data


def unsigned(number: int, value: int, width: int | None = None) -> bytes:
    """Return an unsigned integer element, in the fewest bytes or in `width`."""
    return element(number, value.to_bytes(width or max(1, (value.bit_length() + 7) // 8), "big"))


def signed(number: int, value: int) -> bytes:
    """Return a signed integer or date element in eight bytes."""
    return element(number, value.to_bytes(8, "big", signed=True))


def real(number: int, value: float) -> bytes:
    """Return a float element in eight bytes."""
    return element(number, pack("!d", value))


def text(number: int, value: str) -> bytes:
    """Return a UTF-8 string element."""
    return element(number, value.encode())


def void(total: int) -> bytes:
    """Return a Void element of `total` bytes, at least 2."""
    width = 1 if total < 129 else 8
    return identifier(VOID) + size(total - 1 - width, width) + bytes(total - 1 - width)


@dataclass(slots=True, frozen=True)
class Element:
    """Where an element is in a file: its header at `at`, its data from `start` up to `end`."""

    number: int
    at: int
    start: int
    end: int | None
    """None when the size is unknown."""


def read(data: Readable, at: int) -> Element:
    """Read the header of the element at a position; raises MalformedFileError."""
    head = data[at : at + MAX_HEADER_BYTES]
    if not head or not head[0] & 0xF0:
        raise MalformedFileError(f"no element at {at}")
    id_bytes = 9 - head[0].bit_length()
    if len(head) <= id_bytes or not head[id_bytes]:
        raise MalformedFileError(f"the element at {at} has no size")
    size_bytes = 9 - head[id_bytes].bit_length()
    raw = head[id_bytes : id_bytes + size_bytes]
    if len(raw) < size_bytes:
        raise MalformedFileError(f"the size of the element at {at} is cut short")
    start = at + id_bytes + size_bytes
    value = int.from_bytes(raw, "big") & ((1 << 7 * size_bytes) - 1)
    unknown = value == (1 << 7 * size_bytes) - 1
    return Element(int.from_bytes(head[:id_bytes], "big"), at, start, None if unknown else start + value)


def children(data: Readable, start: int, end: int) -> Iterator[Element]:
    """Read the elements between two positions; raises MalformedFileError when one does not fit."""
    while start < end:
        child = read(data, start)
        if child.end is None or child.end > end:
            raise MalformedFileError(f"the element at {start} does not end where it should")
        yield child
        start = child.end


def unsigned_of(data: Readable, found: Element) -> int:
    """Return an unsigned integer element's value."""
    return int.from_bytes(data[found.start : found.end], "big")
