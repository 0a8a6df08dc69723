"""How much one transport may be sent: Google congestion control at the sender, from transport-wide feedback.

SentLog ──results──▶ ArrivalGroups ─▶ DelayTrend ─▶ DelayControl ─┐
                ├──▶ Throughput ──────────────────▶ │             ├─▶ target
                ├──▶ LossControl ──────────────────────────────────┘
                └──▶ Prober (a burst that arrived lifts both controls)
"""

from __future__ import annotations

from itertools import pairwise

from sfu.congestion.arrivals import ArrivalGroups
from sfu.congestion.delay import DelayControl
from sfu.congestion.loss import LITTLE, MUCH, LossControl
from sfu.congestion.probe import Cluster, Prober
from sfu.congestion.sent import PacketResult
from sfu.congestion.throughput import Delivery, Throughput
from sfu.congestion.trend import DelayTrend

START_BPS = 300_000.0
MIN_BPS = 30_000.0
MAX_BPS = 50_000_000.0
FIRST_RTT_S = 0.2
RTT_SMOOTHING = 0.2
RTT_DRIFT_S = 0.0005
"""With each message the least round trip is forgotten a little: paths change."""
QUEUE_S = 0.08
"""A round trip so much longer than the least one means a queue, which no probe should make longer."""
SHORT_QUEUE_S = 0.06
"""Less than this may be the time until the receiver's next message."""
EMPTIED_S = 2.0
"""A queue of which nothing was heard for so long is empty: nothing was sent."""
CALM_S = 0.3
"""After a probe: the delay that it caused is no sign of overuse, as long as everything arrives."""


class Estimator:
    """The send-side estimate of one transport: give it feedback, ask `target_bps`, let `probe` look for more."""

    __slots__ = (
        "_calm_until", "_delay", "_delivery", "_groups", "_last_rtt_s", "_least_rtt_s", "_loss", "_prober",
        "_throughput", "_trend", "congested_at", "fed_at", "rtt_s", "target_bps",
    )  # fmt: skip

    def __init__(self, now: float, start_bps: float = START_BPS) -> None:
        self.target_bps = start_bps
        """What may be sent, in bit/s of UDP payload."""
        self.rtt_s = FIRST_RTT_S
        self.congested_at = float("-inf")
        """When the path was last found to carry less than it was given."""
        self._groups = ArrivalGroups()
        self._trend = DelayTrend()
        self._throughput = Throughput()
        self._delivery = Delivery()
        self._delay = DelayControl(start_bps, now)
        self._calm_until = now
        self.fed_at = now
        """When the latest feedback was read; before the first one, when the transport was made."""
        self._least_rtt_s = self._last_rtt_s = float("inf")
        self._loss = LossControl(start_bps, now)
        self._prober = Prober(start_bps, now)

    @property
    def is_calm(self) -> bool:
        """Whether nothing speaks of a queue or of loss."""
        return (
            self._last_rtt_s < self._least_rtt_s + SHORT_QUEUE_S
            and self._trend.usage != "over"
            and self._loss.fraction < LITTLE
            and not self._delay.recovering
        )

    def feedback(self, results: list[PacketResult], now: float, skipped_bytes: int = 0) -> float:
        """Take what one feedback message tells (`SentLog.acknowledged`); return the new target.

        `skipped_bytes` were sent before these packets, and are taken as arrived: nobody looked at their feedback.
        """
        if not results:
            return self.target_bps
        self.fed_at = now
        newest = max(each.sent_at for each in results)
        rtt_s = self._last_rtt_s = max(0.0, now - newest)
        first = self._least_rtt_s == float("inf")
        self.rtt_s = rtt_s if first else self.rtt_s + RTT_SMOOTHING * (rtt_s - self.rtt_s)
        self._least_rtt_s = min(rtt_s, self._least_rtt_s + RTT_DRIFT_S)
        usage = self._trend.usage
        over = False
        arrived = [each for each in results if each.arrived_at is not None]
        if any((one.arrived_at or 0.0) > (other.arrived_at or 0.0) for one, other in pairwise(arrived)):
            arrived.sort(key=lambda each: each.arrived_at or 0.0)
        if skipped_bytes and arrived:
            first_at = arrived[0].arrived_at or 0.0
            self._throughput.add(skipped_bytes, first_at)
            self._delivery.add(arrived[0].sent_at, first_at, skipped_bytes)
        for each in arrived:
            assert each.arrived_at is not None
            self._throughput.add(each.size, each.arrived_at)
            if each.probe:  # its queue is our own doing, and gone at once
                self._probed(self._prober.arrived(each), now)
                continue
            self._delivery.add(each.sent_at, each.arrived_at, each.size)
            deltas = self._groups.add(each.sent_at, each.arrived_at)
            if deltas is not None:
                usage = self._trend.update(*deltas, each.arrived_at)
                over = over or usage == "over"
        limited_bps = self._delivery.limited_bps
        if over and limited_bps is None and now < self._calm_until:
            over, usage = False, "normal"
        self._delay.update("over" if over else usage, self._throughput.bps, limited_bps, self.rtt_s, now)
        self._loss.update(len(results), len(results) - len(arrived), self._throughput.bps, self.rtt_s, now)
        if over or self._loss.fraction > MUCH:
            self.congested_at = now
        if over:
            self._prober.congested(now)
        self.target_bps = max(MIN_BPS, min(MAX_BPS, self._delay.target_bps, self._loss.target_bps))
        self._loss.target_bps = min(self._loss.target_bps, 2 * self.target_bps)
        return self.target_bps

    def probe(self, wanted_bps: float, now: float) -> Cluster | None:
        """Return a burst to be sent now to find out whether more fits, or None."""
        queued = self._delay.recovering or self.rtt_s > self._least_rtt_s + QUEUE_S
        if queued and now - self.fed_at < EMPTIED_S:
            return None
        cluster = self._prober.poll(self.target_bps, wanted_bps, now)
        if cluster is not None:
            self._calm_until = now + CALM_S + self.rtt_s
        return cluster

    def _probed(self, bps: float | None, now: float) -> None:
        if bps is None:
            return
        if bps > self._delay.target_bps:
            self._delay.probed(bps, now)
        self._loss.probed(bps)
