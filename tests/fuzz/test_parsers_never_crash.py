"""Whatever bytes come, a parser parses or raises its one documented error, and what it returns fits the bytes."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.errors import MalformedPacketError, NegotiationError
from sfu.machines.ice_lite import ufrag_of
from sfu.machines.negotiation import (
    LocalTransport,
    SubscriberSession,
    answer_publisher,
    answer_viewer,
    viewer_sections,
)
from sfu.streams import rtx
from sfu.wire import rtcp, rtp_extensions, sdp, stun, twcc
from sfu.wire.payloads import av1, h264, vp8, vp9
from sfu.wire.payloads.pictures import renumber
from tests.fuzz.samples import damaged, fixture, mutated

LOCAL = LocalTransport("ufrag", "password", "AA:BB", [("192.0.2.1", 9, "udp")])
ARRIVALS = {10: 1_000_000, 12: 1_000_250, 13: 999_000, 40: 2_000_000}
REMB = bytes.fromhex("8fce0005 00000001 00000000 52454d42 01 1bd090 00000457".replace(" ", ""))
UNKNOWN = bytes.fromhex("80cf00020000000101020304")
RTCP_SAMPLES = [
    rtcp.SenderReport(1, 2, 3, 4, 5, [rtcp.ReportBlock(1, 2, -3, 4, 5, 6, 7)]).serialize(),
    rtcp.ReceiverReport(1, [rtcp.ReportBlock(1, 2, 3, 4, 5, 6, 7)]).serialize(),
    rtcp.SourceDescription([(1, "name"), (2, "other name")]).serialize(),
    rtcp.Goodbye([1, 2]).serialize(),
    rtcp.Nack(1, 2, [65_535, 0, 5, 100]).serialize(),
    rtcp.Pli(1, 2).serialize(),
    bytes.fromhex("84ce00040000000100000000000004570100000000"[:40]),
    twcc.build(1, 2, 3, min(ARRIVALS), ARRIVALS),
]
STUN_SAMPLES = [
    fixture("chromium-binding-request"),
    stun.serialize(stun.BINDING_SUCCESS, bytes(12), [(stun.XOR_MAPPED_ADDRESS, bytes(20))], b"key"),
]
EXTENDED = fixture("chromium-srtp-video")
PAYLOADS = [
    b"\x90\xe0\xc8\xd6\x45\x20\x50\x13\x00\x9d\x01\x2a",
    b"\x9b\x95\x36\x10\x02\x80\x01\x68",
    b"\x78\x00\x13\x67\x42\xc0\x1f\x8c" + bytes(14) + b"\x00\x02\x65\x88",
    b"\x7c\x85\xb8\x00\x04",
    b"\x28\x0b\x08\x00\x00\x00\x0c\xc4",
]
KEY_MATERIAL = bytes(range(64))


@pytest.mark.parametrize("packet", RTCP_SAMPLES)
def test_every_sample_is_good_to_begin_with(packet: bytes) -> None:
    assert len(rtcp.parse(packet)) == 1


def read_rtcp(data: bytes) -> None:
    try:
        packets = rtcp.parse(data)
    except MalformedPacketError:
        return
    assert len(packets) <= len(data) // 4
    for packet in packets:
        if isinstance(packet, rtcp.TransportFeedback):
            read_twcc(packet.body)
        elif isinstance(packet, rtcp.Nack):
            assert len(packet.lost) <= 17 * len(data) // 4


def read_twcc(data: bytes) -> None:
    try:
        _, _, packets = twcc.parse(data)
    except MalformedPacketError:
        return
    assert len(packets) <= 0xFFFF


def read_stun(data: bytes) -> None:
    try:
        message = stun.parse(data)
    except MalformedPacketError:
        return
    stun.has_integrity(data, message, b"key")
    for value in message.attributes.values():
        assert value in data
        try:
            stun.plain_address(value, message.transaction_id)
        except MalformedPacketError:
            pass


@given(st.binary(max_size=300) | mutated([*RTCP_SAMPLES, b"".join(RTCP_SAMPLES), REMB, UNKNOWN]))
def test_rtcp(data: bytes) -> None:
    read_rtcp(data)


@given(st.binary(max_size=300) | mutated([RTCP_SAMPLES[-1][12:]]))
def test_transport_feedback(data: bytes) -> None:
    read_twcc(data)


@given(st.binary(max_size=300) | mutated(STUN_SAMPLES))
def test_stun(data: bytes) -> None:
    read_stun(data)
    ufrag_of(data)


@pytest.mark.parametrize(
    ("read", "samples"),
    [(read_rtcp, [*RTCP_SAMPLES, b"".join(RTCP_SAMPLES), REMB]), (read_stun, STUN_SAMPLES)],
    ids=["rtcp", "stun"],
)
def test_good_packets_cut_at_every_byte_and_with_every_bit_flipped(
    read: Callable[[bytes], None], samples: list[bytes]
) -> None:
    for sample in samples:
        for data in damaged(sample):
            read(data)


@given(
    st.dictionaries(st.integers(0, 70_000), st.integers(0, 2**40), min_size=1, max_size=60),
    st.integers(0, 2**32 - 1),
)
def test_feedback_that_is_written_fits_a_datagram_and_can_be_read(arrivals: dict[int, int], ssrc: int) -> None:
    reported = []
    for first, portion in twcc.portions(arrivals):
        packet = twcc.build(ssrc, ssrc, 255, first, portion)
        assert len(packet) <= 1200 - 20
        (parsed,) = rtcp.parse(packet)
        assert isinstance(parsed, rtcp.TransportFeedback)
        _, _, packets = twcc.parse(parsed.body)
        reported += [number for number, arrived in packets if arrived is not None]
    assert sorted(reported) == sorted(number & 0xFFFF for number in arrivals)


@given(st.binary(max_size=60), st.sampled_from([0xBEDE, 0x1000, 0x1003, 0, 0xFFFF]), st.integers(0, 255))
def test_header_extensions(data: bytes, profile: int, identifier: int) -> None:
    value = rtp_extensions.find(data, profile, 0, len(data), identifier)
    assert value is None or value in data


def test_header_extensions_of_a_real_packet_are_read_whole_and_damaged() -> None:
    end = 16 + 4 * int.from_bytes(EXTENDED[14:16], "big")
    profile = int.from_bytes(EXTENDED[12:14], "big")
    assert rtp_extensions.find(EXTENDED, profile, 16, end, 9) == b"0"
    for data in damaged(EXTENDED[16:end]):
        for identifier in range(16):
            rtp_extensions.find(data, profile, 0, len(data), identifier)


@given(st.binary(max_size=80) | mutated(PAYLOADS), st.integers(0, 0x7FFF), st.integers(0, 255))
def test_payload_descriptors(data: bytes, picture: int, tl0: int) -> None:
    for codec in (vp8, vp9, h264, av1):
        assert codec.is_keyframe(data) in (True, False)
    whole, found = vp8.parse(data), vp8.numbers(data)
    if whole is not None and found is not None:  # the short way of the common form reads the same
        assert (whole.picture_id, whole.picture_id_bits, whole.picture_id_at) == found[:3]
        assert whole.tl0_at == found.tl0_at
    for find in (vp8.numbers, vp9.numbers):
        if (numbers := find(data)) is not None:
            again = find(renumber(data, numbers, picture, tl0))
            assert again is not None
            assert again.picture == (numbers.picture + picture) % (1 << numbers.picture_bits)
            assert again.tl0 == ((numbers.tl0 + tl0) & 0xFF if numbers.tl0_at else 0)
    try:
        rtx.unwrap(data)
    except MalformedPacketError:
        assert len(data) < 2


def test_payload_descriptors_cut_and_flipped() -> None:
    for sample, codec in itertools.product(PAYLOADS, (vp8, vp9, h264, av1)):
        for data in damaged(sample):
            assert codec.is_keyframe(data) in (True, False)


CHROMIUM = fixture("chromium-offer").decode()
LINES = st.lists(
    st.sampled_from(
        [
            *CHROMIUM.split("\r\n"),
            "m=application 9 UDP/DTLS/SCTP x", "a=ssrc:99999999999 x", "a=ssrc:5 cname:x", "a=ssrc-group:FID 5 6",
            "a=rtpmap:96 VP8/0", "a=rtpmap:96 VP8/-90000", "a=rtpmap:96 VP8/90000/99999999999", "a=rtpmap:96",
            "a=rtpmap:111 opus/48000/0", "a=rid:q", "a=rid:é send", "a=rid:q send", "a=rid:x;y send",
            "a=extmap:x y", "a=extmap:99999999999999999999 urn:x", "a=ssrc-group:FID 1", "a=ssrc-group:FID -1 -1",
            "a=ice-ufrag:\ud800", "a=ice-ufrag:é", "a=ice-pwd:short", "a=mid:\u0660", "a=rtcp-fb:* nack",
            "a=fingerprint:sha-256", "a=fingerprint:sha-1 AA", "m=audio 17000 RTP/AVP 4294967296",
            "m=video 9 UDP/TLS/RTP/SAVPF " + " ".join(map(str, range(128))),
            "m=", "a=", "", "x", "a=rtpmap:٩٦ VP8/90000",
        ]
    )
    | st.text(max_size=40),
    max_size=60,
)  # fmt: skip


def read_description(text: str) -> None:
    try:
        sdp.parse(text)
        remote, sections = viewer_sections(text)
    except NegotiationError:
        pass
    else:
        answer = answer_viewer(LOCAL, remote, sections, lambda _: None)
        assert answer.isascii()
        assert all(line[1:2] == "=" for line in answer.split("\r\n")[:-1])
    session = SubscriberSession(LOCAL)
    session.kinds = ["video", "audio"]
    try:
        session.answer(text)
    except NegotiationError:
        pass
    try:
        agreement = answer_publisher(text, local=LOCAL, allowed={"0": "camera", "1": "microphone"})
    except NegotiationError:
        return
    lines = agreement.answer_sdp.split("\r\n")
    assert all(line[1:2] == "=" for line in lines[:-1])
    assert agreement.answer_sdp.isascii()
    agreement.remote.ufrag.encode()
    agreement.remote.password.encode()
    for track in agreement.tracks:
        assert (track.codecs[0].clock_rate, track.codecs[0].channels) in ((48_000, 2), (90_000, 1))
        assert len(track.rids) == len(set(track.rids)) <= 4


@given(LINES, st.booleans())
def test_session_descriptions(lines: list[str], begin: bool) -> None:
    read_description("\r\n".join((["v=0"] if begin else []) + lines))


@given(st.lists(st.tuples(st.integers(0, 90), LINES), max_size=3), st.lists(st.integers(0, 90), max_size=6))
def test_a_real_offer_with_lines_taken_out_and_put_in(more: list[tuple[int, list[str]]], less: list[int]) -> None:
    lines = CHROMIUM.split("\r\n")
    for position in less:
        del lines[min(position, len(lines) - 1)]
    for position, added in more:
        lines[position:position] = added[:3]
    read_description("\r\n".join(lines))


def test_a_real_offer_cut_at_every_character() -> None:
    for length in range(len(CHROMIUM)):
        read_description(CHROMIUM[:length])


@pytest.mark.parametrize(
    "line",
    ["a=rtcp-fb:* nack", "a=ssrc-group:FID 1 2", "a=rid:q send", "a=fingerprint:sha-256 AA", "a=extmap:1 urn:x",
     "a=candidate:1 1 udp 1 192.0.2.1 1 typ host", "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99"],
)  # fmt: skip
def test_a_description_of_one_line_again_and_again_is_refused_or_read_in_bounds(line: str) -> None:
    text = CHROMIUM + (line + "\r\n") * ((sdp.MAX_BYTES - len(CHROMIUM)) // (len(line) + 2))
    read_description(text)
    try:
        sections = sdp.parse(text).sections
    except NegotiationError:
        return
    assert sum(len(payload.feedback) for section in sections for payload in section.payloads.values()) < 5000
