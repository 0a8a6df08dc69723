"""Whatever bytes come, a parser parses or raises its one documented error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.errors import MalformedPacketError, NegotiationError
from sfu.machines.negotiation import LocalTransport, answer_publisher, viewer_sections
from sfu.streams import rtx
from sfu.wire import rtcp, rtp_extensions, sdp, stun, twcc
from sfu.wire.payloads import av1, h264, vp8, vp9

LOCAL = LocalTransport("ufrag", "password", "AA:BB", [("192.0.2.1", 9, "udp")])
RTCP_SAMPLES = [
    rtcp.SenderReport(1, 2, 3, 4, 5, [rtcp.ReportBlock(1, 2, -3, 4, 5, 6, 7)]).serialize(),
    rtcp.ReceiverReport(1, [rtcp.ReportBlock(1, 2, 3, 4, 5, 6, 7)]).serialize(),
    rtcp.SourceDescription([(1, "name"), (2, "other name")]).serialize(),
    rtcp.Goodbye([1, 2]).serialize(),
    rtcp.Nack(1, 2, [65_535, 0, 5, 100]).serialize(),
    rtcp.Pli(1, 2).serialize(),
    twcc.build(1, 2, 3, {10: 1_000_000, 12: 1_000_250, 13: 999_000, 40: 2_000_000}),
]


def mutated(samples: list[bytes]) -> st.SearchStrategy[bytes]:
    """A sample with a few bytes changed, cut or added."""

    def mutate(sample: bytes, changes: list[tuple[int, int]], cut: int, tail: bytes) -> bytes:
        data = bytearray(sample)
        for position, value in changes:
            data[position % len(data)] = value
        return bytes(data[: max(1, len(data) - cut)]) + tail

    change = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4)
    return st.builds(mutate, st.sampled_from(samples), change, st.integers(0, 12), st.binary(max_size=8))


@given(st.binary(max_size=300) | mutated(RTCP_SAMPLES))
def test_rtcp(data: bytes) -> None:
    try:
        packets = rtcp.parse(data)
    except MalformedPacketError:
        return
    for packet in packets:
        if isinstance(packet, rtcp.TransportFeedback):
            try:
                twcc.parse(packet.body)
            except MalformedPacketError:
                pass


@given(st.binary(max_size=300))
def test_transport_feedback(data: bytes) -> None:
    try:
        twcc.parse(data)
    except MalformedPacketError:
        pass


@given(st.binary(max_size=300))
def test_stun(data: bytes) -> None:
    try:
        stun.parse(data)
    except MalformedPacketError:
        pass


@given(st.binary(max_size=60), st.sampled_from([0xBEDE, 0x1000, 0x1003, 0, 0xFFFF]), st.integers(0, 255))
def test_header_extensions(data: bytes, profile: int, identifier: int) -> None:
    value = rtp_extensions.find(data, profile, 0, len(data), identifier)
    assert value is None or value in data


@given(st.binary(max_size=80), st.integers(0, 0x7FFF), st.integers(0, 255))
def test_payload_descriptors(data: bytes, picture: int, tl0: int) -> None:
    for codec in (vp8, vp9, h264, av1):
        assert codec.is_keyframe(data) in (True, False)
    assert len(vp8.rewrite(data, picture, tl0)) == len(data)
    try:
        rtx.unwrap(data)
    except MalformedPacketError:
        pass


LINES = st.lists(
    st.sampled_from(
        [
            "v=0",
            "m=audio 9 UDP/TLS/RTP/SAVPF 111",
            "m=video 9 UDP/TLS/RTP/SAVPF 96 97", "m=application 9 UDP/DTLS/SCTP x",
            "a=group:BUNDLE 0 1", "a=mid:0", "a=mid:1", "a=sendonly",
            "a=rtpmap:111 opus/48000/2", "a=rtpmap:96 VP8/90000",
            "a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96", "a=ice-ufrag:abcd", "a=ice-pwd:0123456789", "a=rtcp-mux",
            "a=setup:actpass", "a=fingerprint:sha-256 AA:BB", "a=rid:q send",
            "a=simulcast:send q", "a=ssrc:99999999999 x",
            "a=ssrc:5 cname:x", "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid", "a=extmap:x y",
            "a=rtpmap:96", "a=rid:q",
            "a=ssrc-group:FID 1", "m=audio 17000 RTP/AVP 4294967296", "m=", "a=", "", "x",
        ]
    )
    | st.text(max_size=40),
    max_size=40,
)  # fmt: skip


@given(LINES, st.booleans())
def test_session_descriptions(lines: list[str], begin: bool) -> None:
    text = "\r\n".join((["v=0"] if begin else []) + lines)
    for read in (sdp.parse, viewer_sections):
        try:
            read(text)
        except NegotiationError:
            pass
    try:
        agreement = answer_publisher(text, local=LOCAL, allowed={"0": "microphone", "1": "camera"})
    except NegotiationError:
        return
    assert all(line[1:2] == "=" for line in agreement.answer_sdp.split("\r\n")[:-1])


@pytest.mark.parametrize("packet", RTCP_SAMPLES)
def test_every_sample_is_good_to_begin_with(packet: bytes) -> None:
    assert len(rtcp.parse(packet)) == 1
