"""A browser that receives: it tells what arrived, asks for what is missing, and shows frames that are whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.simulation.clock import Clock

FEEDBACK_S = 0.05
RETRY_S = 0.08
TRIES = 6
GIVE_UP_S = 0.8


@dataclass(slots=True, frozen=True)
class Packet:
    """A media packet: its place in the stream (`number`), the frame it belongs to, and whether it ends it."""

    number: int
    frame: int
    last: bool
    key: bool
    size: int
    captured_at: float


class Viewer:
    """Receives one video stream. Freezes are counted as WebRTC statistics do (`freezeCount`)."""

    def __init__(
        self,
        clock: Clock,
        send_feedback: Callable[[dict[int, int]], None],
        send_nack: Callable[[list[int]], None],
        send_pli: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._send_feedback, self._send_nack, self._send_pli = send_feedback, send_nack, send_pli
        self._arrivals: dict[int, int] = {}
        self._packets: dict[int, Packet] = {}
        self._next = 0
        self._newest = -1
        self._asked: dict[int, tuple[int, float, float]] = {}
        self._needs_key = False
        self.shown: list[tuple[float, float]] = []
        """(when, seconds since capture) of each frame shown."""
        self.received_bytes = 0
        clock.after(FEEDBACK_S, self._feedback)
        clock.after(0.01, self._ask)

    def arrived(self, transport_sequence: int, size: int, packet: Packet | None) -> None:
        """Take a packet; None is padding."""
        self._arrivals[transport_sequence] = int(self._clock.now * 1e6)
        self.received_bytes += size
        if packet is None or packet.number < self._next or packet.number in self._packets:
            return
        self._packets[packet.number] = packet
        self._asked.pop(packet.number, None)
        now = self._clock.now
        for missing in range(self._newest + 1, packet.number):
            self._asked[missing] = (0, now, now)
        self._newest = max(self._newest, packet.number)
        self._show()

    def _show(self) -> None:
        while True:
            frame: list[Packet] = []
            number = self._next
            while (packet := self._packets.get(number)) is not None:
                frame.append(packet)
                number += 1
                if packet.last:
                    break
            if not frame or not frame[-1].last:
                if not self._skip_to_key():
                    return
                continue
            for packet in frame:
                del self._packets[packet.number]
            self._next = number
            if self._needs_key and not frame[0].key:
                continue
            self._needs_key = False
            self.shown.append((self._clock.now, self._clock.now - frame[0].captured_at))

    def _skip_to_key(self) -> bool:
        """Go on with a keyframe that is whole, if there is one behind the hole."""
        for number in sorted(self._packets):
            first = self._packets[number]
            before = self._packets.get(number - 1)
            if not first.key or number <= self._next or (before is not None and before.frame == first.frame):
                continue
            if before is None and number - 1 in self._asked and self._asked[number - 1][0] == 0:
                continue  # perhaps the middle of the keyframe
            position = number
            while (packet := self._packets.get(position)) is not None and packet.frame == first.frame:
                if packet.last:
                    self._next = number
                    self._packets = {n: each for n, each in self._packets.items() if n >= number}
                    self._asked = {n: asked for n, asked in self._asked.items() if n >= number}
                    return True
                position += 1
        return False

    def _ask(self) -> None:
        now = self._clock.now
        self._clock.after(0.01, self._ask)
        due = []
        for number, (tries, first, at) in list(self._asked.items()):
            if now - first > GIVE_UP_S or tries >= TRIES:
                self._lose(number)
                return
            if at <= now:
                self._asked[number] = (tries + 1, first, now + RETRY_S)
                due.append(number)
        if due:
            self._send_nack(due)

    def _lose(self, number: int) -> None:
        """Go on after a hole that was never filled: only a keyframe helps."""
        self._needs_key = True
        self._send_pli()
        keys = [each.number for each in self._packets.values() if each.key and each.number > number]
        self._next = min(keys) if keys else self._newest + 1
        self._packets = {n: packet for n, packet in self._packets.items() if n >= self._next}
        self._asked = {n: asked for n, asked in self._asked.items() if n >= self._next}
        self._show()

    def _feedback(self) -> None:
        self._clock.after(FEEDBACK_S, self._feedback)
        if self._arrivals:
            arrivals, self._arrivals = self._arrivals, {}
            self._send_feedback(arrivals)


def freezes(shown: list[tuple[float, float]]) -> tuple[int, float]:
    """Return (count, seconds) of freezes: gaps longer than max(3 × the mean interval, the mean + 150 ms)."""
    intervals: list[float] = []
    found, seconds = 0, 0.0
    for (before, _), (at, _) in pairwise(shown):
        gap = at - before
        recent = intervals[-30:]
        if len(recent) >= 10:
            mean = sum(recent) / len(recent)
            if gap > max(3 * mean, mean + 0.15):
                found += 1
                seconds += gap
        intervals.append(gap)
    return found, seconds
