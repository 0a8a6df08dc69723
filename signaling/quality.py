"""Network quality in four steps, from what the media worker measures."""

from control.messages import PeerQuality

STEPS = ((1.0, 150.0, 4), (3.0, 300.0, 3), (10.0, 600.0, 2))
"""(percent lost at most, round trip in ms at most, score): the first line that holds; else 1."""


def score(report: PeerQuality, before: int | None) -> int:
    """Return 4 (excellent) to 1 (poor). A good report raises a score by one step at most, so that it does not flap."""
    loss = max(report.loss_up_percent, report.loss_down_percent)
    rtt = report.rtt_ms or 0.0
    now = next((value for most_loss, most_rtt, value in STEPS if loss <= most_loss and rtt <= most_rtt), 1)
    return now if before is None or now <= before else before + 1
