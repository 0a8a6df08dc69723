"""Where keyframes begin, against the encoders that made them and a decoder that shows them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from struct import Struct

import av
import pytest

from control.tracks import Codec
from recordings.frames import VideoFrames
from sfu.pipes.receiver import PipePacket
from sfu.rooms.publication import KEYFRAME_TESTS
from sfu.wire.payloads import vp8, vp9
from tests.fuzz.samples import fixture
from tests.rig import encoded

RECORD = Struct("!IBH")
DECODERS: dict[Codec, str] = {"vp8": "vp8", "vp9": "vp9", "h264": "h264", "av1": "libdav1d"}
CAPTURES: list[tuple[str, Codec]] = [
    ("chromium-vp8-q", "vp8"),
    ("chromium-vp8-h", "vp8"),
    ("chromium-vp9", "vp9"),
    ("chromium-vp9-q", "vp9"),
    ("chromium-h264", "h264"),
    ("chromium-av1", "av1"),
]


def captured(name: str) -> list[list[PipePacket]]:
    """Return the pictures of a capture, each as its packets."""
    data, at, packets = fixture(name), 0, []
    while at < len(data):
        timestamp, marker, length = RECORD.unpack_from(data, at)
        at += RECORD.size
        packets.append(PipePacket(len(packets), timestamp, bool(marker), data[at : at + length], 0))
        at += length
    return [list(group) for _, group in groupby(packets, key=lambda packet: packet.timestamp)]


def shown(codec: Codec, pictures: list[list[PipePacket]]) -> list[bool]:
    """Return which pictures FFmpeg's decoder says are keyframes."""
    frames = VideoFrames(codec)
    whole = [frame for batch in pictures for packet in batch if (frame := frames.take(packet)) is not None]
    assert len(whole) == len(pictures)
    decoder = av.CodecContext.create(DECODERS[codec], "r")
    decoder.thread_count = 1
    if codec == "h264":
        decoder.extradata = whole[0].private
    decoded = [picture for frame in whole for picture in decoder.decode(av.Packet(frame.data))] + decoder.decode(None)
    return [bool(picture.key_frame) for picture in decoded]


def begins(codec: Codec, pictures: list[list[PipePacket]]) -> list[bool]:
    """Return for each picture whether a keyframe begins with its first packet; it may with no later one."""
    test = KEYFRAME_TESTS[codec]
    if codec != "h264":  # where a parameter set and the slice behind it may both be the first that somebody gets
        assert not any(test(packet.payload) for packets in pictures for packet in packets[1:])
    return [test(packets[0].payload) for packets in pictures]


@pytest.mark.parametrize(("name", "codec"), CAPTURES)
def test_chromiums_keyframes_are_those_that_a_decoder_sees(name: str, codec: Codec) -> None:
    pictures = captured(name)
    truth = shown(codec, pictures)
    assert truth[0]
    assert truth.count(True) >= 2
    assert begins(codec, pictures) == truth


@pytest.mark.parametrize("codec", ["vp8", "vp9", "h264", "av1"])
def test_keyframes_are_those_that_the_encoder_made(codec: Codec) -> None:
    frames = encoded.video(codec, 45, (640, 360), keyframe_every=20)
    pictures = list(encoded.pipe_packets(codec, frames))
    truth = [frame.is_keyframe for frame in frames]
    assert truth.count(True) == 3
    assert begins(codec, pictures) == truth


def test_chromiums_h264_comes_in_aggregates_and_fragments() -> None:
    """The capture has what the test is for: STAP-A with the parameter sets, FU-A, single units."""
    kinds = {packet.payload[0] & 31 for packets in captured("chromium-h264") for packet in packets}
    assert kinds == {1, 24, 28}


@pytest.mark.parametrize(
    ("name", "find"),
    [("chromium-vp8-q", vp8.numbers), ("chromium-vp8-h", vp8.numbers), ("chromium-vp9", vp9.numbers),
     ("chromium-vp9-q", vp9.numbers)],
)  # fmt: skip
def test_pictures_of_chromium_are_numbered_one_after_the_other(name: str, find: Callable[[bytes], object]) -> None:
    numbers = [{find(packet.payload).picture for packet in packets} for packets in captured(name)]  # type: ignore[attr-defined]
    first = next(iter(numbers[0]))
    assert numbers == [{first + position & 0x7FFF} for position in range(len(numbers))]


def test_simulcast_layers_of_chromium_begin_with_the_same_numbers_and_part() -> None:
    """Why pictures are renumbered at a change of layers: the layers drop different pictures."""
    q, h = captured("chromium-vp8-q"), captured("chromium-vp8-h")
    one, other = vp8.numbers(q[0][0].payload), vp8.numbers(h[0][0].payload)
    assert one is not None
    assert other is not None
    assert (one.picture, one.tl0) == (other.picture, other.tl0)
    pairs = [(vp8.numbers(a[0].payload), vp8.numbers(b[0].payload)) for a, b in zip(q, h, strict=True)]
    assert any(a is not None and b is not None and a.tl0 != b.tl0 for a, b in pairs)
