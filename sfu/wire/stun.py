"""STUN Binding messages (RFC 8489) as ICE uses them (RFC 8445 section 7)."""

import hmac
import ipaddress
from dataclasses import dataclass
from hashlib import sha1
from struct import Struct
from zlib import crc32

from sfu.errors import MalformedPacketError

MAGIC_COOKIE = 0x2112A442
BINDING_REQUEST, BINDING_SUCCESS = 0x0001, 0x0101
USERNAME, MESSAGE_INTEGRITY, XOR_MAPPED_ADDRESS = 0x0006, 0x0008, 0x0020
PRIORITY, USE_CANDIDATE, FINGERPRINT, ICE_CONTROLLED, ICE_CONTROLLING = 0x0024, 0x0025, 0x8028, 0x8029, 0x802A
_HEADER = Struct("!HHI12s")
_ATTRIBUTE = Struct("!HH")
_FINGERPRINT_XOR = 0x5354554E
MAX_BYTES = 1280


@dataclass(slots=True)
class StunMessage:
    """A message whose attributes are in `attributes` (the first of each type counts)."""

    message_type: int
    transaction_id: bytes
    attributes: dict[int, bytes]
    integrity_at: int | None
    """Where MESSAGE-INTEGRITY starts in the datagram; None when there is none."""


def parse(data: bytes) -> StunMessage:
    """Parse a datagram; raises MalformedPacketError. Integrity is not checked here (`has_integrity` does)."""
    length = len(data)
    if length < 20 or length > MAX_BYTES or length % 4:
        raise MalformedPacketError("not the length of a STUN message")
    message_type, body, cookie, transaction_id = _HEADER.unpack_from(data)
    if message_type >> 14 or cookie != MAGIC_COOKIE or body != length - 20:
        raise MalformedPacketError("not a STUN header")
    attributes: dict[int, bytes] = {}
    integrity_at = None
    position = 20
    while position < length:
        kind, size = _ATTRIBUTE.unpack_from(data, position)
        if position + 4 + size > length:
            raise MalformedPacketError("STUN attribute longer than its message")
        value = data[position + 4 : position + 4 + size]
        if kind == FINGERPRINT:
            if size != 4 or position + 8 != length:
                raise MalformedPacketError("STUN fingerprint is not last")
            if crc32(data[:position]) ^ _FINGERPRINT_XOR != int.from_bytes(value, "big"):
                raise MalformedPacketError("STUN fingerprint is wrong")
        elif integrity_at is None:  # what follows MESSAGE-INTEGRITY is not protected and does not count
            if kind == MESSAGE_INTEGRITY:
                if size != 20:
                    raise MalformedPacketError("STUN integrity of a wrong length")
                integrity_at = position
            attributes.setdefault(kind, value)
        position += 4 + size + (-size % 4)
    return StunMessage(message_type, transaction_id, attributes, integrity_at)


def has_integrity(data: bytes, message: StunMessage, password: bytes) -> bool:
    """Return whether the message carries a MESSAGE-INTEGRITY made with this password (RFC 8489 section 14.5)."""
    at = message.integrity_at
    if at is None:
        return False
    covered = data[:2] + (at + 24 - 20).to_bytes(2, "big") + data[4:at]
    return hmac.compare_digest(hmac.digest(password, covered, sha1), message.attributes[MESSAGE_INTEGRITY])


def serialize(message_type: int, transaction_id: bytes, attributes: list[tuple[int, bytes]], password: bytes) -> bytes:
    """Return a message with MESSAGE-INTEGRITY and FINGERPRINT."""
    body = b"".join(_ATTRIBUTE.pack(kind, len(value)) + value + bytes(-len(value) % 4) for kind, value in attributes)
    head = _HEADER.pack(message_type, len(body) + 24, MAGIC_COOKIE, transaction_id)
    body += _ATTRIBUTE.pack(MESSAGE_INTEGRITY, 20) + hmac.digest(password, head + body, sha1)
    head = _HEADER.pack(message_type, len(body) + 8, MAGIC_COOKIE, transaction_id)
    return head + body + _ATTRIBUTE.pack(FINGERPRINT, 4) + (crc32(head + body) ^ _FINGERPRINT_XOR).to_bytes(4, "big")


def xor_address(address: tuple[str, int], transaction_id: bytes) -> bytes:
    """Return the value of XOR-MAPPED-ADDRESS (RFC 8489 section 14.2)."""
    packed = ipaddress.ip_address(address[0]).packed
    key = MAGIC_COOKIE.to_bytes(4, "big") + transaction_id
    family = 1 if len(packed) == 4 else 2
    port = address[1] ^ MAGIC_COOKIE >> 16
    return bytes([0, family]) + port.to_bytes(2, "big") + bytes(a ^ b for a, b in zip(packed, key, strict=False))


def plain_address(value: bytes, transaction_id: bytes) -> tuple[str, int]:
    """Return the address in an XOR-MAPPED-ADDRESS; raises MalformedPacketError."""
    if len(value) not in (8, 20) or value[1] != (1 if len(value) == 8 else 2):
        raise MalformedPacketError("not an XOR-MAPPED-ADDRESS")
    key = MAGIC_COOKIE.to_bytes(4, "big") + transaction_id
    packed = bytes(a ^ b for a, b in zip(value[4:], key, strict=False))
    return str(ipaddress.ip_address(packed)), int.from_bytes(value[2:4], "big") ^ MAGIC_COOKIE >> 16
