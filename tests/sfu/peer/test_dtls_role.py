"""An encoder that wants to be the DTLS server gets its ClientHello, and nobody else does."""

import secrets

from control.ids import PeerId
from sfu.machines.certificate import Certificate
from sfu.machines.dtls import ALERT, DtlsEndpoint
from sfu.machines.negotiation import RemoteTransport
from sfu.peer.peer import Closed, Connected, Peer
from sfu.wire import stun

ENCODER, STRANGER = ("192.0.2.5", 5000), ("192.0.2.66", 6000)
UFRAG, PASSWORD = "serverufrag", "serverpassword1234567890"


def check(password: str) -> bytes:
    attributes = [(stun.USERNAME, f"{UFRAG}:theirs".encode()), (stun.USE_CANDIDATE, b"")]
    return stun.serialize(stun.BINDING_REQUEST, secrets.token_bytes(12), attributes, password.encode())


def peer_towards(announced: str) -> Peer:
    peer = Peer(
        PeerId("p"),
        ufrag=UFRAG,
        password=PASSWORD,
        certificate=Certificate.generate(),
        random_bytes=secrets.token_bytes,
        now=0.0,
    )
    peer.set_remote(RemoteTransport("theirs", "their password", [("sha-256", announced)], is_dtls_server=True))
    return peer


def shake_hands(peer: Peer, encoder: DtlsEndpoint) -> None:
    for _ in range(8):
        for datagram, address in peer.datagrams_to_send():
            assert address == ENCODER
            if datagram[0] > 19 and datagram[0] != ALERT:
                encoder.receive(datagram)
        for datagram in encoder.datagrams_to_send():
            peer.receive_dtls(datagram)


def test_the_client_hello_goes_out_after_an_authenticated_request_and_to_its_sender() -> None:
    theirs = Certificate.generate()
    peer = peer_towards(theirs.fingerprint)
    peer.receive_stun(check("wrong"), STRANGER, 0.0)
    peer.handle_timeout(1.0)
    assert peer.datagrams_to_send() == []
    peer.receive_stun(check(PASSWORD), ENCODER, 1.0)
    encoder = DtlsEndpoint(theirs, role="server", remote_fingerprints=[("sha-256", peer._certificate.fingerprint)])
    shake_hands(peer, encoder)
    assert encoder.connected
    assert peer.connected
    assert [type(event) for event in peer.events()] == [Connected]
    assert peer.sender is not None
    sealed = peer.sender.protect_rtcp(bytes.fromhex("80c90001000000ff"))
    assert encoder.srtp_keys.profile.name == "AEAD_AES_128_GCM"
    assert len(sealed) > 8


def test_a_certificate_other_than_the_announced_one_ends_it() -> None:
    theirs = Certificate.generate()
    peer = peer_towards(Certificate.generate().fingerprint)
    peer.receive_stun(check(PASSWORD), ENCODER, 0.0)
    encoder = DtlsEndpoint(theirs, role="server", remote_fingerprints=[("sha-256", peer._certificate.fingerprint)])
    shake_hands(peer, encoder)
    assert not peer.connected
    assert peer.events() == [Closed("fingerprint_mismatch")]
