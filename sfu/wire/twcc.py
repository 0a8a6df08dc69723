"""Transport-wide feedback messages (draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1)."""

from collections.abc import Iterator

from sfu.errors import MalformedPacketError

MAX_SPAN = 1000
"""Sequence numbers, and arrivals among them, that one message is about: it then fits into 1,200 bytes."""
MAX_ARRIVALS = 400
TICK_US = 250
REFERENCE_US = 64_000
"""Reference times count in 64 ms."""


def portions(arrivals: dict[int, int], begin: int | None = None) -> Iterator[tuple[int, dict[int, int]]]:
    """Cut {unwrapped transport sequence number: arrival in µs} into what one message each can carry.

    Yield (first number, portion) of each. `begin` is the first number that no earlier message spoke of: numbers from
    there on that did not arrive are reported as lost.
    """
    for portion in _cut(arrivals):
        first = min(portion)
        if begin is not None and begin < first and max(portion) - begin < MAX_SPAN:
            first = begin
        begin = max(portion) + 1
        yield first, portion


def _cut(arrivals: dict[int, int]) -> Iterator[dict[int, int]]:
    portion: dict[int, int] = {}
    first = 0
    for sequence in sorted(arrivals):
        if portion and (sequence - first >= MAX_SPAN or len(portion) >= MAX_ARRIVALS):
            yield portion
            portion = {}
        if not portion:
            first = sequence
        portion[sequence] = arrivals[sequence]
    if portion:
        yield portion


def build(ssrc: int, media_ssrc: int, count: int, first: int, arrivals: dict[int, int]) -> bytes:
    """Return one feedback message, which speaks of the numbers from `first` on.

    `arrivals` maps unwrapped transport sequence numbers to arrival times in µs: one of the `portions`.
    `count` numbers the messages, modulo 256.
    """
    last = max(arrivals)
    reference = arrivals[min(arrivals)] // REFERENCE_US
    clock = reference * REFERENCE_US // TICK_US
    symbols: list[int] = []
    deltas = bytearray()
    for sequence in range(first, last + 1):
        at = arrivals.get(sequence)
        if at is None:
            symbols.append(0)
            continue
        ticks = at // TICK_US
        delta = ticks - clock
        if 0 <= delta <= 255:
            symbols.append(1)
            deltas.append(delta)
        else:
            delta = max(-32_768, min(32_767, delta))
            symbols.append(2)
            deltas += (delta & 0xFFFF).to_bytes(2, "big")
        clock += delta
    chunks = b""
    for start in range(0, len(symbols), 7):
        word = 0xC000  # a status vector of seven two-bit symbols
        for position, symbol in enumerate(symbols[start : start + 7]):
            word |= symbol << (12 - 2 * position)
        chunks += word.to_bytes(2, "big")
    body = ssrc.to_bytes(4, "big") + media_ssrc.to_bytes(4, "big")
    body += (first & 0xFFFF).to_bytes(2, "big") + len(symbols).to_bytes(2, "big")
    body += (reference & 0xFFFFFF).to_bytes(3, "big") + bytes([count]) + chunks + bytes(deltas)
    padding = -len(body) % 4
    head = 0x8F | (0x20 if padding else 0)
    if padding:
        body += bytes(padding - 1) + bytes([padding])
    return bytes([head, 205]) + (len(body) // 4).to_bytes(2, "big") + body


def parse(body: bytes) -> tuple[int, int, list[tuple[int, int | None]]]:
    """Parse the body of a TransportFeedback (after the two SSRCs).

    Return (message count, reference time in µs, [(16-bit sequence number, µs after the reference or None if lost)]).
    Raises MalformedPacketError.
    """
    if len(body) < 8:
        raise MalformedPacketError("truncated transport-wide feedback")
    first = int.from_bytes(body[:2], "big")
    total = int.from_bytes(body[2:4], "big")
    reference = int.from_bytes(body[4:7], "big", signed=True) * REFERENCE_US
    symbols: list[int] = []
    position = 8
    while len(symbols) < total:
        if position + 2 > len(body):
            raise MalformedPacketError("transport-wide feedback ends within its status chunks")
        word = int.from_bytes(body[position : position + 2], "big")
        position += 2
        if not word & 0x8000:
            symbols += [word >> 13 & 3] * min(word & 0x1FFF, total - len(symbols))
            if not word & 0x1FFF:
                raise MalformedPacketError("a run of no packets")
        elif word & 0x4000:
            symbols += [word >> shift & 3 for shift in range(12, -1, -2)]
        else:
            symbols += [word >> shift & 1 for shift in range(13, -1, -1)]
    packets: list[tuple[int, int | None]] = []
    clock = 0
    for offset, symbol in enumerate(symbols[:total]):
        number = (first + offset) & 0xFFFF
        if symbol == 0 or symbol == 3:
            packets.append((number, None))
            continue
        if position + symbol > len(body):
            raise MalformedPacketError("transport-wide feedback ends within its deltas")
        clock += int.from_bytes(body[position : position + symbol], "big", signed=symbol == 2)
        position += symbol
        packets.append((number, clock * TICK_US))
    return body[7], reference, packets
