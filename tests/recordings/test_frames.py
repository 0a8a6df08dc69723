"""Whole frames only: a loss costs the picture up to the next keyframe, and hostile packets cost nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.tracks import Codec
from recordings.frames import AudioFrames, Frame, VideoFrames, assembler
from sfu.errors import MalformedPacketError
from sfu.pipes.receiver import PipePacket
from sfu.wire.payloads import av1_units, h264_frame, opus, vp8_frame, vp9_frame
from tests.rig import encoded

PICTURES: list[Codec] = ["vp8", "vp9", "h264", "av1"]


def packets(codec: Codec, count: int = 60, keyframe_every: int = 20) -> list[list[PipePacket]]:
    return list(encoded.pipe_packets(codec, encoded.video(codec, count, keyframe_every=keyframe_every)))


def take(frames: AudioFrames | VideoFrames, batch: list[PipePacket]) -> list[Frame]:
    return [frame for packet in batch if (frame := frames.take(packet)) is not None]


def without(batch: list[PipePacket], lost: int) -> list[PipePacket]:
    """Return a frame's packets without one of them, as a pipe delivers them that gave it up."""
    out = [packet for number, packet in enumerate(batch) if number != lost]
    if lost < len(out):
        late = out[lost]
        out[lost] = PipePacket(late.seq, late.timestamp, late.marker, late.payload, 1)
    return out


@pytest.mark.parametrize("codec", PICTURES)
def test_a_lost_packet_costs_all_frames_up_to_the_next_keyframe_which_is_asked_for(codec: Codec) -> None:
    batches = packets(codec)
    assert all(frame[0].payload for frame in batches)
    frames = VideoFrames(codec)
    times = []
    for number, batch in enumerate(batches):
        if number == 25:
            batch = without(batch, 0)
        elif number == 26 and len(batches[25]) == 1:
            first = batch[0]
            batch = [PipePacket(first.seq, first.timestamp, first.marker, first.payload, 1), *batch[1:]]
        times += [frame.timestamp // encoded.FRAME_TICKS for frame in take(frames, batch)]
        if number in (26, 39):
            assert frames.keyframe_wanted
    assert times == [*range(25), *range(40, 60)]
    assert not frames.keyframe_wanted


def test_a_loss_in_the_middle_or_at_the_end_of_a_frame_never_yields_half_of_it() -> None:
    big = next(batch for batch in packets("vp8", 5) if len(batch) > 3)
    for lost in range(len(big)):
        frames = VideoFrames("vp8")
        assert take(frames, without(big, lost)) == []


def test_a_track_begins_at_a_keyframe_and_asks_for_one() -> None:
    batches = packets("vp8", 30, 20)
    frames = VideoFrames("vp8")
    assert take(frames, batches[3]) == []
    assert frames.keyframe_wanted
    assert [frame.is_keyframe for batch in batches[4:22] for frame in take(frames, batch)] == [True, False]


def test_a_frame_that_was_left_in_its_middle_is_dropped_and_the_keyframe_after_it_is_not() -> None:
    batches = packets("vp8", 22, 20)
    frames = VideoFrames("vp8")
    for batch in batches[:19]:
        take(frames, batch)
    cut = [PipePacket(packet.seq, packet.timestamp, False, packet.payload, 0) for packet in batches[19]]
    assert take(frames, cut) == []
    assert [frame.is_keyframe for frame in take(frames, batches[20])] == [True]


def test_padding_between_frames_is_nothing() -> None:
    frames = VideoFrames("vp8")
    for batch in packets("vp8", 3):
        assert len(take(frames, batch)) == 1
        last = batch[-1]
        assert take(frames, [PipePacket(last.seq + 1, last.timestamp, False, b"", 0)]) == []


def test_spatial_layers_of_vp9_stay_together_with_an_index() -> None:
    one, two = (encoded.video("vp9", 1, size)[0].data for size in ((160, 120), (320, 240)))

    def packet(data: bytes, layer: int) -> bytes:
        return bytes([0x80 | 0x20 | 0x08 | 0x04, 5, layer << 1, 7]) + data

    joined = vp9_frame.join([packet(one, 0), packet(two, 1)])
    assert joined.startswith(one + two)
    marker = joined[-1]
    width = (marker >> 3 & 3) + 1
    assert marker & 0xE7 == 0xC1
    assert joined[-1 - 2 * width - 1] == marker
    sizes = joined[-1 - 2 * width : -1]
    assert [int.from_bytes(sizes[at : at + width], "little") for at in (0, width)] == [len(one), len(two)]


@pytest.mark.parametrize(
    ("packet", "ticks"),
    [
        (b"\xf8\xff\xfe", 960), (b"\x08x", 960), (b"\x18x", 2880), (b"\x78x", 960), (b"\xe0x", 120), (b"\xf9xx", 1920),
        (b"\xfb\x06", 5760), (b"\x1b\x02", 5760),
    ],
)  # fmt: skip
def test_the_length_of_opus_packets(packet: bytes, ticks: int) -> None:
    assert opus.ticks(packet) == ticks


def test_opus_packets_without_content_play_as_long_as_what_they_stand_for() -> None:
    for configuration in range(32):
        for frames in range(1, opus.MAX_CONCEALED_FRAMES + 1):
            packet = opus.concealed(bytes([configuration << 3]) + b"x", frames)
            assert opus.ticks(packet) == frames * 960


PAYLOADS = [
    payload
    for codec in PICTURES
    for batch in packets(codec, 3)[:3]
    for payload in [packet.payload for packet in batch][:2]
]


def mutate(sample: bytes, changes: list[tuple[int, int]], cut: int) -> bytes:
    data = bytearray(sample)
    for position, value in changes:
        data[position % len(data)] = value
    return bytes(data[: max(0, len(data) - cut)])


HOSTILE = st.binary(max_size=80) | st.builds(
    mutate,
    st.sampled_from(PAYLOADS),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=5),
    st.integers(0, 1200),
)


@given(st.lists(HOSTILE, max_size=5))
def test_joining_hostile_payloads_raises_the_documented_error_or_nothing(payloads: list[bytes]) -> None:
    for join in (vp8_frame.join, vp9_frame.join, h264_frame.units, av1_units.units):
        try:
            join(payloads)
        except MalformedPacketError:
            pass


@given(HOSTILE)
def test_reading_hostile_headers_raises_the_documented_error_or_nothing(data: bytes) -> None:
    unit = av1_units.Unit(b"\x08", data)
    for read in (
        vp8_frame.size, vp9_frame.size, h264_frame.size, opus.ticks,
        lambda sequence: h264_frame.ParameterSets(sequence, ()).configuration if len(sequence) > 4 else None,
        lambda _: av1_units.sequence_header([unit]),
    ):  # fmt: skip
        try:
            read(data)
        except MalformedPacketError:
            pass


@given(
    st.sampled_from([*PICTURES, "opus"]),
    st.lists(st.tuples(HOSTILE, st.booleans(), st.integers(0, 3), st.integers(0, 2)), max_size=30),
)
def test_an_assembler_survives_whatever_comes(codec: Codec, script: list[tuple[bytes, bool, int, int]]) -> None:
    frames = assembler(codec)
    seq = timestamp = 0
    for payload, marker, step, lost in script:
        seq += 1 + lost
        timestamp += step * 1000
        frame = frames.take(PipePacket(seq, timestamp, marker, payload, lost))
        assert frame is None or frame.data
