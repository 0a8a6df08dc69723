"""DTLS handshakes: profiles, fingerprints, fragments, noise."""

import pytest
from OpenSSL import SSL

from sfu.errors import MalformedPacketError, SfuError
from sfu.machines.certificate import Certificate
from sfu.machines.dtls import ALERT, HANDSHAKE, MAX_DATAGRAM, DtlsEndpoint, FingerprintError
from tests.fuzz.samples import fixture

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
    ours, theirs = server(expected=STRANGER), client()
    with pytest.raises(FingerprintError):
        shake(theirs, ours)
    assert not ours.connected
    assert ours.closed
    assert [datagram[0] for datagram in ours.datagrams_to_send()] == [ALERT], "it is told, and nothing else"
    with pytest.raises(SfuError):
        _ = ours.srtp_keys


@pytest.mark.parametrize(
    "announced",
    [
        [],
        [("sha-1", "AA:BB")],
        [("sha-256", "AA:BB")],
        [("sha-256", THEIRS.fingerprint), ("sha-256", STRANGER.fingerprint)],
        [("sha-256", THEIRS.fingerprint), ("sha-512", "AA:BB")],
    ],
)
def test_no_fingerprint_a_weak_one_or_one_wrong_of_two_is_a_stranger(announced: list[tuple[str, str]]) -> None:
    ours = DtlsEndpoint(OURS, remote_fingerprints=announced)
    with pytest.raises(FingerprintError):
        shake(client(), ours)
    assert not ours.connected


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


def test_a_client_hello_with_a_fragment_lost_is_taken_when_all_of_it_comes_again() -> None:
    ours, theirs = server(), client()
    (hello,) = theirs.datagrams_to_send()
    fragments = fragment(hello, 4)
    for each in fragments[:1] + fragments[2:]:
        ours.receive(each)
    assert ours.datagrams_to_send() == []
    for each in fragments:
        ours.receive(renumber(each, 4))
    shake(theirs, ours, shift=8)
    assert ours.connected


@pytest.mark.parametrize("order", [[0, 1], [1, 0], [0, 0, 1, 1], [1, 1, 0]])
def test_the_post_quantum_client_hello_of_a_real_browser_is_taken_in_any_order(order: list[int]) -> None:
    """A key share of X25519MLKEM768 has 1,216 bytes: the hello of today's browsers no longer fits into one datagram."""
    hello = [fixture("chromium-client-hello-1"), fixture("chromium-client-hello-2")]
    ours = server()
    for position in order:
        ours.receive(hello[position])
    flight = ours.datagrams_to_send()
    assert flight
    assert all(datagram[0] == HANDSHAKE and len(datagram) <= MAX_DATAGRAM for datagram in flight)


def test_a_bad_client_hello_is_not_answered_and_the_good_one_behind_it_is() -> None:
    (hello,) = client().datagrams_to_send()
    bad_ones = 0
    for at in range(25, len(hello)):
        ours = server()
        try:
            ours.receive(hello[:at] + bytes([hello[at] ^ 0xFF]) + hello[at + 1 :])
        except MalformedPacketError:
            bad_ones += 1
        if ours.datagrams_to_send():
            continue  # a byte that does not matter, such as one of the random
        ours.receive(hello)
        assert ours.datagrams_to_send()
    assert bad_ones > 20


def test_alerts_in_the_clear_do_not_end_a_handshake() -> None:
    ours, theirs = server(), client()
    alert = b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28"
    (hello,) = theirs.datagrams_to_send()
    ours.receive(hello)
    for endpoint in (ours, theirs):
        with pytest.raises(MalformedPacketError):
            endpoint.receive(alert)
    shake(ours, theirs)
    assert ours.connected


def test_application_data_of_a_connected_peer_is_thrown_away_and_not_kept() -> None:
    ours, theirs = server(), client()
    shake(theirs, ours)
    for _ in range(200):
        for _ in range(20):
            theirs._connection.send(b"useless")
        theirs._collect()
        ours.receive(b"".join(theirs.datagrams_to_send()))
        with pytest.raises(SSL.WantReadError):
            ours._connection.recv(2048)
    assert not ours.closed


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
