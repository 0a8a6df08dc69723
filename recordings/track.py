"""One track being recorded: packets of its pipe in, bytes for its file out (sans-IO)."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from control import messages as m
from recordings.clock import TrackClock
from recordings.frames import Frame, assembler
from recordings.matroska import CLUSTER_MS, OPUS_DELAY_NS, SCALE_NS, MatroskaWriter, Track, picture_ms
from sfu.pipes.receiver import PipePacket
from sfu.wire.payloads import opus

KEYFRAME_RETRY_S = 0.5
KEYFRAME_INTERVAL_S = 10.0
"""A picture is asked for a keyframe when it had none for so long: players seek to keyframes."""
MAX_WAITING_BYTES = 4 << 20
MAX_WAITING_FRAMES = 500
"""Frames kept until the first sender report says what time it is: 10 s of sound, 4 MiB of a picture."""
OPUS_DELAY_MS = OPUS_DELAY_NS / SCALE_NS
SOUND_FRAME_MS = 20.0
"""Sound that is missing for so long is filled in, and sound that comes so much too early is left out."""
ROUNDING_MS = 1.0
AHEAD_S = 5.0
"""Whoever sends nonsense for timestamps cannot put frames later than this after now."""


class TrackRecorder:
    """Frames, clock and file of one track. After every input take `data`, and ask `keyframe_due`.

    There is nothing to be written before the first frame: `begun` says whether there is.
    """

    def __init__(
        self, job: m.RecordTrack, started_at_s: float, uid: int, monotonic_to_unix_s: float = math.inf
    ) -> None:
        """`monotonic_to_unix_s`, added to the `now` of the methods, gives Unix time."""
        self.job = job
        self.wall_time: Callable[[int], float | None] = lambda _timestamp: None
        """Unix time of an unwrapped RTP timestamp, as the pipe knows it."""
        self._started_at_s = started_at_s
        self._monotonic_to_unix_s = monotonic_to_unix_s
        self._uid = uid
        self._frames = assembler(job.spec.codec)
        self._clock = TrackClock(job.spec.clock_rate)
        self._waiting: deque[Frame] = deque()
        self._waiting_bytes = 0
        self._writer: MatroskaWriter | None = None
        self._out: list[bytes] = []
        self._begins_ms = 0
        self._last_ms: int | None = None
        self._sound_ms = 0.0
        """When the sound written so far ends if it is played without a pause."""
        self._toc = b""
        self._cluster_at: float | None = None
        self._asked_at = float("-inf")
        self._keyframe_at = float("-inf")
        self.refused = 0
        """Frames that claim to come from the future."""

    @property
    def begun(self) -> bool:
        """Whether the file has anything in it."""
        return self._writer is not None

    @property
    def left_out(self) -> int:
        """Frames that are not in the file: incomplete, not decodable without one that is, or out of all time."""
        return self._frames.dropped + self.refused

    @property
    def start_s(self) -> float:
        """When the first frame was captured, from the recording's start."""
        return self._begins_ms / 1000

    @property
    def end_s(self) -> float:
        """When the last frame ends, from the recording's start."""
        return (self._begins_ms + self._writer.index.end_ms) / 1000 if self._writer is not None else 0.0

    def packets(self, packets: list[PipePacket], now: float) -> None:
        """Take packets in order; `now` is monotonic."""
        for packet in packets:
            frame = self._frames.take(packet)
            if frame is not None:
                self._waiting.append(frame)
                self._waiting_bytes += len(frame.data)
        self._write(now)

    def handle_timeout(self, now: float) -> None:
        """Let go of a cluster that has waited for long enough."""
        self._write(now)
        writer = self._writer
        if writer is not None and self._cluster_at is not None and now - self._cluster_at >= CLUSTER_MS / 1000:
            self._out.append(writer.flush())
            self._cluster_at = None

    def keyframe_due(self, now: float) -> bool:
        """Return whether the publisher is to be asked for a keyframe now."""
        if self.job.spec.codec == "opus" or now - self._asked_at < KEYFRAME_RETRY_S:
            return False
        overdue = self._writer is not None and now - max(self._keyframe_at, self._asked_at) >= KEYFRAME_INTERVAL_S
        if not self._frames.keyframe_wanted and not overdue:
            return False
        self._asked_at = now
        return True

    def data(self) -> bytes:
        """Return and forget what is to be appended to the file."""
        out = b"".join(self._out)
        self._out.clear()
        return out

    def close(self, now: float) -> tuple[bytes, list[tuple[int, bytes]]]:
        """Return what is to be appended at the end, and (position, bytes) to be overwritten; for a file that begun."""
        self._write(now)
        if self._writer is None:
            return b"", []
        rest = self.data() + self._writer.flush()
        tail, patches = self._writer.close()
        return rest + tail, patches

    def _write(self, now: float) -> None:
        waiting = self._waiting
        while waiting:
            reported = self.wall_time(waiting[0].timestamp)
            if reported is None:
                self._bound()
                return
            frame = waiting.popleft()
            self._waiting_bytes -= len(frame.data)
            self._add(frame, self._clock.at_s(frame.timestamp, reported), now)

    def _bound(self) -> None:
        """Keep what waits for the first report within its bounds: the oldest goes, of a picture up to a keyframe."""
        waiting = self._waiting
        while len(waiting) > MAX_WAITING_FRAMES or self._waiting_bytes > MAX_WAITING_BYTES:
            self._waiting_bytes -= len(waiting.popleft().data)
            while waiting and not waiting[0].is_keyframe:
                self._waiting_bytes -= len(waiting.popleft().data)

    def _add(self, frame: Frame, at_s: float, now: float) -> None:
        if at_s > now + self._monotonic_to_unix_s + AHEAD_S:
            self.refused += 1  # or hours of silence would be written before it
            return
        at_ms = (at_s - self._started_at_s) * 1000
        if self.job.spec.codec == "opus":
            self._add_sound(frame, at_ms, now)
        else:
            self._add_picture(frame, at_ms, now)

    def _add_picture(self, frame: Frame, at_ms: float, now: float) -> None:
        if self._writer is None:
            if not frame.width:
                return  # what waited for the first report had to be cut short
            self._begin(frame, at_ms)
        if frame.is_keyframe:
            self._keyframe_at = now
        duration_ms = picture_ms(self._last_ms, round(at_ms))
        self._last_ms = round(at_ms)
        self._append(at_ms, duration_ms, frame.data, now, is_keyframe=frame.is_keyframe)

    def _add_sound(self, frame: Frame, at_ms: float, now: float) -> None:
        """Add sound without a hole: some players ignore times, and would play all that follows too early.

        What was not sent (DTX, mute) or was lost becomes packets without content (RFC 7845 section 4.1).
        """
        if self._writer is None:
            if at_ms < OPUS_DELAY_MS:
                return  # said before the recording began
            self._begin(frame, at_ms)
            self._sound_ms = at_ms
        gap_ms = at_ms - self._sound_ms
        if gap_ms <= -SOUND_FRAME_MS:
            return  # the clock was corrected: this sound has no place any more
        missing = max(0, int((gap_ms + ROUNDING_MS) / SOUND_FRAME_MS))
        filled_ms = at_ms - missing * SOUND_FRAME_MS
        while missing:
            frames = min(missing, opus.MAX_CONCEALED_FRAMES)
            duration_ms = frames * SOUND_FRAME_MS
            self._append(filled_ms, duration_ms, opus.concealed(self._toc, frames), now, is_keyframe=True)
            self._sound_ms += duration_ms
            filled_ms += duration_ms
            missing -= frames
        duration_ms = frame.ticks * 1000 / self.job.spec.clock_rate
        self._append(at_ms, duration_ms, frame.data, now, is_keyframe=True)
        self._sound_ms += duration_ms
        self._toc = frame.data[:1]

    def _append(self, at_ms: float, duration_ms: float, data: bytes, now: float, *, is_keyframe: bool) -> None:
        writer = self._writer
        assert writer is not None
        if writer.pending_since_ms is None:
            self._cluster_at = now
        at = round(at_ms) - self._begins_ms
        cluster = writer.add(at, round(duration_ms), data, is_keyframe=is_keyframe)
        if cluster:
            self._out.append(cluster)
            self._cluster_at = now

    def _begin(self, frame: Frame, at_ms: float) -> None:
        spec = self.job.spec
        self._begins_ms = max(0, round(at_ms))
        track = Track(
            codec=spec.codec,
            name=self.job.name,
            uid=self._uid,
            private=frame.private,
            width=frame.width,
            height=frame.height,
            channels=min(2, max(1, spec.channels)),
        )
        self._writer = MatroskaWriter(track, self._started_at_s + self._begins_ms / 1000)
        self._out.append(self._writer.header())
