"""Real encoded media, as RTP payloads and as the frames that they were: the truth that a recording is held against.

VP8 and H.264 are cut into packets by aiortc, which nobody here wrote; VP9 and AV1 after their RTP specifications.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder

from control.tracks import Codec
from sfu.pipes.receiver import PipePacket

MAX_PAYLOAD = 1100
FRAME_TICKS = 3000
"""90 kHz at 30 pictures/s."""
OPUS_TICKS = 960
ENCODERS: dict[Codec, tuple[str, dict[str, str]]] = {
    "vp8": ("libvpx", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "auto-alt-ref": "0"}),
    "vp9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
    "h264": ("libx264", {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "scenecut=0"}),
    "av1": ("libsvtav1", {"preset": "10", "svtav1-params": "pred-struct=1:rc=2:lp=1"}),
}
TICKS = {"opus": OPUS_TICKS}


@dataclass(slots=True, frozen=True)
class Encoded:
    """One frame as the encoder made it."""

    data: bytes
    is_keyframe: bool


def picture(number: int, width: int, height: int) -> av.VideoFrame:
    """Return a picture that moves: diagonal stripes and a bright square."""
    y, x = np.mgrid[0:height, 0:width]
    luma = ((x + y + 4 * number) % 64 * 3 + 20).astype(np.uint8)
    left = 8 * number % max(1, width - 40)
    luma[20:60, left : left + 40] = 235
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = luma
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")


def video(codec: Codec, count: int, size: tuple[int, int] = (320, 240), keyframe_every: int = 1000) -> list[Encoded]:
    """Encode moving pictures, in a thread of its own.

    SVT-AV1 gives the thread that opens it real-time priority 99 when it runs as root, for good and for every process
    that this one starts: nothing else on the machine gets a turn then.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_video, codec, count, size, keyframe_every).result()


def _video(codec: Codec, count: int, size: tuple[int, int], keyframe_every: int) -> list[Encoded]:
    name, options = ENCODERS[codec]
    encoder = av.CodecContext.create(name, "w")
    encoder.width, encoder.height = size
    encoder.pix_fmt = "yuv420p"
    encoder.bit_rate = 1_200_000
    encoder.time_base = Fraction(1, 30)
    encoder.framerate = Fraction(30)
    encoder.gop_size = keyframe_every
    encoder.thread_count = 1
    encoder.options = options
    out = []
    for number in range(count):
        frame = picture(number, *size)
        frame.pts = number
        out += encoder.encode(frame)
    out += encoder.encode(None)
    return [Encoded(bytes(packet), packet.is_keyframe) for packet in out]


def sound(samples: np.ndarray, rate_bps: int = 32_000) -> list[Encoded]:
    """Encode 48 kHz mono 16-bit samples as Opus packets of 20 ms."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "mono", "s16"
    encoder.bit_rate = rate_bps
    encoder.options = {"application": "voip", "frame_duration": "20"}
    out = []
    for start in range(0, len(samples) - OPUS_TICKS + 1, OPUS_TICKS):
        frame = av.AudioFrame.from_ndarray(samples[start : start + OPUS_TICKS][None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48_000, start
        out += encoder.encode(frame)
    return [Encoded(bytes(packet), True) for packet in out]


def payloads(codec: Codec, frame: Encoded, number: int) -> list[bytes]:
    """Cut a frame into RTP payloads."""
    data = frame.data
    if codec == "opus":
        return [data]
    if codec == "vp8":
        return list(Vp8Encoder._packetize(data, number & 0x7FFF))
    if codec == "h264":
        return list(H264Encoder._packetize(H264Encoder._split_bitstream(data)))
    parts = _parts(data)
    if codec == "vp9":
        return [
            bytes([0x90 | (0 if frame.is_keyframe else 0x40) | (8 if part == 0 else 0) | (4 if part == len(parts) - 1
            else 0), 0x80 | number >> 8 & 0x7F, number & 0xFF, *([] if frame.is_keyframe else [2])]) + each
            for part, each in enumerate(parts)
        ]  # fmt: skip
    return _av1(data, frame.is_keyframe)


def _parts(data: bytes) -> list[bytes]:
    return [data[at : at + MAX_PAYLOAD] for at in range(0, len(data), MAX_PAYLOAD)]


def obus(data: bytes) -> list[bytes]:
    """Return the OBUs of a temporal unit without their sizes, and without the delimiter."""
    out = []
    at = 0
    while at < len(data):
        header = data[at]
        size = shift = 0
        at += 1
        while True:
            size |= (data[at] & 0x7F) << shift
            shift += 7
            at += 1
            if not data[at - 1] & 0x80:
                break
        if header >> 3 & 15 != 2:
            out.append(bytes([header & ~2]) + data[at : at + size])
        at += size
    return out


def _av1(data: bytes, is_keyframe: bool) -> list[bytes]:
    """Two small OBUs share a packet with their lengths; large ones are fragmented over packets of one element."""
    out: list[bytes] = []
    for obu in obus(data):
        parts = _parts(obu)
        for number, part in enumerate(parts):
            begins, ends = number == 0, number == len(parts) - 1
            out.append(bytes([(0 if begins else 0x80) | (0 if ends else 0x40) | 0x10]) + part)
    if len(out) > 1 and len(out[0]) < 64 and not out[1][0] & 0x80:  # sequence header and frame in one packet
        first, second = out[0][1:], out[1]
        out[:2] = [bytes([second[0] & 0x40 | 0x20, len(first)]) + first + second[1:]]
    if is_keyframe:
        out[0] = bytes([out[0][0] | 8]) + out[0][1:]
    return out


def pipe_packets(
    codec: Codec, frames: Sequence[Encoded], *, first_seq: int = 1, first_timestamp: int = 0
) -> Iterator[list[PipePacket]]:
    """Yield the packets of one frame after the other, as a pipe delivers them without loss."""
    seq = first_seq
    ticks = TICKS.get(codec, FRAME_TICKS)
    for number, frame in enumerate(frames):
        cut = payloads(codec, frame, number)
        yield [
            PipePacket(seq + part, first_timestamp + number * ticks, part == len(cut) - 1, payload, 0)
            for part, payload in enumerate(cut)
        ]
        seq += len(cut)
