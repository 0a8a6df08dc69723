"""Dates and durations as people write them, in the server's time zone."""

from datetime import datetime

FRENCH = (
    "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre",
    "décembre",
)  # fmt: skip
ENGLISH = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def day_and_time(at_s: float, language: str) -> str:
    """Write a time (Unix seconds) as `24 novembre 2026, 14 h 30` or `November 24, 2026, 14:30`."""
    at = datetime.fromtimestamp(at_s).astimezone()
    if language == "en":
        return f"{ENGLISH[at.month - 1]} {at.day}, {at.year}, {at.hour}:{at.minute:02}"
    day = "1er" if at.day == 1 else str(at.day)
    return f"{day} {FRENCH[at.month - 1]} {at.year}, {at.hour} h {at.minute:02}"


def duration(seconds: float) -> str:
    """Write a duration or a position as `1:02:03` or `2:03`."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
