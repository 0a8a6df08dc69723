"""Looking for more bandwidth: short bursts at a higher rate, and what their arrival says (as libwebrtc probes)."""

from __future__ import annotations

from dataclasses import dataclass, field

from sfu.congestion.sent import PacketResult

CLUSTER_S = 0.02
MIN_PACKETS = 5
FIRST_FACTOR = 3.0
"""Multiple of the first estimate that is tried at once."""
FACTOR = 2.0
ENOUGH = 0.7
"""A probe that reached this share of its rate may be followed by a larger one."""
FIRST_PAUSE_S, LAST_PAUSE_S = 2.0, 6.0
RECEIVED_SHARE = 0.8
MAX_RATIO = 2.0
SATURATED = 0.9
TIMEOUT_S = 1.0


@dataclass(slots=True)
class Cluster:
    """One burst. The pacer sends `bytes` in at least MIN_PACKETS packets at `rate_bps`, marked with its number."""

    number: int
    rate_bps: float
    bytes: int
    started_at: float
    results: list[PacketResult] = field(default_factory=list)
    sent_bytes: int = 0
    sent_packets: int = 0

    @property
    def complete(self) -> bool:
        """Whether all of it has been sent."""
        return self.sent_packets >= MIN_PACKETS and self.sent_bytes >= self.bytes

    def measured_bps(self) -> float | None:
        """Return what the burst shows, or None while too little of it is known."""
        arrived = [each for each in self.results if each.arrived_at is not None]
        if len(arrived) < MIN_PACKETS * RECEIVED_SHARE or sum(e.size for e in arrived) < self.bytes * RECEIVED_SHARE:
            return None
        first_sent, last_sent = arrived[0], arrived[-1]
        times = [each.arrived_at for each in arrived if each.arrived_at is not None]
        size = sum(each.size for each in arrived)
        sending = last_sent.sent_at - first_sent.sent_at
        receiving = max(times) - min(times)
        if sending <= 0 or receiving <= 0:
            return None
        sent_bps = (size - last_sent.size) * 8 / sending
        received_bps = (size - first_sent.size) * 8 / receiving
        if received_bps > MAX_RATIO * sent_bps:
            return None
        bps = min(sent_bps, received_bps)
        return 0.95 * received_bps if received_bps < SATURATED * sent_bps else bps


class Prober:
    """Decides when to probe, and at which rate; `poll` hands out one cluster at a time."""

    __slots__ = ("_first_bps", "_next_at", "_number", "_open", "_pause_s")

    def __init__(self, start_bps: float, now: float) -> None:
        self._number = 0
        self._first_bps: float | None = FIRST_FACTOR * start_bps
        self._open: dict[int, Cluster] = {}
        self._pause_s = FIRST_PAUSE_S
        self._next_at = now

    def poll(self, target_bps: float, wanted_bps: float, now: float) -> Cluster | None:
        """Return a cluster to be sent now, or None. `wanted_bps` is what all that is asked for would take."""
        for number, cluster in list(self._open.items()):
            if now - cluster.started_at > TIMEOUT_S:
                del self._open[number]
        if now < self._next_at or any(not cluster.complete for cluster in self._open.values()):
            return None
        if self._first_bps is not None:
            rate, self._first_bps = min(self._first_bps, FACTOR * wanted_bps), None
            if rate <= target_bps:
                return None
        elif wanted_bps > target_bps and not self._open:
            rate = min(FACTOR * target_bps, max(1.25 * wanted_bps, 1.25 * target_bps))
            self._next_at = now + self._pause_s
            self._pause_s = min(LAST_PAUSE_S, self._pause_s * 1.5)
        else:
            return None
        self._number += 1
        cluster = Cluster(self._number, rate, max(1, round(rate * CLUSTER_S / 8)), now)
        self._open[cluster.number] = cluster
        return cluster

    def arrived(self, result: PacketResult) -> float | None:
        """Take the fate of a packet of a cluster; return the bitrate that is now known to fit, if any."""
        cluster = self._open.get(result.probe)
        if cluster is None:
            return None
        cluster.results.append(result)
        measured = cluster.measured_bps()
        if measured is None:
            return None
        del self._open[cluster.number]
        if measured >= ENOUGH * cluster.rate_bps:
            self._next_at = 0.0
            self._pause_s = FIRST_PAUSE_S
        return measured

    def congested(self, now: float) -> None:
        """Wait: there is a queue to be emptied first."""
        self._first_bps = None
        self._next_at = max(self._next_at, now + FIRST_PAUSE_S)
