"""What one peer may cause, however it behaves."""

import pytest

from control import messages as m
from control.ids import PeerId, PublicationId
from sfu.machines.dtls import OUR_PROFILES
from sfu.machines.srtp import MAX_SSRCS
from sfu.rooms.policing import (
    BITRATE_BPS,
    KEYFRAMES_BURST_S,
    KEYFRAMES_PER_S,
    MAX_PAYLOAD_BYTES,
    MAX_RETRANSMISSIONS,
    PACKETS_PER_S,
    PUBLISHER_BURST_S,
    RETRANSMISSION_BPS,
    RETRANSMISSION_BURST_S,
)
from sfu.rooms.publisher import MAX_STREAMS
from sfu.wire import rtcp
from sfu.wire.rtp_extensions import AUDIO_LEVEL, MID, RID
from tests.sfu.rooms.rig import CAMERA, DELTA, KEYFRAME, PUBLICATION, Rig

MICROPHONE = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:{}\r\na=sendonly\r\na=rtpmap:111 opus/48000/2\r\n"
EXTENSIONS = f"a=extmap:1 {MID}\r\na=extmap:2 {RID}\r\na=extmap:3 {AUDIO_LEVEL}\r\n"
SIMULCAST = CAMERA + EXTENSIONS + "a=rid:q send\r\na=rid:h send\r\na=rid:f send\r\na=simulcast:send q;h;f\r\n"
MIC = PublicationId("microphone-1")


def flowing(**arguments: object) -> Rig:
    rig = Rig(**arguments)  # type: ignore[arg-type]
    rig.keyframe()
    rig.subscriber.rtp.clear()
    rig.wire.sent.clear()
    return rig


def test_a_publisher_far_above_its_bitrate_is_cut_to_its_share_and_others_are_not() -> None:
    rig = flowing()
    seconds, rate = 4, 50_000_000
    size = 1200
    index = 102
    for _ in range(seconds * 100):
        for _ in range(rate // 8 // size // 100):
            rig.publisher.send_rtp(index, index, bytes(size))
            index += 1
        rig.tick(0.01)
    passed = sum(len(payload) for payload in rig.subscriber.payloads()) * 8
    allowed = BITRATE_BPS["video"] * (seconds + PUBLISHER_BURST_S)
    assert 0.8 * allowed < passed <= allowed
    assert rig.refused("publisher_rate") > 0
    rig.tick(1.0)
    rig.publisher.check(rig.publisher.address)
    rig.publisher.send_rtp(index, index, b"honest again")
    rig.tick()
    assert rig.subscriber.payloads() == [b"honest again"]


def test_tiny_packets_are_limited_by_their_number() -> None:
    rig = flowing()
    for index in range(102, 30_102):
        rig.publisher.send_rtp(index, index, b"x")
        rig.now += 1 / 15_000
    rig.tick()
    assert len(rig.subscriber.rtp) <= PACKETS_PER_S["video"] * (2 + PUBLISHER_BURST_S) + 1
    assert rig.refused("publisher_rate") > 20_000


def test_the_share_grows_with_the_tracks() -> None:
    rig = flowing(
        media=MICROPHONE.format("0"), tracks=(m.TrackOffer("0", PUBLICATION, "microphone"),), profiles=OUR_PROFILES
    )
    for index in range(200, 2200):
        rig.publisher.give(rig.publisher.sealed(index, index, bytes(1000), payload_type=111))
    rig.tick()
    assert len(rig.subscriber.rtp) * 8000 <= BITRATE_BPS["audio"] * PUBLISHER_BURST_S


def test_strangers_that_forge_the_address_cannot_use_up_a_publishers_share() -> None:
    rig = flowing()
    forged = rig.publisher.sealed(102, 9000, bytes(1200))[:-1] + b"\0"
    for _ in range(20_000):
        rig.publisher.give(forged)
    rig.publisher.send_rtp(103, 9000, b"honest")
    rig.tick()
    assert rig.subscriber.payloads() == [b"honest"]
    assert rig.refused("unauthentic") == 20_000


def test_payload_types_that_were_not_negotiated_are_refused() -> None:
    rig = flowing()
    for payload_type in (*range(63), *range(98, 127)):
        rig.publisher.give(rig.publisher.sealed(102 + payload_type, 9000, DELTA, payload_type=payload_type))
    rig.tick()
    assert rig.subscriber.payloads() == []
    assert rig.refused("payload_type") == 63 + 29


def test_the_payload_type_of_retransmissions_is_not_taken_on_the_stream_itself() -> None:
    rig = flowing()
    rig.publisher.give(rig.publisher.sealed(102, 9000, b"\0\1" + DELTA, payload_type=97))
    rig.tick()
    assert rig.subscriber.payloads() == []


@pytest.mark.parametrize("mid", [b"0", b"1", b"video", None])
def test_a_publisher_that_may_only_speak_cannot_send_video(mid: bytes | None) -> None:
    """The control plane allows the microphone alone; the camera's section is answered inactive."""
    rig = flowing(
        media=MICROPHONE.format("0") + EXTENSIONS + CAMERA.replace("mid:0", "mid:1") + EXTENSIONS,
        tracks=(m.TrackOffer("0", MIC, "microphone"),),
    )
    extensions = [] if mid is None else [(1, mid)]
    for index in range(2, 20):
        video = rig.publisher.sealed(index, 9000, KEYFRAME, ssrc=2222, payload_type=96, extensions=extensions)
        rig.publisher.give(video)
    rig.tick()
    assert rig.subscriber.payloads() == []
    assert rig.refused("unknown_stream") >= 18


def test_oversized_packets_are_refused() -> None:
    rig = flowing()
    rig.publisher.send_rtp(102, 9000, bytes(MAX_PAYLOAD_BYTES + 1))
    rig.publisher.send_rtp(103, 9000, bytes(MAX_PAYLOAD_BYTES))
    rig.tick()
    assert [len(payload) for payload in rig.subscriber.payloads()] == [MAX_PAYLOAD_BYTES]
    assert rig.refused("oversized") == 1


@pytest.mark.parametrize("payload", [b"", b"\0", b"x\x03", b"\xff" * 3, DELTA + b"\0"])
def test_padding_longer_than_its_packet_is_refused(payload: bytes) -> None:
    rig = flowing()
    rig.publisher.give(rig.publisher.sealed(102, 9000, payload, padded=True))
    rig.publisher.give(rig.publisher.sealed(103, 9000, DELTA + b"\0\0\3", padded=True))
    rig.tick()
    assert rig.subscriber.payloads() == [DELTA + b"\0\0\3"]
    assert rig.refused("malformed") == 1


def test_a_probe_of_nothing_but_padding_on_the_retransmission_stream_is_not_forwarded() -> None:
    rig = flowing()
    publisher = rig.publisher
    publisher.give(publisher.sealed(1, 9000, bytes(223) + b"\xe0", ssrc=6, payload_type=97, padded=True))
    publisher.give(publisher.sealed(2, 9000, b"\x40\x00never sent", ssrc=6, payload_type=97))
    publisher.send_rtp(103, 9000, b"after a hole")
    publisher.give(publisher.sealed(3, 9000, b"\0\x66repaired", ssrc=6, payload_type=97))
    publisher.send_rtp(104, 9000, b"next")
    rig.tick()
    assert sorted(rig.subscriber.payloads()) == [b"after a hole", b"next", b"repaired"]


def test_streams_of_a_publisher_are_bounded() -> None:
    rig = flowing(media=SIMULCAST)
    publisher = rig.publisher
    for ssrc in range(10_000, 10_000 + 3 * MAX_SSRCS):
        publisher.give(publisher.sealed(1, 100, KEYFRAME, ssrc=ssrc, extensions=[(1, b"0"), (2, b"f")]))
    state = rig.engine._roster.publishers[PeerId("pub")]
    assert len(state._by_ssrc) + len(state._by_rtx_ssrc) <= MAX_STREAMS
    assert rig.refused("malformed") >= 2 * MAX_SSRCS - 8


def test_a_layer_that_goes_on_with_another_ssrc_goes_on_for_its_subscribers() -> None:
    rig = flowing(media=SIMULCAST)
    publisher = rig.publisher
    f = [(1, b"0"), (2, b"f")]
    publisher.give(publisher.sealed(60_000, 100, KEYFRAME, ssrc=5, extensions=f))
    rig.tick(0.6)
    publisher.give(publisher.sealed(60_001, 3100, KEYFRAME, ssrc=5, extensions=f))
    rig.tick()
    first = rig.subscriber.rtp[-1][1]
    publisher.give(publisher.sealed(7, 900_000, KEYFRAME, ssrc=9, extensions=f))
    publisher.give(publisher.sealed(8, 903_000, DELTA, ssrc=9))
    rig.tick()
    assert [(number - first) & 0xFFFF for _, number, _ in rig.subscriber.rtp[-2:]] == [1, 2]


def test_a_camera_cannot_pose_as_the_one_who_speaks() -> None:
    rig = flowing(
        media=MICROPHONE.format("1") + EXTENSIONS + CAMERA + EXTENSIONS,
        tracks=(m.TrackOffer("1", MIC, "microphone"), m.TrackOffer("0", PUBLICATION, "camera")),
    )
    rig.engine.notices()
    for index in range(2, 30):
        packet = rig.publisher.sealed(index, index, DELTA, ssrc=22, extensions=[(1, b"0"), (3, b"\x80")])
        rig.publisher.give(packet)
    rig.tick(0.3)
    assert not [notice for notice in rig.engine.notices() if isinstance(notice, m.Speaking)]


def test_a_subscriber_that_floods_with_keyframe_requests_causes_few_keyframes() -> None:
    rig = flowing()
    keyframes, seconds = 0, 30
    for step in range(seconds * 20):
        for _ in range(10):
            rig.subscriber.send_rtcp(rtcp.Pli(1, rig.ssrc).serialize())
        rig.publisher.rtcp.clear()
        rig.tick()
        if [packet for packet in rig.publisher.rtcp if isinstance(packet, rtcp.Pli)]:
            rig.publisher.send_rtp(102 + keyframes, 9000 + step * 4500, KEYFRAME)
            keyframes += 1
        if step % 100 == 0:
            rig.publisher.check(rig.publisher.address)
            rig.subscriber.check(rig.subscriber.address)
    assert keyframes <= (seconds + KEYFRAMES_BURST_S) * KEYFRAMES_PER_S + 1
    assert rig.refused("keyframe_request") > 1000


def test_a_nack_storm_stays_within_its_share() -> None:
    rig = flowing()
    for index in range(102, 602):
        rig.publisher.send_rtp(index, 9000, bytes(1000))
    rig.tick()
    numbers = [number for _, number, _ in rig.subscriber.rtp]
    rig.subscriber.rtp.clear()
    seconds = 2
    for _ in range(seconds * 40):
        for start in range(0, 500, 100):
            rig.subscriber.send_rtcp(rtcp.Nack(1, rig.ssrc, numbers[start : start + 100]).serialize())
        rig.tick(0.025)
    again = sum(len(payload) for payload in rig.subscriber.payloads())
    assert again * 8 <= RETRANSMISSION_BPS * (seconds + RETRANSMISSION_BURST_S)
    assert rig.refused("retransmission") > 0


def test_one_packet_is_not_sent_again_for_ever() -> None:
    rig = flowing()
    rig.publisher.send_rtp(102, 9000, b"wanted")
    rig.tick()
    number = rig.subscriber.rtp[-1][1]
    for _ in range(100):
        rig.subscriber.send_rtcp(rtcp.Nack(1, rig.ssrc, [number] * 20).serialize())
        rig.tick(0.03)
    assert len(rig.subscriber.rtp) == 1 + MAX_RETRANSMISSIONS


def test_rtcp_packets_of_one_peer_are_bounded() -> None:
    rig = flowing()
    for _ in range(3000):
        rig.subscriber.send_rtcp(rtcp.ReceiverReport(1, []).serialize())
    assert rig.refused("rtcp_rate") >= 1999


def test_goodbyes_and_foreign_reports_of_a_publisher_change_nothing() -> None:
    rig = flowing()
    for ssrc in (1111, 0, 0xFFFFFFFF):
        rig.publisher.send_rtcp(rtcp.Goodbye([ssrc]).serialize())
        rig.publisher.send_rtcp(rtcp.SenderReport(ssrc, 2**64 - 1, 0, 0, 0).serialize())
        rig.publisher.send_rtcp(rtcp.SenderReport(ssrc, 0, 2**32 - 1, 0, 0).serialize())
    rig.publisher.send_rtp(102, 9000, b"still here")
    rig.tick(1.1)
    assert rig.subscriber.payloads() == [b"still here"]


def test_a_sender_report_about_another_century_does_not_move_the_clock_of_a_stream() -> None:
    rig = flowing()
    layer = rig.engine._roster.publishers[PeerId("pub")].publications[PUBLICATION].layers[0]
    before = layer.clock.wall_time(6000)
    for timestamp in (6000 + 90_000 * 3600, (6000 - 90_000 * 3600) & 0xFFFFFFFF, 0x80000000):
        rig.publisher.send_rtcp(rtcp.SenderReport(1111, 1 << 63, timestamp, 1, 1).serialize())
    assert layer.clock.wall_time(6000) == before
    rig.publisher.send_rtcp(rtcp.SenderReport(1111, 1 << 63, 6000, 1, 1).serialize())
    assert layer.clock.wall_time(6000) == pytest.approx(rig.now)


def test_a_publisher_that_jumps_in_its_numbers_is_followed_and_asked_for_a_keyframe() -> None:
    rig = flowing()
    rig.publisher.rtcp.clear()
    for index in (102, 102 + 30_000, 102 + 60_000):
        rig.publisher.send_rtp(index, 9000, index.to_bytes(4, "big"))
        rig.tick(0.6)
    assert rig.subscriber.payloads() == [index.to_bytes(4, "big") for index in (102, 30_102, 60_102)]
    assert [packet for packet in rig.publisher.rtcp if isinstance(packet, rtcp.Pli)]
    assert not [packet for packet in rig.publisher.rtcp if isinstance(packet, rtcp.Nack)]


def test_feedback_about_many_packets_leaves_in_datagrams_that_fit() -> None:
    rig = flowing(
        media=CAMERA + "a=extmap:4 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n"
    )
    publisher = rig.publisher
    for index in range(2, 1500):
        number = (index * 3).to_bytes(2, "big")
        publisher.give(publisher.sealed(index, 9000, DELTA, extensions=[(4, number)]))
    rig.engine.handle_timeout(rig.now + 0.1, rig.now)
    datagrams = rig.wire.take(publisher.address)
    assert max(len(datagram) for datagram in datagrams) <= 1200
    packets = [p for d in datagrams if d[0] > 127 for p in rtcp.parse(publisher.receiver.unprotect_rtcp(d))]
    assert len([packet for packet in packets if isinstance(packet, rtcp.TransportFeedback)]) > 3
