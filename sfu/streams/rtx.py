"""Retransmission payloads (RFC 4588 section 4): the original sequence number, then the original payload."""

from sfu.errors import MalformedPacketError


def wrap(sequence_number: int, payload: bytes) -> bytes:
    """Return the payload of an RTX packet for an original packet (16-bit sequence number)."""
    return sequence_number.to_bytes(2, "big") + payload


def unwrap(payload: bytes) -> tuple[int, bytes]:
    """Return (original sequence number, original payload); raises MalformedPacketError when too short.

    An empty original payload is padding sent on the RTX stream to probe for bandwidth.
    """
    if len(payload) < 2:
        raise MalformedPacketError("RTX payload shorter than its original sequence number")
    return int.from_bytes(payload[:2], "big"), payload[2:]
