"""Opus packets of a pipe to 16 kHz sound on the clock of RTP: what was lost or not sent becomes silence."""

from __future__ import annotations

import av
import numpy as np
import numpy.typing as npt

from sfu.pipes.receiver import PipePacket

Samples = npt.NDArray[np.float32]
RATE = 16_000
TICKS = 3
"""Ticks of the 48 kHz RTP clock per sample."""
MAX_GAP_S = 30.0
"""A longer silence is cut to this: the microphone was muted, nothing is to be heard in it."""


class OpusDecoder:
    """One stream's decoder. `position` is the RTP timestamp of the next sample to come out."""

    def __init__(self) -> None:
        self._decoder = av.CodecContext.create("libopus", "r")
        self._decoder.sample_rate = 48_000
        self._decoder.layout = "mono"
        self._resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        self.position: int | None = None
        self.errors = 0

    def decode(self, packet: PipePacket) -> Samples:
        """Return the samples up to the end of this packet, silence for a gap before it included."""
        parts: list[Samples] = []
        if self.position is not None and packet.timestamp > self.position + TICKS * 160:
            gap = min(packet.timestamp - self.position, int(MAX_GAP_S * 48_000))
            parts.append(np.zeros(gap // TICKS, np.float32))
        if packet.payload:
            try:
                for frame in self._decoder.decode(av.Packet(packet.payload)):
                    frame.pts = None
                    for each in self._resampler.resample(frame):
                        parts.append(each.to_ndarray().reshape(-1).astype(np.float32))
            except av.FFmpegError:
                self.errors += 1
        samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        decoded = len(parts[-1]) if parts and packet.payload else 0
        self.position = packet.timestamp + decoded * TICKS
        return samples
