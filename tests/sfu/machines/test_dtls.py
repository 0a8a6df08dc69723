"""DTLS handshakes: profiles, fingerprints, fragments, noise."""

import pytest

from sfu.errors import MalformedPacketError
from sfu.machines.certificate import Certificate
from sfu.machines.dtls import MAX_DATAGRAM, DtlsEndpoint, FingerprintError

OURS, THEIRS, STRANGER = (Certificate.generate() for _ in range(3))
FLIGHTS = 10


def server(expected: Certificate = THEIRS) -> DtlsEndpoint:
    return DtlsEndpoint(OURS, remote_fingerprints=[("sha-256", expected.fingerprint)])


def client(*profiles: bytes) -> DtlsEndpoint:
    fingerprints = [("sha-256", OURS.fingerprint)]
    if profiles:
        return DtlsEndpoint(THEIRS, role="client", remote_fingerprints=fingerprints, profiles=profiles)
    return DtlsEndpoint(THEIRS, role="client", remote_fingerprints=fingerprints)


def shake(one: DtlsEndpoint, other: DtlsEndpoint, shift: int = 0) -> None:
    """Let two endpoints talk; the record numbers of `one` before encryption are moved on by `shift`."""
    for _ in range(FLIGHTS):
        for sender, receiver in ((one, other), (other, one)):
            for datagram in sender.datagrams_to_send():
                assert len(datagram) <= MAX_DATAGRAM
                receiver.receive(renumber(datagram, shift) if sender is one else datagram)


def renumber(datagram: bytes, shift: int) -> bytes:
    out = bytearray(datagram)
    position = 0
    while position < len(out):
        if out[position + 3 : position + 5] == b"\0\0":
            number = int.from_bytes(out[position + 5 : position + 11], "big") + shift
            out[position + 5 : position + 11] = number.to_bytes(6, "big")
        position += 13 + int.from_bytes(out[position + 11 : position + 13], "big")
    return bytes(out)


def test_the_server_chooses_aes_gcm_even_from_a_client_that_prefers_another() -> None:
    ours, theirs = server(), client(b"SRTP_AES128_CM_SHA1_80", b"SRTP_AEAD_AES_128_GCM")
    shake(theirs, ours)
    assert ours.srtp_keys.profile.name == "AEAD_AES_128_GCM"
    assert ours.srtp_keys.local_key == theirs.srtp_keys.remote_key
    assert ours.srtp_keys.remote_salt == theirs.srtp_keys.local_salt


def test_a_client_without_gcm_is_served_too() -> None:
    ours, theirs = server(), client(b"SRTP_AES128_CM_SHA1_80")
    shake(theirs, ours)
    assert ours.srtp_keys.profile.name == "AES128_CM_HMAC_SHA1_80"


def test_a_certificate_that_was_not_announced_gets_no_keys() -> None:
    ours = server(expected=STRANGER)
    with pytest.raises(FingerprintError):
        shake(client(), ours)
    assert not ours.connected
    assert ours.closed


@pytest.mark.parametrize("pieces", [2, 3, 6])
@pytest.mark.parametrize("order", ["in order", "reversed", "doubled"])
def test_a_client_hello_in_fragments_is_taken(pieces: int, order: str) -> None:
    ours, theirs = server(), client()
    (hello,) = theirs.datagrams_to_send()
    fragments = fragment(hello, pieces)
    if order == "reversed":
        fragments.reverse()
    elif order == "doubled":
        fragments = [each for each in fragments for _ in range(2)]
    for each in fragments:
        ours.receive(each)
    shake(theirs, ours, shift=pieces)
    assert ours.connected


def test_noise_does_not_disturb_a_handshake_under_way() -> None:
    ours, theirs = server(), client()
    (hello,) = theirs.datagrams_to_send()
    noise = [b"", b"\x16", b"\x16\xfe\xfd" + bytes(8) + b"\xff\xff", b"garbage" * 30, bytes(100), b"\x80" * 50]
    for datagram in noise:
        with pytest.raises(MalformedPacketError):
            ours.receive(datagram)
    ours.receive(hello)
    for datagram in noise:
        with pytest.raises(MalformedPacketError):
            ours.receive(datagram)
    shake(ours, theirs)
    assert ours.connected


def fragment(hello: bytes, pieces: int) -> list[bytes]:
    """Cut the one handshake message of a ClientHello record into several records (RFC 6347 section 4.2.3)."""
    record, message = hello[:13], hello[13:]
    head, body = message[:12], message[12:]
    size = -(-len(body) // pieces)
    out = []
    for number, start in enumerate(range(0, len(body), size)):
        part = body[start : start + size]
        handshake = head[:6] + start.to_bytes(3, "big") + len(part).to_bytes(3, "big") + part
        sequence = (int.from_bytes(record[5:11], "big") + number).to_bytes(6, "big")
        out.append(record[:5] + sequence + len(handshake).to_bytes(2, "big") + handshake)
    return out
