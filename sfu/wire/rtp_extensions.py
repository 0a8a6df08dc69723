"""RTP header extensions (RFC 8285): finding one by id, without building anything for the others."""

AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
TRANSPORT_SEQUENCE_NUMBER = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"

ONE_BYTE_PROFILE = 0xBEDE
TWO_BYTE_PROFILE = 0x1000
"""The low four bits are for the application (RFC 8285 section 4.3)."""


def find(data: bytes, profile: int, start: int, end: int, identifier: int) -> bytes | None:
    """Return the value of the extension element `identifier`, or None.

    `data[start:end]` is the extension block after its 4-byte head. A truncated element ends the search.
    """
    position = start
    if profile == ONE_BYTE_PROFILE:
        while position < end:
            head = data[position]
            if head == 0:
                position += 1
                continue
            if head >> 4 == 15:
                return None
            following = position + 2 + (head & 15)
            if following > end:
                return None
            if head >> 4 == identifier:
                return data[position + 1 : following]
            position = following
    elif profile & 0xFFF0 == TWO_BYTE_PROFILE:
        while position + 1 < end:
            if data[position] == 0:
                position += 1
                continue
            following = position + 2 + data[position + 1]
            if following > end:
                return None
            if data[position] == identifier:
                return data[position + 2 : following]
            position = following
    return None


def build(elements: list[tuple[int, bytes]]) -> bytes:
    """Return a one-byte extension block with its head, padded to 32 bits. Ids 1 to 14, values of 1 to 16 bytes."""
    body = b"".join(bytes([identifier << 4 | len(value) - 1]) + value for identifier, value in elements)
    body += bytes(-len(body) % 4)
    return ONE_BYTE_PROFILE.to_bytes(2, "big") + (len(body) // 4).to_bytes(2, "big") + body
