"""Sessions that survive a dropped socket, roles, limits."""

import asyncio
import json

from signaling import messages as s
from signaling.limits import TokenBucket
from signaling.roles import RIGHTS, rights_of
from signaling.session import BACKLOG, Session


def session() -> tuple[Session, asyncio.Queue[str | None]]:
    made = Session("Anne", "client", rights_of("client"), "fr")
    queue: asyncio.Queue[str | None] = asyncio.Queue(1000)
    made.attach(queue)
    return made, queue


def taken(queue: asyncio.Queue[str | None]) -> list[dict[str, object]]:
    out = []
    while not queue.empty():
        text = queue.get_nowait()
        out.append(json.loads(text) if text is not None else {"type": None})
    return out


def test_what_was_missed_is_replayed_in_order_after_a_resume() -> None:
    made, first = session()
    for number in range(1, 6):
        made.send(s.PublicationRemoved, publication=f"p{number}")
    assert [message["n"] for message in taken(first)] == [1, 2, 3, 4, 5]
    assert made.detach(first, 10.0)
    made.send(s.PublicationRemoved, publication="p6")
    second: asyncio.Queue[str | None] = asyncio.Queue(1000)
    made.attach(second)
    assert made.replay(3)
    assert [(message["type"], message["n"]) for message in taken(second)] == [
        ("resumed", 3), ("publication_removed", 4), ("publication_removed", 5), ("publication_removed", 6),
    ]  # fmt: skip


def test_a_resume_that_comes_too_late_for_the_backlog_is_refused() -> None:
    made, queue = session()
    for _ in range(BACKLOG + 10):
        made.send(s.PublicationRemoved, publication="p")
        taken(queue)
    assert not made.replay(5)
    assert not made.replay(10_000)


def test_a_newer_socket_closes_the_older_one_whose_end_changes_nothing() -> None:
    made, first = session()
    second: asyncio.Queue[str | None] = asyncio.Queue(1000)
    made.attach(second)
    assert taken(first) == [{"type": "ended", "n": 1, "reason": "replaced"}, {"type": None}]
    assert not made.detach(first, 1.0)
    assert made.outgoing is second


def test_a_reader_that_never_reads_is_cut_off() -> None:
    made, queue = session()
    for _ in range(1001):
        made.send(s.PublicationRemoved, publication="p")
    assert taken(queue) == [{"type": None}]


def test_unknown_roles_have_no_rights_and_observers_cannot_publish() -> None:
    assert rights_of("nobody") == frozenset()
    for role in ("observer", "public"):
        assert not [right for right in RIGHTS[role] if right.startswith("publish")]


def test_a_bucket_lets_a_burst_through_and_then_the_rate() -> None:
    bucket = TokenBucket(rate=10, burst=5)
    assert [bucket.take(0.0) for _ in range(6)] == [True] * 5 + [False]
    assert bucket.take(0.1)
    assert not bucket.take(0.1)
