"""One client's session: numbered messages that survive a dropped socket."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections import deque
from typing import Any

from control.ids import ParticipantId, PeerId, PublicationId
from signaling import messages as s
from signaling.limits import TokenBucket

BACKLOG = 500
RESUME_S = 30.0
MAX_QUEUED = 1000
"""Messages waiting for a slow reader; then its socket is closed and it may resume."""


def shown_name(text: str) -> str:
    """Return a name as others see it: printable, on one line, no space around it; it may be empty."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


class Session:
    """A participant as signaling knows it. Times are of the caller's monotonic clock."""

    def __init__(self, name: str, role: str, rights: frozenset[str], language: str) -> None:
        self.id = secrets.token_urlsafe(12)
        self.secret = secrets.token_urlsafe(24)
        self.participant = ParticipantId(f"p{secrets.token_hex(6)}")
        self.name = name
        self.role = role
        self.rights = rights
        self.language = language
        self.hand_raised = False
        self.quality: int | None = None
        self.generation = 0
        self.publisher: PeerId | None = None
        self.subscriber: PeerId | None = None
        self.paused: set[str] = set()
        """Publications whose picture has no room on this client's link."""
        self.outgoing: asyncio.Queue[str | None] | None = None
        """What the socket is to send; None while there is no socket. A None in it closes the socket."""
        self.lost_at: float | None = None
        self._n = 0
        self._backlog: deque[tuple[int, str]] = deque(maxlen=BACKLOG)

    @property
    def info(self) -> s.ParticipantInfo:
        """What others may know."""
        return s.ParticipantInfo(self.participant, self.name, self.role, self.hand_raised, self.connected, self.quality)

    @property
    def connected(self) -> bool:
        """Whether the participant can be reached now."""
        return self.outgoing is not None

    def send(self, kind: type[Any], **fields: Any) -> None:
        """Send a numbered message, now or after a resume."""
        self._n += 1
        text = s.encode(kind(n=self._n, **fields))
        self._backlog.append((self._n, text))
        self._put(text)

    def send_plain(self, message: s.Pong | s.Error) -> None:
        """Send a message that is never repeated."""
        self._put(s.encode(message))

    def attach(self, outgoing: asyncio.Queue[str | None]) -> None:
        """Take a socket; an older one is closed."""
        if self.outgoing is not None:
            self._put(s.encode(s.Ended(self._n + 1, "replaced")))
            self._put(None)
        self.outgoing = outgoing
        self.lost_at = None

    def detach(self, outgoing: asyncio.Queue[str | None], now: float) -> bool:
        """Give up a socket; return whether it was the current one."""
        if self.outgoing is not outgoing:
            return False
        self.outgoing = None
        self.lost_at = now
        return True

    def close(self) -> None:
        """Close the socket after what is queued."""
        self._put(None)

    def may_resume(self, secret: str) -> bool:
        """Check the secret of a resume."""
        return hmac.compare_digest(secret.encode(), self.secret.encode())

    def replay(self, last: int) -> bool:
        """Send again what came after message `last`; return False when that is no longer here."""
        if last > self._n or (self._backlog and last < self._backlog[0][0] - 1):
            return False
        missed = [text for n, text in self._backlog if n > last]
        self._put(s.encode(s.Resumed(last)))
        for text in missed:
            self._put(text)
        return True

    def _put(self, text: str | None) -> None:
        queue = self.outgoing
        if queue is None:
            return
        try:
            queue.put_nowait(text)
        except asyncio.QueueFull:
            while not queue.empty():
                queue.get_nowait()
            queue.put_nowait(None)


class HttpSession(Session):
    """A participant by WHIP or WHEP: has media and nothing else, is told nothing, and lasts as long as its peer."""

    def __init__(
        self, name: str, role: str, rights: frozenset[str], language: str, *, endpoint: str, ufrag: str, mids: set[str]
    ) -> None:
        super().__init__(name, role, rights, language)
        self.endpoint = endpoint
        self.id = secrets.token_urlsafe(24)
        """The last part of its resource's URL: who knows it may end the session."""
        self.restarted(ufrag)
        self.mids = mids
        self.watched: set[PublicationId] = set()
        """What a viewer receives; with the last of it the session ends."""
        self.changes = TokenBucket(rate=5, burst=20)

    def restarted(self, ufrag: str) -> None:
        """Begin an ICE session: the client's `ufrag`, and an `etag` to name it (RFC 9725 section 4.3.1)."""
        self.ufrag = ufrag
        self.etag = f'"{secrets.token_hex(8)}"'

    @property
    def connected(self) -> bool:
        """Whether it can be reached: with its peer the session ends."""
        return True

    def send(self, kind: type[Any], **fields: Any) -> None:
        """Tell nothing: there is nobody to read it."""

    def may_resume(self, secret: str) -> bool:
        """Refuse: there is no socket to take up again."""
        del secret
        return False

    def stops_watching(self, publication: PublicationId) -> bool:
        """Take note that a publication ended; return whether it was the last one that was watched."""
        if publication not in self.watched:
            return False
        self.watched.remove(publication)
        return not self.watched
