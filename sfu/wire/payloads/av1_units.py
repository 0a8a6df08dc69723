"""An AV1 temporal unit from its packets (AV1 RTP specification 1.0), and what a file's header must know of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sfu.errors import MalformedPacketError
from sfu.wire.payloads.bits import BitReader

SEQUENCE_HEADER, TEMPORAL_DELIMITER, FRAME_HEADER, FRAME, TILE_LIST, PADDING = 1, 2, 3, 6, 8, 15
MAX_LEB128_BYTES = 8


def leb128(data: bytes, at: int) -> tuple[int, int]:
    """Return a number and the position after it (AV1 section 4.10.5); raises MalformedPacketError."""
    value = 0
    for number in range(MAX_LEB128_BYTES):
        if at >= len(data):
            break
        value |= (data[at] & 0x7F) << (7 * number)
        at += 1
        if not data[at - 1] & 0x80:
            return value, at
    raise MalformedPacketError("an AV1 length is cut short or too long")


def as_leb128(value: int) -> bytes:
    """Return a number in the fewest bytes."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


@dataclass(slots=True, frozen=True)
class Unit:
    """One OBU: its header bytes (without a size field) and what follows them."""

    header: bytes
    body: bytes

    @property
    def kind(self) -> int:
        """Its obu_type."""
        return self.header[0] >> 3 & 15

    def serialize(self) -> bytes:
        """Return the OBU with its size, as files hold it."""
        return bytes([self.header[0] | 2]) + self.header[1:] + as_leb128(len(self.body)) + self.body


def units(payloads: Sequence[bytes]) -> list[Unit]:
    """Return the OBUs that these RTP payloads carry, in order, without delimiters and padding.

    Raises MalformedPacketError.
    """
    elements: list[bytes] = []
    goes_on = False
    for payload in payloads:
        if len(payload) < 2:
            raise MalformedPacketError("an AV1 payload without data")
        first = payload[0]
        if bool(first & 0x80) != goes_on:
            raise MalformedPacketError("an AV1 fragment where none should be, or none where one should")
        count, at, number = first >> 4 & 3, 1, 0
        while at < len(payload):
            number += 1
            if count and number == count:
                length = len(payload) - at
            else:
                length, at = leb128(payload, at)
            element = payload[at : at + length]
            if len(element) < length:
                raise MalformedPacketError("an AV1 element is cut short")
            if goes_on and number == 1:
                elements[-1] += element
            else:
                elements.append(element)
            at += length
        if count and number != count:
            raise MalformedPacketError("an AV1 payload with fewer elements than it says")
        goes_on = bool(first & 0x40)
    if goes_on:
        raise MalformedPacketError("an AV1 element without its last fragment")
    found = [_unit(element) for element in elements if element]
    return [unit for unit in found if unit.kind not in (TEMPORAL_DELIMITER, TILE_LIST, PADDING)]


def _unit(element: bytes) -> Unit:
    length = 2 if element[0] & 4 else 1
    if element[0] & 0x80 or len(element) < length:
        raise MalformedPacketError("not an OBU")
    header = bytes([element[0] & ~2]) + element[1:length]
    if not element[0] & 2:
        return Unit(header, element[length:])
    size, at = leb128(element, length)
    if len(element) - at < size:
        raise MalformedPacketError("an OBU is cut short")
    return Unit(header, element[at : at + size])


def is_keyframe(found: Sequence[Unit]) -> bool:
    """Return whether a temporal unit begins a coded video sequence: a sequence header and a shown keyframe."""
    if not any(unit.kind == SEQUENCE_HEADER for unit in found):
        return False
    frame = next((unit for unit in found if unit.kind in (FRAME_HEADER, FRAME)), None)
    return frame is not None and bool(frame.body) and frame.body[0] >> 5 == 0


@dataclass(slots=True, frozen=True)
class SequenceHeader:
    """The parts of a sequence header that a file's header repeats."""

    width: int
    height: int
    configuration: bytes
    """AV1CodecConfigurationRecord (AV1 in ISO BMFF section 2.3.3), the sequence header included."""


def sequence_header(found: Sequence[Unit]) -> SequenceHeader:
    """Read the first sequence header of a temporal unit (AV1 section 5.5); raises MalformedPacketError."""
    unit = next((unit for unit in found if unit.kind == SEQUENCE_HEADER), None)
    if unit is None:
        raise MalformedPacketError("an AV1 keyframe without a sequence header")
    reader = BitReader(unit.body)
    profile = reader.bits(3)
    reader.bits(1)
    reduced = reader.flag()
    level, tier = (reader.bits(5), 0) if reduced else _operating_points(reader)
    width_bits, height_bits = reader.bits(4) + 1, reader.bits(4) + 1
    width, height = reader.bits(width_bits) + 1, reader.bits(height_bits) + 1
    _skip_tools(reader, reduced=reduced)
    colour = _colour(reader, profile)
    record = bytes([0x81, profile << 5 | level, tier << 7 | colour, 0])
    return SequenceHeader(width, height, record + unit.serialize())


def _operating_points(reader: BitReader) -> tuple[int, int]:
    """Read up to the frame size; return level and tier of the first operating point."""
    delay_bits = 0
    if reader.flag():  # timing information
        reader.bits(64)
        if reader.flag():
            reader.unsigned_golomb()
        if reader.flag():
            delay_bits = reader.bits(5) + 1
            reader.bits(42)
    display_delay = reader.flag()
    first = None
    for _ in range(reader.bits(5) + 1):
        reader.bits(12)
        level = reader.bits(5)
        tier = reader.bits(1) if level > 7 else 0
        first = first or (level, tier)
        if delay_bits and reader.flag():
            reader.bits(2 * delay_bits + 1)
        if display_delay and reader.flag():
            reader.bits(4)
    assert first is not None
    return first


def _skip_tools(reader: BitReader, *, reduced: bool) -> None:
    if not reduced and reader.flag():
        reader.bits(7)
    reader.bits(3)
    if not reduced:
        reader.bits(4)
        order_hint = reader.flag()
        if order_hint:
            reader.bits(2)
        screen_content = True if reader.flag() else reader.flag()
        if screen_content and not reader.flag():
            reader.bits(1)
        if order_hint:
            reader.bits(3)
    reader.bits(3)


def _colour(reader: BitReader, profile: int) -> int:
    """Return the low seven bits of the third byte of a configuration record."""
    high = reader.bits(1)
    twelve = reader.bits(1) if profile == 2 and high else 0
    monochrome = reader.bits(1) if profile != 1 else 0
    described = (reader.bits(8), reader.bits(8), reader.bits(8)) if reader.flag() else None
    across = down = 1
    position = 0
    if monochrome:
        reader.bits(1)
    elif described == (1, 13, 0):  # sRGB
        across = down = 0
    else:
        reader.bits(1)
        if profile == 1:
            across = down = 0
        elif profile == 2:
            across = reader.bits(1) if twelve else 1
            down = reader.bits(1) if twelve and across else 0
        if across and down:
            position = reader.bits(2)
    return high << 6 | twelve << 5 | monochrome << 4 | across << 3 | down << 2 | position
