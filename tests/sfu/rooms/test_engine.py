"""The engine with real endpoints (DTLS, SRTP) on both sides, without sockets: forward, lose, repair, move."""

from struct import pack

from control import messages as m
from control.ids import PeerId, PipeId
from control.pipes import PipeSpec
from sfu.machines.srtp import AEAD_AES_128_GCM, SrtpReceiver, SrtpSender
from sfu.wire import rtcp, sdp
from tests.sfu.rooms.rig import DELTA, KEYFRAME, PUBLICATION, ROOM, Rig


def test_a_new_subscriber_causes_one_keyframe_request_and_starts_with_the_keyframe() -> None:
    rig = Rig()
    rig.keyframe()
    assert len([p for p in rig.publisher.rtcp if isinstance(p, rtcp.Pli)]) == 1
    assert [payload for _, _, payload in rig.subscriber.rtp] == [KEYFRAME]
    rig.publisher.send_rtp(102, 9000, DELTA)
    rig.tick()
    assert [payload for _, _, payload in rig.subscriber.rtp] == [KEYFRAME, DELTA]


def test_packets_of_a_frame_arrive_in_order_and_continuous() -> None:
    rig = Rig()
    rig.keyframe()
    for index in range(102, 130):
        rig.publisher.send_rtp(index, 9000, bytes([index]) * (1000 if index % 5 else 300))
    rig.tick()
    numbers = [number for _, number, _ in rig.subscriber.rtp]
    assert numbers == [(numbers[0] + i) & 0xFFFF for i in range(29)]
    assert [payload[0] for _, _, payload in rig.subscriber.rtp[1:]] == list(range(102, 130))


def test_a_subscriber_gets_lost_packets_again_by_rtx() -> None:
    rig = Rig()
    rig.keyframe()
    rig.publisher.send_rtp(102, 9000, b"lost one")
    rig.tick()
    _, number, _ = rig.subscriber.rtp[-1]
    rig.subscriber.send_rtcp(rtcp.Nack(1, rig.ssrc, [number]).serialize())
    rig.tick()
    payload_type, _, payload = rig.subscriber.rtp[-1]
    assert payload_type == 97
    assert payload == number.to_bytes(2, "big") + b"lost one"


def test_a_hole_is_asked_for_and_what_comes_late_is_still_forwarded() -> None:
    rig = Rig()
    rig.keyframe()
    rig.publisher.send_rtp(103, 9000, b"later")
    rig.tick()
    (nack,) = [p for p in rig.publisher.rtcp if isinstance(p, rtcp.Nack)]
    assert nack.lost == [102]
    rig.publisher.send_rtp(102, 9000, b"repaired")
    rig.tick()
    numbers = {payload: number for _, number, payload in rig.subscriber.rtp}
    assert (numbers[b"repaired"] + 1) & 0xFFFF == numbers[b"later"]


def test_a_muted_publication_is_silent_and_continues_without_a_gap() -> None:
    rig = Rig()
    rig.keyframe()
    rig.do(m.PausePublication(PUBLICATION, True))
    rig.publisher.send_rtp(102, 9000, b"secret")
    rig.tick()
    rig.do(m.PausePublication(PUBLICATION, False))
    rig.publisher.send_rtp(103, 12_000, KEYFRAME)
    rig.tick()
    assert [payload for _, _, payload in rig.subscriber.rtp] == [KEYFRAME, KEYFRAME]
    first, second = (number for _, number, _ in rig.subscriber.rtp)
    assert (first + 1) & 0xFFFF == second


def test_forged_packets_and_strangers_reach_nobody() -> None:
    rig = Rig()
    rig.keyframe()
    rig.subscriber.rtp.clear()
    for address in (rig.publisher.address, ("203.0.113.66", 666)):
        for data in (
            b"",
            b"\x80",
            bytes(40),
            pack("!BBHII", 0x80, 96, 102, 1, 1111) + bytes(40),
            b"\x16\xfe\xfd" + bytes(20),
        ):
            rig.engine.receive(data, address, rig.now, rig.now)
            rig.engine.receive(b"\x80\xc9" + data, address, rig.now, rig.now)
    rig.tick()
    assert rig.subscriber.rtp == []
    assert ("203.0.113.66", 666) not in rig.wire.sent
    rig.publisher.send_rtp(102, 9000, b"still here")
    rig.tick()
    assert [payload for _, _, payload in rig.subscriber.rtp] == [b"still here"]


def test_a_subscriber_that_changes_its_network_is_followed_and_only_by_an_authenticated_check() -> None:
    rig = Rig()
    rig.keyframe()
    rig.subscriber.address = ("198.51.100.7", 77)
    rig.publisher.send_rtp(102, 9000, b"to the old address")
    rig.tick()
    assert all(payload != b"to the old address" for _, _, payload in rig.subscriber.rtp)
    rig.subscriber.check(rig.subscriber.address)
    rig.publisher.send_rtp(103, 9000, b"to the new address")
    rig.tick()
    assert rig.subscriber.rtp[-1][2] == b"to the new address"


def test_without_consent_a_peer_ends() -> None:
    rig = Rig()
    rig.keyframe()
    rig.engine.notices()
    rig.tick(16.0)
    closed = {n.peer: n.reason for n in rig.engine.notices() if isinstance(n, m.PeerClosed)}
    assert closed == {"pub": "consent_expired", "sub": "consent_expired"}
    assert rig.engine.counts["peers"] == 0


def test_a_pipe_carries_the_publication_under_its_own_keys_with_sender_reports() -> None:
    rig = Rig()
    rig.keyframe()
    key, salt, address = bytes(range(16)), bytes(range(12)), ("127.0.0.1", 555)
    spec = PipeSpec(PipeId("pipe"), PUBLICATION, "vp8", 90_000, 96, 4242, key, salt)
    rig.do(m.OpenPipe(ROOM, spec, address))
    rig.tick(0.6)
    rig.publisher.send_rtp(102, 12_000, KEYFRAME)
    rig.tick(1.1)
    receiver = SrtpReceiver(AEAD_AES_128_GCM, key, salt)
    datagrams = rig.wire.take(address)
    media = [d for d in datagrams if d[1] & 0x7F == 96]
    reports = [d for d in datagrams if d[1] == rtcp.SENDER_REPORT]
    assert [receiver.unprotect_rtp(d, len(d), 4242, int.from_bytes(d[2:4], "big"), 12)[1] for d in media] == [KEYFRAME]
    assert len(rtcp.parse(receiver.unprotect_rtcp(reports[0]))) == 2
    back = SrtpSender(AEAD_AES_128_GCM, key, salt)
    nack = rtcp.Nack(4242 ^ 0xFFFFFFFF, 4242, [int.from_bytes(media[0][2:4], "big")]).serialize()
    rig.engine.receive(back.protect_rtcp(nack), address, rig.now, rig.now)
    assert rig.wire.take(address) == media


def test_a_publication_that_ends_is_told_and_its_section_is_used_again() -> None:
    rig = Rig()
    rig.keyframe()
    rig.engine.notices()
    rig.do(m.ClosePeer(PeerId("pub")))
    rig.tick()
    notices = rig.engine.notices()
    assert m.PublicationEnded(PUBLICATION) in notices
    (offer,) = [notice for notice in notices if isinstance(notice, m.SubscriberOffer)]
    assert sdp.parse(offer.sdp).sections[0].direction == "inactive"
    assert offer.tracks == []
