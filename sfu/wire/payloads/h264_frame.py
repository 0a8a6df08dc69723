"""An H.264 access unit from its packets (RFC 6184), and what a file's header must know of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sfu.errors import MalformedPacketError
from sfu.wire.payloads.bits import BitReader
from sfu.wire.payloads.h264 import FU_A, IDR, SPS, STAP_A

PPS, DELIMITER, FILLER = 8, 9, 12
HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


def units(payloads: Sequence[bytes]) -> list[bytes]:
    """Return the NAL units that these RTP payloads carry, in order; raises MalformedPacketError."""
    out: list[bytes] = []
    fragments: list[bytes] | None = None
    for payload in payloads:
        if not payload:
            raise MalformedPacketError("an empty H.264 payload")
        kind = payload[0] & 31
        if (fragments is not None) != (kind == FU_A and len(payload) > 2 and not payload[1] & 0x80):
            raise MalformedPacketError("a fragment of an H.264 unit where none should be, or none where one should")
        if kind == FU_A:
            if len(payload) < 3:
                raise MalformedPacketError("an H.264 fragment without data")
            if payload[1] & 0x80:
                fragments = [bytes([payload[0] & 0xE0 | payload[1] & 31])]
            assert fragments is not None
            fragments.append(payload[2:])
            if payload[1] & 0x40:
                out.append(b"".join(fragments))
                fragments = None
        elif kind == STAP_A:
            out += _aggregated(payload)
        elif 0 < kind < STAP_A:
            out.append(payload)
        else:
            raise MalformedPacketError(f"H.264 packets of type {kind} were not negotiated")
    if fragments is not None:
        raise MalformedPacketError("an H.264 unit without its last fragment")
    return [unit for unit in out if unit[0] & 31 not in (DELIMITER, FILLER)]


def _aggregated(payload: bytes) -> list[bytes]:
    out = []
    at = 1
    while at < len(payload):
        length = int.from_bytes(payload[at : at + 2], "big")
        unit = payload[at + 2 : at + 2 + length]
        if not length or len(unit) < length:
            raise MalformedPacketError("an aggregated H.264 unit is cut short")
        out.append(unit)
        at += 2 + length
    return out


def is_keyframe(found: Sequence[bytes]) -> bool:
    """Return whether an access unit can be decoded without an earlier one."""
    return any(unit[0] & 31 == IDR for unit in found)


def length_prefixed(found: Sequence[bytes]) -> bytes:
    """Return an access unit as files hold it: each unit after its length in four bytes (ISO 14496-15)."""
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in found)


@dataclass(slots=True, frozen=True)
class ParameterSets:
    """The sequence and picture parameter sets that came with a keyframe."""

    sequence: bytes
    pictures: tuple[bytes, ...]

    @property
    def configuration(self) -> bytes:
        """AVCDecoderConfigurationRecord (ISO 14496-15 section 5.3.3.1), with lengths of four bytes."""
        profile = self.sequence[1:4]
        head = bytes([1]) + profile + b"\xff\xe1" + len(self.sequence).to_bytes(2, "big") + self.sequence
        pictures = b"".join(len(each).to_bytes(2, "big") + each for each in self.pictures)
        record = head + bytes([len(self.pictures)]) + pictures
        if profile[0] not in HIGH_PROFILES:
            return record
        chroma, luma_depth, chroma_depth = _formats(BitReader(_unescaped(self.sequence[4:])))
        return record + bytes([0xFC | chroma, 0xF8 | luma_depth, 0xF8 | chroma_depth, 0])


def parameter_sets(found: Sequence[bytes]) -> ParameterSets | None:
    """Return the parameter sets among an access unit's units; None when they are not all there."""
    sequence = next((unit for unit in found if unit[0] & 31 == SPS and len(unit) > 4), None)
    pictures = tuple(unit for unit in found if unit[0] & 31 == PPS)[:255]
    return ParameterSets(sequence, pictures) if sequence is not None and pictures else None


def size(sequence: bytes) -> tuple[int, int]:
    """Return width and height that a sequence parameter set gives (H.264 section 7.3.2.1.1).

    Raises MalformedPacketError.
    """
    if len(sequence) < 5:
        raise MalformedPacketError("a sequence parameter set is cut short")
    profile = sequence[1]
    reader = BitReader(_unescaped(sequence[4:]))
    chroma = 1
    if profile in HIGH_PROFILES:
        chroma, _, _ = _formats(reader)
        reader.bits(1)
        if reader.flag():
            for number in range(12 if chroma == 3 else 8):
                if reader.flag():
                    _skip_scaling_list(reader, 16 if number < 6 else 64)
    else:
        reader.unsigned_golomb()
    reader.unsigned_golomb()  # log2_max_frame_num
    order = reader.unsigned_golomb()
    if order == 0:
        reader.unsigned_golomb()
    elif order == 1:
        reader.bits(1)
        reader.signed_golomb()
        reader.signed_golomb()
        for _ in range(min(256, reader.unsigned_golomb())):
            reader.signed_golomb()
    reader.unsigned_golomb()  # max_num_ref_frames
    reader.bits(1)
    width = (reader.unsigned_golomb() + 1) * 16
    height = (reader.unsigned_golomb() + 1) * 16
    frames_only = reader.flag()
    if not frames_only:
        height *= 2
        reader.bits(1)
    reader.bits(1)
    if reader.flag():
        left, right, top, bottom = (reader.unsigned_golomb() for _ in range(4))
        across = 2 if chroma in (1, 2) else 1
        down = (2 if chroma == 1 else 1) * (1 if frames_only else 2)
        width -= (left + right) * across
        height -= (top + bottom) * down
    if not 0 < width <= 16384 or not 0 < height <= 16384:
        raise MalformedPacketError("a sequence parameter set without a sensible size")
    return width, height


def _formats(reader: BitReader) -> tuple[int, int, int]:
    """Read up to the bit depths of a high profile; return chroma format, and luma and chroma depth minus 8."""
    reader.unsigned_golomb()
    chroma = reader.unsigned_golomb()
    if chroma == 3:
        reader.bits(1)
    luma_depth, chroma_depth = reader.unsigned_golomb(), reader.unsigned_golomb()
    if chroma > 3 or luma_depth > 6 or chroma_depth > 6:
        raise MalformedPacketError("a sequence parameter set with formats that do not exist")
    return chroma, luma_depth, chroma_depth


def _skip_scaling_list(reader: BitReader, count: int) -> None:
    last = following = 8
    for _ in range(count):
        if following:
            following = (last + reader.signed_golomb()) % 256
        last = following or last


def _unescaped(unit: bytes) -> bytes:
    """Return a unit without its emulation prevention bytes (H.264 section 7.4.1)."""
    return unit.replace(b"\x00\x00\x03", b"\x00\x00")
