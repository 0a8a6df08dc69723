"""A person whose sound and picture are known to the millisecond: own ICE, DTLS and SRTP, own RTP clocks and reports.

Every second, on the second of the process's wall clock, the picture flashes and the sound beeps for 100 ms: both are
captured at that very moment. They are sent as a browser sends them, later than that, and the picture later than the
sound; only the sender reports say when they were captured, by a clock of the person's own that is wrong by hours.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from struct import pack

import av
import numpy as np

from benchmarks import descriptions
from benchmarks.endpoint import Endpoint
from sfu.machines.certificate import Certificate
from sfu.units import ntp_from_unix
from sfu.wire import rtcp
from signaling import messages as s
from tests.interop.participant import Participant
from tests.rig import encoded
from tests.rig.encoded import FRAME_TICKS, OPUS_TICKS, Encoded

PERIOD_S = 30
FLASH_FRAMES = 3
FRAMES_PER_S = 30
SIZE = (160, 120)
VIDEO_DELAY_S = 0.120
AUDIO_DELAY_S = 0.025
REPORT_INTERVAL_S = 0.7
VIDEO_SSRC, RTX_SSRC, AUDIO_SSRC = 0x1000, 0x1001, 0x1002


@cache
def media() -> tuple[list[Encoded], list[Encoded]]:
    """Return pictures and sounds of `PERIOD_S`, flashing and beeping in the first 100 ms of every second."""
    encoder = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height = SIZE
    encoder.pix_fmt, encoder.bit_rate, encoder.gop_size = "yuv420p", 300_000, 15
    encoder.time_base = encoded.Fraction(1, FRAMES_PER_S)
    encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "auto-alt-ref": "0"}
    pictures = []
    for number in range(PERIOD_S * FRAMES_PER_S):
        bright = number % FRAMES_PER_S < FLASH_FRAMES
        plane = np.full((SIZE[1] * 3 // 2, SIZE[0]), 128, np.uint8)
        plane[: SIZE[1]] = 230 if bright else 30
        frame = av.VideoFrame.from_ndarray(plane, format="yuv420p")
        frame.pts = number
        pictures += encoder.encode(frame)
    at = np.arange(PERIOD_S * 48_000)
    samples = (np.sin(at * 2 * np.pi * 1000 / 48_000) * 12_000 * (at % 48_000 < 4_800)).astype(np.int16)
    return [Encoded(bytes(packet), packet.is_keyframe) for packet in pictures], encoded.sound(samples, 64_000)


class Presenter(asyncio.DatagramProtocol):
    """Publishes through a `Participant`'s signaling. `run` sends until cancelled."""

    def __init__(self, participant: Participant, clock_error_s: float, seed: int) -> None:
        self._participant = participant
        self._clock_error_s = clock_error_s
        self._random = random.Random(seed)
        self._certificate = Certificate.generate()
        self._endpoint = Endpoint(self._certificate)
        self._transport: asyncio.DatagramTransport | None = None
        self.publications: list[str] = []
        self.sent_at_s = {"camera": 0.0, "microphone": 0.0}
        """When what was sent last was captured (Unix time)."""

    def datagram_received(self, data: bytes, _address: object) -> None:
        """Take what the server sends (asyncio)."""
        self._endpoint.receive(data, time.monotonic())
        self._flush()

    async def connect(self, generation: int = 1) -> None:
        """Publish a camera and a microphone; be connected."""
        loop = asyncio.get_running_loop()
        self._endpoint = Endpoint(self._certificate)
        if self._transport is None:
            self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        local = descriptions.LocalEnd(self._endpoint.ufrag, self._endpoint.password, self._certificate.fingerprint)
        tracks = [
            descriptions.OfferedTrack("0", "video", VIDEO_SSRC, RTX_SSRC),
            descriptions.OfferedTrack("1", "audio", AUDIO_SSRC),
        ]
        published = [s.PublishedTrack("0", "camera"), s.PublishedTrack("1", "microphone")]
        number = 1000 + generation
        await self._participant.send(s.Publish(number, descriptions.offer(local, tracks), published, generation))
        answer = await self._participant.wait(lambda m: isinstance(m, s.PublishAnswer | s.Error) and m.id == number)
        assert isinstance(answer, s.PublishAnswer), answer
        self.publications = answer.publications
        self._endpoint.connect(descriptions.read(answer.sdp), time.monotonic())
        async with asyncio.timeout(20):
            while not self._endpoint.connected:
                self._tick()
                await asyncio.sleep(0.02)

    async def run(self) -> None:
        """Send sound and picture in real time."""
        pictures, sounds = media()
        start = int(time.time())  # a whole second: then frame 0 of both is due
        clocks = {VIDEO_SSRC: self._random.getrandbits(32), AUDIO_SSRC: self._random.getrandbits(32)}
        video, audio = (int((time.time() - start) * rate) + 1 for rate in (FRAMES_PER_S, 50))
        sequence = {ssrc: self._random.getrandbits(15) for ssrc in clocks}
        reported_at = 0.0
        while True:
            now = time.time()
            while start + audio / 50 + AUDIO_DELAY_S <= now:
                timestamp = clocks[AUDIO_SSRC] + audio * OPUS_TICKS
                self._send(AUDIO_SSRC, 111, [sounds[audio % len(sounds)].data], timestamp, sequence)
                self.sent_at_s["microphone"] = start + audio / 50
                audio += 1
            while start + video / FRAMES_PER_S + VIDEO_DELAY_S <= now:
                frame = pictures[video % len(pictures)]
                timestamp = clocks[VIDEO_SSRC] + video * FRAME_TICKS
                self._send(VIDEO_SSRC, 96, encoded.payloads("vp8", frame, video), timestamp, sequence)
                self.sent_at_s["camera"] = start + video / FRAMES_PER_S
                video += 1
            if now - reported_at >= REPORT_INTERVAL_S:
                reported_at = now
                for ssrc, rate in ((VIDEO_SSRC, 90_000), (AUDIO_SSRC, 48_000)):
                    self._report(ssrc, now, clocks[ssrc] + round((now - start) * rate))
            self._tick()
            await asyncio.sleep(0.005)

    def close(self) -> None:
        """Say goodbye."""
        self._endpoint.close()
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def _tick(self) -> None:
        self._endpoint.handle_timeout(time.monotonic())
        self._flush()

    def _flush(self) -> None:
        for datagram in self._endpoint.datagrams_to_send():
            self._to_server(datagram)

    def _to_server(self, datagram: bytes) -> None:
        if self._transport is not None and self._endpoint.address is not None:
            self._transport.sendto(datagram, self._endpoint.address)

    def _send(
        self, ssrc: int, payload_type: int, payloads: list[bytes], timestamp: int, sequence: dict[int, int]
    ) -> None:
        sender = self._endpoint.sender
        assert sender is not None
        for position, payload in enumerate(payloads):
            sequence[ssrc] += 1
            marker = 0x80 if position == len(payloads) - 1 and payload_type == 96 else 0
            index = sequence[ssrc]
            header = pack("!BBHII", 0x80, marker | payload_type, index & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
            buffer = bytearray(len(payload) + 60)
            self._to_server(bytes(buffer[: sender.stream(ssrc).seal_into(buffer, 0, header, payload, index)]))

    def _report(self, ssrc: int, now: float, timestamp: int) -> None:
        sender = self._endpoint.sender
        assert sender is not None
        report = rtcp.SenderReport(ssrc, ntp_from_unix(now + self._clock_error_s), timestamp & 0xFFFFFFFF, 1, 1)
        self._to_server(sender.protect_rtcp(report.serialize()))


@dataclass(slots=True, frozen=True)
class Marks:
    """When flashes begin in a picture, or beeps in a sound: seconds from the recording's start."""

    times: list[float]

    def offsets(self, others: Marks) -> list[float]:
        """Return how much later than the nearest of others each is."""
        return [at - min(others.times, key=lambda other: abs(other - at)) for at in self.times]


def marks(path: Path, start_s: float) -> Marks:
    """Decode a recorded file, which begins at `start_s`, and find its flashes or beeps."""
    times: list[float] = []
    quiet_since = None
    with av.open(str(path)) as container:
        stream = container.streams[0]
        for frame in container.decode(stream):
            assert frame.time is not None
            if quiet_since is None:
                quiet_since = frame.time  # what is under way when the file begins has begun before
            if isinstance(frame, av.VideoFrame):
                luma = frame.reformat(format="gray").to_ndarray()
                loud, seconds = np.array([luma.mean() > 128]), 1 / FRAMES_PER_S
            else:
                samples = frame.to_ndarray().astype(np.float32).reshape(-1)
                loud, seconds = np.abs(samples) > 0.1, 1 / 48_000
                if frame.format.is_planar is False and frame.layout.nb_channels > 1:
                    loud = loud[:: frame.layout.nb_channels]
                elif frame.layout.nb_channels > 1:
                    loud = loud[: frame.samples]
            for position in np.flatnonzero(loud):
                at_s = frame.time + float(position) * seconds
                if at_s - quiet_since > 0.5:
                    times.append(at_s)
                quiet_since = at_s
    return Marks([start_s + at_s for at_s in times])
