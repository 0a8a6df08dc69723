"""Who may send what to the media port, and who is answered: strangers change nothing and get nothing."""

import secrets
from struct import pack

import pytest

from control import messages as m
from control.ids import ParticipantId, PeerId, PublicationId
from sfu.errors import MalformedPacketError
from sfu.machines.certificate import Certificate
from sfu.machines.dtls import DtlsEndpoint
from sfu.rooms.roster import MAX_ADDRESSES
from sfu.wire import rtcp, stun
from tests.sfu.rooms.rig import CAMERA, DELTA, KEYFRAME, ROOM, SUBSCRIBER_CERTIFICATE, Address, Browser, Rig

STRANGER = ("203.0.113.66", 666)
ELSEWHERE = ("198.51.100.7", 77)


def hello() -> bytes:
    """Return a good ClientHello of somebody."""
    return DtlsEndpoint(SUBSCRIBER_CERTIFICATE, role="client", remote_fingerprints=[]).datagrams_to_send()[0]


def everything(rig: Rig) -> list[bytes]:
    """Return one of each kind of datagram, none of which may have an effect when a stranger sends it."""
    someone = rig.subscriber
    return [
        hello(),
        b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28",
        someone.request(password="wrong"),
        someone.request(user="nobody:theirs"),
        someone.request(user=f"{someone.ufrag}:another"),
        someone.request()[:20],
        pack("!HHI", stun.BINDING_REQUEST, 0, stun.MAGIC_COOKIE) + bytes(12),
        stun.serialize(stun.BINDING_SUCCESS, bytes(12), [], someone.password.encode()),
        stun.serialize(0x0011, bytes(12), [(stun.USERNAME, f"{someone.ufrag}:theirs".encode())], b"x"),
        pack("!BBHII", 0x80, 96, 102, 9000, 1111) + bytes(40),
        rtcp.Goodbye([1111]).serialize() + bytes(30),
        b"\x05garbage",
        b"\xff" * 100,
        b"",
    ]


@pytest.fixture
def rig() -> Rig:
    made = Rig()
    made.keyframe()
    made.subscriber.rtp.clear()
    made.wire.sent.clear()
    return made


def still_flows(rig: Rig, index: int = 102, payload: bytes = b"still here") -> bool:
    rig.publisher.send_rtp(index, 9000 + index, payload)
    rig.tick()
    return payload in rig.subscriber.payloads()


def test_a_stranger_gets_no_byte_and_is_not_remembered(rig: Rig) -> None:
    before = len(rig.engine._roster._by_address)
    for data in everything(rig):
        rig.engine.receive(data, STRANGER, rig.now, rig.now)
    rig.tick()
    assert STRANGER not in rig.wire.sent
    assert len(rig.engine._roster._by_address) == before
    assert rig.refused("unknown_sender") + rig.refused("unauthentic") == len(everything(rig))
    assert still_flows(rig)


def test_media_and_handshakes_are_taken_only_from_addresses_that_were_checked(rig: Rig) -> None:
    good = rig.publisher.sealed(102, 9000, b"good but from elsewhere")
    rig.engine.receive(good, ELSEWHERE, rig.now, rig.now)
    rig.engine.receive(rig.publisher.sender.protect_rtcp(rtcp.Pli(1, 1).serialize()), ELSEWHERE, rig.now, rig.now)
    rig.tick()
    assert rig.subscriber.payloads() == []
    rig.publisher.check(ELSEWHERE, nominate=False)
    rig.engine.receive(good, ELSEWHERE, rig.now, rig.now)
    rig.tick()
    assert rig.subscriber.payloads() == [b"good but from elsewhere"]


def test_a_client_hello_before_any_check_is_ignored_and_the_browsers_own_one_succeeds() -> None:
    rig = Rig()
    late, offer = rig.receiver("zoé", "late", ELSEWHERE)
    late.begin(offer)
    for address in (STRANGER, ELSEWHERE):
        rig.engine.receive(hello(), address, rig.now, rig.now)
    assert not rig.wire.sent
    late.check(ELSEWHERE)
    rig.engine.receive(hello(), STRANGER, rig.now, rig.now)
    late.shake()
    assert late.dtls.connected
    assert STRANGER not in rig.wire.sent


def test_a_bad_client_hello_and_alerts_from_the_right_address_do_not_end_a_handshake() -> None:
    rig = Rig()
    late, offer = rig.receiver("zoé", "late", ELSEWHERE)
    late.begin(offer)
    late.check(ELSEWHERE)
    bad = bytearray(hello())
    suites = bad.index(b"\xc0\x2b")
    bad[suites : suites + 2] = b"\x00\x00"
    at = 13 + 12 + 2 + 32 + 1 + 1  # record, handshake header, version, random, empty session id and cookie
    count = int.from_bytes(bad[at : at + 2], "big")
    bad[at + 2 : at + 2 + count] = bytes(count)
    late.give(bytes(bad))
    late.give(b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28")
    assert [datagram for datagram in rig.wire.take(ELSEWHERE) if datagram[0] > 19] == []
    late.shake()
    assert late.dtls.connected


def test_forged_and_recorded_checks_do_not_move_media(rig: Rig) -> None:
    recorded: list[bytes] = []
    receive = rig.engine.receive
    rig.engine.receive = lambda data, *rest: (recorded.append(data), receive(data, *rest))[1]  # type: ignore[method-assign]
    rig.subscriber.check(rig.subscriber.address)
    for data in [*recorded, *everything(rig)]:
        receive(data, ELSEWHERE, rig.now, rig.now)
    rig.tick()
    assert ELSEWHERE not in rig.wire.sent
    assert still_flows(rig)


def test_media_follows_a_nominated_address_only_after_it_answered_our_own_check(rig: Rig) -> None:
    rig.subscriber.give(rig.subscriber.request(), ELSEWHERE)
    assert still_flows(rig)
    rig.subscriber.answer_checks(ELSEWHERE)
    rig.subscriber.address = ELSEWHERE
    assert still_flows(rig, 103, b"at the new address")


def test_a_check_without_nomination_does_not_move_media(rig: Rig) -> None:
    rig.subscriber.check(ELSEWHERE, nominate=False)
    assert still_flows(rig)


def test_srtp_from_a_new_address_never_moves_anything(rig: Rig) -> None:
    rig.engine.receive(rig.publisher.sealed(102, 9000, DELTA), ELSEWHERE, rig.now, rig.now)
    rig.engine.receive(
        rig.subscriber.sender.protect_rtcp(rtcp.Pli(1, rig.ssrc).serialize()), ELSEWHERE, rig.now, rig.now
    )
    rig.tick(1.0)
    assert ELSEWHERE not in rig.wire.sent


def test_nobody_takes_over_the_address_of_somebody_else(rig: Rig) -> None:
    """One participant, with good credentials of their own, forges the sender's address of another one."""
    victim = rig.publisher.address
    rig.subscriber.give(rig.subscriber.request(), victim)
    assert rig.refused("address_taken") == 1
    assert victim not in rig.wire.sent
    assert still_flows(rig)


def test_an_address_is_free_again_when_its_owner_is_gone(rig: Rig) -> None:
    address = rig.publisher.address
    rig.do(m.ClosePeer(PeerId("pub")))
    rig.wire.take(address)
    rig.subscriber.give(rig.subscriber.request(nominate=False), address)
    assert rig.refused("address_taken") == 0
    assert len(rig.wire.take(address)) == 1


def test_media_from_the_address_of_another_peer_is_refused(rig: Rig) -> None:
    rig.engine.receive(rig.publisher.sealed(102, 9000, b"x"), rig.subscriber.address, rig.now, rig.now)
    rig.engine.receive(
        rig.publisher.sender.protect_rtcp(rtcp.Pli(1, rig.ssrc).serialize()), rig.subscriber.address, rig.now, rig.now
    )
    rig.tick()
    assert rig.refused("unauthentic") + rig.refused("malformed") == 2
    assert rig.subscriber.payloads() == []


def test_a_check_from_port_zero_is_ignored(rig: Rig) -> None:
    """Sending there fails with EINVAL, which a socket takes for a kernel without segmentation."""
    rig.subscriber.give(rig.subscriber.request(), ("198.51.100.7", 0))
    assert ("198.51.100.7", 0) not in rig.wire.sent
    assert rig.refused("unknown_sender") == 1


def test_addresses_of_one_peer_are_bounded_and_the_one_in_use_stays(rig: Rig) -> None:
    for port in range(500):
        rig.now += 0.001
        rig.publisher.check(("198.51.100.8", port), nominate=False)
    assert len(rig.engine._roster._by_address) <= MAX_ADDRESSES + 2
    assert still_flows(rig)


def test_nothing_grows_with_ten_thousand_strangers(rig: Rig) -> None:
    roster = rig.engine._roster
    sizes = [len(table) for table in (roster._by_address, roster._by_ufrag, roster.peers, rig.wire.sent)]
    data = everything(rig)
    for number in range(10_000):
        address = (f"10.{number >> 8 & 255}.{number & 255}.1", 1024 + number)
        rig.engine.receive(data[number % len(data)], address, rig.now, rig.now)
    assert [len(table) for table in (roster._by_address, roster._by_ufrag, roster.peers, rig.wire.sent)] == sizes


@pytest.mark.parametrize("where", ["publisher", "subscriber"])
def test_a_certificate_that_was_not_announced_ends_the_peer_before_any_media(where: str) -> None:
    rig = Rig()
    liar = Browser(rig, ELSEWHERE, SUBSCRIBER_CERTIFICATE, rig.subscriber.profiles)
    if where == "publisher":
        offer = rig.describe(CAMERA, "actpass", liar)
        answer = rig.do(
            m.Publish(
                ROOM, ParticipantId("liar"), PeerId("liar"), offer, [m.TrackOffer("0", PublicationId("c2"), "camera")]
            )
        )
        assert isinstance(answer, m.SessionDescription)
        liar.certificate = Certificate.generate()
        liar.begin(answer.sdp)
    else:
        offered = rig.subscribe("liar", "liar", [PublicationId("camera-1")])
        rig.answer(liar, offered)
        liar.certificate = Certificate.generate()
        liar.begin(offered.sdp)
    liar.check(ELSEWHERE)
    with pytest.raises(MalformedPacketError):
        liar.shake()
    closed = {n.peer: n.reason for n in rig.engine.notices() if isinstance(n, m.PeerClosed)}
    assert closed == {"liar": "fingerprint_mismatch"}
    rig.engine.receive(pack("!BBHII", 0x80, 96, 1, 1, 1111) + bytes(40), ELSEWHERE, rig.now, rig.now)
    rig.tick()
    assert rig.subscriber.payloads() == []


def test_a_renegotiation_cannot_change_the_certificate() -> None:
    rig = Rig()
    rig.publisher.certificate = Certificate.generate()
    offer = rig.describe(CAMERA, "actpass")
    tracks = [m.TrackOffer("0", PublicationId("camera-1"), "camera")]
    result = rig.engine.execute(m.Publish(ROOM, ParticipantId("anne"), PeerId("pub"), offer, tracks), rig.now)
    assert isinstance(result, m.Failed)
    assert result.code == "sdp_fingerprint_changed"
    rig.keyframe()
    assert rig.subscriber.payloads() == [KEYFRAME]


def test_without_consent_from_the_address_in_use_a_peer_ends(rig: Rig) -> None:
    rig.engine.notices()
    for _ in range(16):
        rig.publisher.check(rig.publisher.address)
        rig.subscriber.check(ELSEWHERE, nominate=False)
        rig.tick(1.0)
    closed = {n.peer: n.reason for n in rig.engine.notices() if isinstance(n, m.PeerClosed)}
    assert closed == {"sub": "consent_expired"}
    rig.wire.sent.clear()
    rig.publisher.send_rtp(102, 9000, b"nobody listens")
    rig.tick()
    assert rig.subscriber.address not in rig.wire.sent
    assert ELSEWHERE not in rig.wire.sent


def test_spoofed_ssrcs_in_rtcp_have_no_effect(rig: Rig) -> None:
    """Reports and wishes about SSRCs that are not the peer's own change nothing for anybody."""
    other, offer = rig.receiver("zoé", "other", ELSEWHERE)
    other.connect(offer)
    rig.tick()
    rig.publisher.send_rtp(102, 9000, KEYFRAME)
    rig.tick()
    sent = rig.subscriber.rtp[-1][1]
    rig.subscriber.rtp.clear()
    rig.publisher.rtcp.clear()
    subscription = rig.engine._roster.subscribers[PeerId("sub")].subscriptions[PublicationId("camera-1")]
    block = rtcp.ReportBlock(rig.ssrc, 255, 0, 0, 0, 0, 0)
    for packet in (
        rtcp.ReceiverReport(rig.ssrc, [block]).serialize(),
        rtcp.Nack(rig.ssrc, rig.ssrc, [sent]).serialize(),
        rtcp.Pli(rig.ssrc, rig.ssrc).serialize(),
        rtcp.Goodbye([rig.ssrc, 1111]).serialize(),
        rtcp.SenderReport(1111, 0, 0, 0, 0).serialize(),
        rtcp.SourceDescription([(1111, "another name")]).serialize(),
    ):
        other.send_rtcp(packet)
    rig.tick(0.6)
    assert rig.subscriber.payloads() == []
    assert subscription.lost_reported == 0.0
    assert not [packet for packet in rig.publisher.rtcp if isinstance(packet, rtcp.Pli)]
    assert still_flows(rig, 103)


@pytest.mark.parametrize("address", [("192.0.2.10", 1), ("192.0.2.20", 2), STRANGER])
def test_random_bytes_of_every_first_byte_and_length_are_silent(rig: Rig, address: Address) -> None:
    for first in range(256):
        for length in (1, 2, 4, 8, 12, 20, 21, 28, 64, 200, 1500, 4000, 65_507):
            data = bytes([first]) + secrets.token_bytes(length - 1)
            rig.engine.receive(data, address, rig.now, rig.now)
    assert not rig.wire.sent
    assert still_flows(rig)
