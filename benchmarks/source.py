"""Synthetic media: RTP packets that look like the VP8 and Opus of libwebrtc, due when it would send them."""

from __future__ import annotations

import secrets
from struct import Struct

from benchmarks.descriptions import (
    AUDIO_LEVEL_ID,
    AUDIO_PAYLOAD_TYPE,
    MID_ID,
    TRANSPORT_SEQUENCE_ID,
    VIDEO_PAYLOAD_TYPE,
)
from sfu.machines.srtp import SrtpSender
from sfu.units import ntp_from_unix
from sfu.wire import rtcp, rtp_extensions

HEADER = Struct("!BBHII")
MAX_PAYLOAD = 1180
"""libwebrtc cuts frames so that packets stay under 1,200 bytes."""
PACING_FACTOR = 2.5
BURST_S = 0.005
"""libwebrtc's pacer releases 2.5 times the bitrate, in bursts of about 5 ms."""
MID_PACKETS = 100
"""The MID travels in the first packets only, until RTCP shows that it was understood."""
REPORT_INTERVAL_S = 1.0
AUDIO_INTERVAL_S = 0.02
AUDIO_OCTETS = 80
"""Opus at 32 kbit/s."""


class TransportSequence:
    """The transport-wide sequence number that all streams of one transport share."""

    def __init__(self) -> None:
        self.next = 0

    def take(self) -> bytes:
        """Return the next number, 16 bits."""
        self.next = self.next + 1 & 0xFFFF
        return self.next.to_bytes(2, "big")


class Source:
    """One RTP stream: `kind` audio (50 packets/s) or video (frames of equal packets at a bitrate).

    `due` seals what is to be sent by now; `next_at` says when to ask again.
    """

    def __init__(
        self,
        kind: str,
        mid: str,
        ssrc: int,
        counter: TransportSequence,
        *,
        bitrate_bps: int = 0,
        frames_per_s: float = 30.0,
        paced: bool = True,
    ) -> None:
        self.kind = kind
        self.ssrc = ssrc
        self.paced = paced
        self.packets = 0
        self.octets = 0
        self.next_at = 0.0
        self.keyframe_wanted = False
        """Set on a PLI: the next frame is a keyframe."""
        self._mid = mid
        self._counter = counter
        self._rate = 48_000 if kind == "audio" else 90_000
        self._interval_s = AUDIO_INTERVAL_S if kind == "audio" else 1 / frames_per_s
        self._frame_octets = AUDIO_OCTETS if kind == "audio" else max(100, round(bitrate_bps / frames_per_s / 8))
        self._burst_octets = max(1.0, bitrate_bps * PACING_FACTOR / 8 * BURST_S)
        self._frame_at = 0.0
        self._frames = 0
        self._queue: list[tuple[float, bytes, bool]] = []
        """(when, payload, last of its frame) of the frame under way."""
        self._index = int.from_bytes(secrets.token_bytes(2), "big") & 0x3FFF
        self._first_timestamp = int.from_bytes(secrets.token_bytes(4), "big")
        self._timestamp = self._first_timestamp
        self._report_at = 0.0
        self._noise = secrets.token_bytes(MAX_PAYLOAD * 2)

    def start(self, at: float) -> None:
        """Have the first frame captured at this time (monotonic seconds)."""
        self._frame_at = self.next_at = at
        self._frames = 0

    def due(self, sender: SrtpSender, now: float, at_s: float) -> list[bytes]:
        """Return the SRTP and SRTCP packets to be sent now, in order. `at_s` is Unix time."""
        out: list[bytes] = []
        stream = sender.stream(self.ssrc)
        while self.next_at <= now:
            if not self._queue:
                self._capture()
            while self._queue and self._queue[0][0] <= now:
                _, payload, last = self._queue.pop(0)
                header = self._header(last)
                buffer = bytearray(len(header) + len(payload) + 32)
                length = stream.seal_into(buffer, 0, header, payload, self._index)
                out.append(bytes(buffer[:length]))
                self._index += 1
                self.packets += 1
                self.octets += len(payload)
            self.next_at = self._queue[0][0] if self._queue else self._frame_at
        if now >= self._report_at and self.packets:
            self._report_at = now + REPORT_INTERVAL_S
            out.append(sender.protect_rtcp(self._report(now, at_s)))
        return out

    def _capture(self) -> None:
        """Cut the next frame into packets of nearly equal size and plan their release."""
        at = self._frame_at
        self._timestamp = (self._first_timestamp + round(self._frames * self._interval_s * self._rate)) & 0xFFFFFFFF
        if self.kind == "audio":
            self._queue.append((at, self._noise[: self._frame_octets], False))
        else:
            count = -(-self._frame_octets // MAX_PAYLOAD)
            size = -(-self._frame_octets // count)
            picture = (0x8000 | self._frames & 0x7FFF).to_bytes(2, "big")
            descriptor = b"\xe0" + picture + bytes([self._frames & 0xFF, 0x20])
            keyframe = self.keyframe_wanted or self._frames == 0
            self.keyframe_wanted = False
            first_byte = 0x10 if keyframe else 0x11  # RFC 6386 section 9.1: the lowest bit is 0 in keyframes
            for number in range(count):
                start = b"\x90" if number == 0 else b"\x80"
                body = bytes([first_byte]) if number == 0 else b""
                payload = start + descriptor + body
                payload += self._noise[number : number + size - len(payload)]
                when = at + int(number * size / self._burst_octets) * BURST_S if self.paced else at
                self._queue.append((when, payload, number == count - 1))
        self._frames += 1
        self._frame_at += self._interval_s

    def _header(self, last: bool) -> bytes:
        elements = [(TRANSPORT_SEQUENCE_ID, self._counter.take())]
        if self.packets < MID_PACKETS:
            elements.append((MID_ID, self._mid.encode()))
        audio = self.kind == "audio"
        if audio:
            elements.append((AUDIO_LEVEL_ID, b"\x9e"))  # voice, -30 dBov
        extension = rtp_extensions.build(elements)
        payload_type = AUDIO_PAYLOAD_TYPE if audio else VIDEO_PAYLOAD_TYPE
        marker = 0x80 if last else 0
        fixed = HEADER.pack(0x90, marker | payload_type, self._index & 0xFFFF, self._timestamp, self.ssrc)
        return fixed + extension

    def _report(self, now: float, at_s: float) -> bytes:
        captured = self._frame_at - self._interval_s
        timestamp = (self._timestamp + round((now - captured) * self._rate)) & 0xFFFFFFFF
        report = rtcp.SenderReport(
            self.ssrc, ntp_from_unix(at_s), timestamp, self.packets & 0xFFFFFFFF, self.octets & 0xFFFFFFFF
        )
        return report.serialize() + rtcp.SourceDescription([(self.ssrc, "bench")]).serialize()
