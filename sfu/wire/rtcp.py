"""RTCP packets: parse a compound packet, serialise one (RFC 3550 section 6, RFC 4585, RFC 5104)."""

from dataclasses import dataclass, field
from struct import Struct

from sfu.errors import MalformedPacketError

SENDER_REPORT, RECEIVER_REPORT, SOURCE_DESCRIPTION, GOODBYE, RTP_FEEDBACK, PAYLOAD_FEEDBACK = (
    200,
    201,
    202,
    203,
    205,
    206,
)
_BLOCK = Struct("!IIIIII")
_SENDER = Struct("!IQIII")
_FEEDBACK = Struct("!II")


def _packet(count: int, packet_type: int, body: bytes) -> bytes:
    return bytes([0x80 | count, packet_type]) + (len(body) // 4).to_bytes(2, "big") + body


@dataclass(slots=True)
class ReportBlock:
    """Reception of one SSRC (RFC 3550 section 6.4.1). `fraction_lost` of 256, `lsr` and `dlsr` in 1/65,536 s."""

    ssrc: int
    fraction_lost: int
    lost: int
    highest: int
    jitter: int
    lsr: int
    dlsr: int

    def serialize(self) -> bytes:
        """Return the 24 bytes."""
        loss = self.fraction_lost << 24 | self.lost & 0xFFFFFF
        return _BLOCK.pack(self.ssrc, loss, self.highest, self.jitter, self.lsr, self.dlsr)


@dataclass(slots=True)
class SenderReport:
    """What a sender sent, and how its RTP time maps to NTP time (section 6.4.1)."""

    ssrc: int
    ntp_time: int
    rtp_timestamp: int
    packets: int
    octets: int
    reports: list[ReportBlock] = field(default_factory=list)

    def serialize(self) -> bytes:
        """Return the packet."""
        head = _SENDER.pack(self.ssrc, self.ntp_time, self.rtp_timestamp, self.packets, self.octets)
        return _packet(len(self.reports), SENDER_REPORT, head + b"".join(r.serialize() for r in self.reports))


@dataclass(slots=True)
class ReceiverReport:
    """Reception reports of somebody who sends nothing (section 6.4.2)."""

    ssrc: int
    reports: list[ReportBlock] = field(default_factory=list)

    def serialize(self) -> bytes:
        """Return the packet."""
        body = self.ssrc.to_bytes(4, "big") + b"".join(r.serialize() for r in self.reports)
        return _packet(len(self.reports), RECEIVER_REPORT, body)


@dataclass(slots=True)
class SourceDescription:
    """CNAMEs by SSRC (section 6.5); other items are skipped."""

    chunks: list[tuple[int, str]]

    def serialize(self) -> bytes:
        """Return the packet."""
        body = b""
        for ssrc, cname in self.chunks:
            text = cname.encode()[:255]
            chunk = ssrc.to_bytes(4, "big") + bytes([1, len(text)]) + text + b"\0"
            body += chunk + bytes(-len(chunk) % 4)
        return _packet(len(self.chunks), SOURCE_DESCRIPTION, body)


@dataclass(slots=True)
class Goodbye:
    """SSRCs that are gone (section 6.6)."""

    ssrcs: list[int]

    def serialize(self) -> bytes:
        """Return the packet."""
        return _packet(len(self.ssrcs), GOODBYE, b"".join(ssrc.to_bytes(4, "big") for ssrc in self.ssrcs))


@dataclass(slots=True)
class Nack:
    """Lost sequence numbers, 16 bits each (generic NACK, RFC 4585 section 6.2.1)."""

    ssrc: int
    media_ssrc: int
    lost: list[int]

    def serialize(self) -> bytes:
        """Return the packet, numbers packed into pairs of first number and bit mask."""
        body = _FEEDBACK.pack(self.ssrc, self.media_ssrc)
        rest = list(self.lost)
        while rest:
            first = rest.pop(0)
            mask = 0
            while rest and 0 < (rest[0] - first) & 0xFFFF <= 16:
                mask |= 1 << ((rest.pop(0) - first) & 0xFFFF) - 1
            body += (first << 16 | mask).to_bytes(4, "big")
        return _packet(1, RTP_FEEDBACK, body)


@dataclass(slots=True)
class TransportFeedback:
    """Transport-wide feedback, its body unparsed (see `sfu.wire.twcc`)."""

    ssrc: int
    media_ssrc: int
    body: bytes


@dataclass(slots=True)
class Pli:
    """A picture was lost: send a keyframe (RFC 4585 section 6.3.1)."""

    ssrc: int
    media_ssrc: int

    def serialize(self) -> bytes:
        """Return the packet."""
        return _packet(1, PAYLOAD_FEEDBACK, _FEEDBACK.pack(self.ssrc, self.media_ssrc))


@dataclass(slots=True)
class Fir:
    """Send a keyframe now, for each of these SSRCs (RFC 5104 section 4.3.1)."""

    ssrc: int
    ssrcs: list[int]


Packet = SenderReport | ReceiverReport | SourceDescription | Goodbye | Nack | TransportFeedback | Pli | Fir


def parse(data: bytes) -> list[Packet]:
    """Parse a compound packet; unknown packet types are skipped. Raises MalformedPacketError."""
    packets: list[Packet] = []
    position, end = 0, len(data)
    while position < end:
        if end - position < 4 or data[position] >> 6 != 2:
            raise MalformedPacketError("RTCP packet without a valid header")
        length = 4 + 4 * int.from_bytes(data[position + 2 : position + 4], "big")
        if position + length > end:
            raise MalformedPacketError("RTCP packet longer than its datagram")
        count, packet_type = data[position] & 31, data[position + 1]
        body = data[position + 4 : position + length]
        if data[position] & 0x20:
            padding = body[-1] if body else 0
            if padding == 0 or padding > len(body):
                raise MalformedPacketError("RTCP padding longer than its packet")
            body = body[:-padding]
        position += length
        packet = _parse_one(count, packet_type, body)
        if packet is not None:
            packets.append(packet)
    return packets


def _parse_one(count: int, packet_type: int, body: bytes) -> Packet | None:
    if packet_type == SENDER_REPORT:
        if len(body) < _SENDER.size:
            raise MalformedPacketError("truncated sender report")
        ssrc, ntp_time, timestamp, packets, octets = _SENDER.unpack_from(body)
        return SenderReport(ssrc, ntp_time, timestamp, packets, octets, _blocks(body, _SENDER.size, count))
    if packet_type == RECEIVER_REPORT:
        if len(body) < 4:
            raise MalformedPacketError("truncated receiver report")
        return ReceiverReport(int.from_bytes(body[:4], "big"), _blocks(body, 4, count))
    if packet_type == SOURCE_DESCRIPTION:
        return SourceDescription(_chunks(body, count))
    if packet_type == GOODBYE:
        if len(body) < 4 * count:
            raise MalformedPacketError("truncated goodbye")
        return Goodbye([int.from_bytes(body[4 * i : 4 * i + 4], "big") for i in range(count)])
    if packet_type not in (RTP_FEEDBACK, PAYLOAD_FEEDBACK):
        return None
    if len(body) < _FEEDBACK.size:
        raise MalformedPacketError("truncated feedback")
    ssrc, media_ssrc = _FEEDBACK.unpack_from(body)
    rest = body[_FEEDBACK.size :]
    if packet_type == RTP_FEEDBACK:
        if count == 1:
            return Nack(ssrc, media_ssrc, _lost(rest))
        return TransportFeedback(ssrc, media_ssrc, rest) if count == 15 else None
    if count == 1:
        return Pli(ssrc, media_ssrc)
    if count == 4:
        return Fir(ssrc, [int.from_bytes(rest[i : i + 4], "big") for i in range(0, len(rest) - 7, 8)])
    return None


def _blocks(body: bytes, start: int, count: int) -> list[ReportBlock]:
    if len(body) < start + count * _BLOCK.size:
        raise MalformedPacketError("truncated report block")
    blocks = []
    for position in range(start, start + count * _BLOCK.size, _BLOCK.size):
        ssrc, loss, highest, jitter, lsr, dlsr = _BLOCK.unpack_from(body, position)
        lost = loss & 0xFFFFFF
        blocks.append(ReportBlock(ssrc, loss >> 24, lost - (lost >> 23 << 24), highest, jitter, lsr, dlsr))
    return blocks


def _lost(body: bytes) -> list[int]:
    lost = []
    for position in range(0, len(body) - 3, 4):
        first = int.from_bytes(body[position : position + 2], "big")
        mask = int.from_bytes(body[position + 2 : position + 4], "big")
        lost.append(first)
        lost.extend((first + bit + 1) & 0xFFFF for bit in range(16) if mask >> bit & 1)
    return lost


def _chunks(body: bytes, count: int) -> list[tuple[int, str]]:
    chunks = []
    position = 0
    for _ in range(count):
        if position + 4 > len(body):
            raise MalformedPacketError("truncated source description")
        ssrc = int.from_bytes(body[position : position + 4], "big")
        position += 4
        while True:
            if position >= len(body):
                raise MalformedPacketError("source description without an end")
            item = body[position]
            if item == 0:
                position += 4 - position % 4
                break
            if position + 2 > len(body) or position + 2 + body[position + 1] > len(body):
                raise MalformedPacketError("truncated source description item")
            text = body[position + 2 : position + 2 + body[position + 1]]
            if item == 1:
                chunks.append((ssrc, text.decode("utf-8", "replace")))
            position += 2 + len(text)
    return chunks
