"""The media worker's side of one subscription: layers of a camera, allocation, pacing, probing; our own estimator."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from random import Random

from benchmarks.simulation.clock import Clock
from benchmarks.simulation.link import Link
from benchmarks.simulation.viewer import Packet, Viewer
from sfu.congestion.estimator import Estimator
from sfu.congestion.probe import Cluster
from sfu.congestion.sent import SentLog
from sfu.rooms.allocation import Demand, Patience, allocate, wanted_bps
from sfu.wire import twcc

LAYERS_BPS = (1_300_000.0, 450_000.0, 130_000.0)
"""What Chromium sends for a 720p camera in three layers."""
AUDIO_BPS = 40_000.0
AUDIO_S = 0.02
FRAME_S = 1 / 30
KEYFRAME = 5
"""A keyframe is so many times larger than another frame."""
PAYLOAD = 1150
PACE_S = 0.005
PACING_FACTOR = 1.1
ALLOCATE_S = 0.1


class Sender:
    """Forwards one participant's camera and microphone over a link."""

    def __init__(self, clock: Clock, down: Link, up: Link, random: Random) -> None:
        self._clock, self._down, self._random = clock, down, random
        self.estimator = Estimator(clock.now)
        self.log = SentLog()
        self.viewer = Viewer(
            clock,
            lambda arrivals: up.send(60 + len(arrivals), lambda: self._feedback(arrivals)),
            lambda lost: up.send(40, lambda: self._nack(lost)),
            lambda: up.send(40, self._pli),
        )
        self.layer: int | None = None
        self._patience = Patience()
        self._key = True
        self._obsolete = 0
        """What is older is not sent again: the picture begins anew with a keyframe of a smaller layer."""
        self._number = self._frame = 0
        self._kept: dict[int, Packet] = {}
        self._queue: deque[Packet] = deque()
        self._debt_bytes = 0.0
        self._paced_at = clock.now
        self._cluster: Cluster | None = None
        self._count = 0
        self._begin: int | None = None
        for do in (self._capture, self._speak, self._pace, self._allocate):
            clock.after(0.0, do)

    def _allocate(self) -> None:
        self._clock.after(ALLOCATE_S, self._allocate)
        now = self._clock.now
        demand = Demand(LAYERS_BPS, self.layer, may_rise=self._patience.may_rise(now))
        (layer,) = allocate([demand], self.estimator.target_bps - AUDIO_BPS)
        if layer != self.layer:
            self._patience.changed(self.layer, layer, now)
            if layer is None or (self.layer is not None and layer > self.layer):
                # What waits of the larger picture is not sent any more; numbers are given on departure.
                self._queue.clear()
                self._obsolete = self._number
            self.layer = layer
            self._key = True
        if self._cluster is None:
            self._cluster = self.estimator.probe(wanted_bps([demand]) + AUDIO_BPS, now)
            if self._cluster is not None:
                self._probe(self._cluster)

    def _capture(self) -> None:
        self._clock.after(FRAME_S, self._capture)
        if self.layer is None:
            return
        size = LAYERS_BPS[self.layer] * FRAME_S / 8 * self._random.uniform(0.8, 1.2)
        if self._key:
            size *= KEYFRAME
        count = max(1, -(-int(size) // PAYLOAD))
        for position in range(count):
            last = position == count - 1
            self._queue.append(Packet(-1, self._frame, last, self._key, int(size / count) + 40, self._clock.now))
        self._key = False
        self._frame += 1

    def _speak(self) -> None:
        self._clock.after(AUDIO_S, self._speak)
        self._send(int(AUDIO_BPS * AUDIO_S / 8), None)

    def _pace(self) -> None:
        """Release what the target allows, as a leaky bucket."""
        now = self._clock.now
        self._clock.after(PACE_S, self._pace)
        rate = PACING_FACTOR * max(self.estimator.target_bps, LAYERS_BPS[-1])
        self._debt_bytes = max(0.0, self._debt_bytes - rate * (now - self._paced_at) / 8)
        self._paced_at = now
        while self._queue and self._debt_bytes <= 0:
            packet = self._queue.popleft()
            self._debt_bytes += packet.size
            self._send(packet.size, packet)

    def _probe(self, cluster: Cluster) -> None:
        """Send one packet of a burst, then the next when the rate of the burst says so."""
        if cluster.complete:
            self._cluster = None
            return
        packet = self._queue.popleft() if self._queue else None
        size = packet.size if packet else max(100, min(PAYLOAD, cluster.bytes // 5))
        self._send(size, packet)
        self._clock.after(size * 8 / cluster.rate_bps, lambda: self._probe(cluster))

    def _send(self, size: int, packet: Packet | None) -> None:
        if packet is not None and packet.number < 0:
            packet = replace(packet, number=self._number)
            self._kept[self._number] = packet
            self._kept.pop(self._number - 2000, None)
            self._number += 1
        cluster = self._cluster
        if cluster is not None:  # everything that leaves during a burst is part of it
            cluster.sent_bytes += size
            cluster.sent_packets += 1
        sequence = self.log.sent(size, self._clock.now, cluster.number if cluster else 0)
        self._down.send(size, lambda: self.viewer.arrived(sequence, size, packet))

    def _nack(self, lost: list[int]) -> None:
        for number in lost:
            packet = self._kept.get(number)
            if packet is not None and number >= self._obsolete and packet not in self._queue:
                self._queue.appendleft(packet)

    def _pli(self) -> None:
        self._key = True

    def _feedback(self, arrivals: dict[int, int]) -> None:
        for first, portion in twcc.portions(arrivals, self._begin):
            self._begin = max(portion) + 1
            message = twcc.build(1, 2, self._count & 0xFF, first, portion)
            self._count += 1
            _, reference_us, packets = twcc.parse(message[12:])
            self.estimator.feedback(self.log.acknowledged(reference_us, packets), self._clock.now)
