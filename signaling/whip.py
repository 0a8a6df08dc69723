"""WHIP (RFC 9725): a courtroom camera or an encoder takes part in a visit by one HTTP request, without a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from accounts.links import JoinLink
from control.tracks import TrackSource
from sfu.errors import NegotiationError
from sfu.machines.negotiation import LocalTransport, answer_publisher
from sfu.wire import sdp
from signaling import messages as s
from signaling.errors import ClientError
from signaling.roles import SOURCE_RIGHTS, rights_of
from signaling.session import HttpSession, shown_name

if TYPE_CHECKING:
    from signaling.room import Room
    from signaling.service import Signaling

SOURCES: dict[str, dict[str, TrackSource]] = {
    "camera": {"audio": "microphone", "video": "camera"},
    "screen": {"audio": "screen_audio", "video": "screen"},
}
"""What the media sections of an offer become, by the query's `source` and their kind."""
NAMES = {"fr": "Caméra", "en": "Camera"}
NOWHERE = LocalTransport("", "", "", [])


async def publish(
    signaling: Signaling, link: JoinLink, offer: str, request: web.Request, language: str
) -> tuple[Room, HttpSession, str]:
    """Enter the room and publish what is offered, or nothing of both; raises ClientError."""
    sources = SOURCES.get(request.query.get("source", "camera"))
    if sources is None:
        raise ClientError("malformed", reason="source is camera or screen")
    rights = rights_of(link.role)
    tracks, ufrag = check_offer(offer, sources)
    if any(SOURCE_RIGHTS[track.source] not in rights for track in tracks):
        raise ClientError("not_allowed")
    session = HttpSession(
        name_for(request, link, NAMES[language]),
        link.role,
        rights,
        language,
        endpoint="whip",
        ufrag=ufrag,
        mids={track.mid for track in tracks},
    )
    async with signaling.entering(link.visit) as room:
        room.join(session, None)
        try:
            answer = await room.publish(session, s.Publish(0, offer, tracks))
        except BaseException:
            room.leave(session, "left")
            raise
    return room, session, answer


def check_offer(offer: str, sources: dict[str, TrackSource]) -> tuple[list[s.PublishedTrack], str]:
    """Return what an offer would publish, and its ICE ufrag, before anybody is told of it.

    At most one sound and one picture, and all of it or nothing (RFC 9725 sections 4.4.3 and 4.4.4). Raises ClientError.
    """
    try:
        tracks: dict[str, TrackSource] = {}
        for section in sdp.parse(offer).sections:
            if section.direction == "inactive" or section.port == 0:
                continue
            source = sources.get(section.kind)
            if source is None or source in tracks.values() or section.direction == "recvonly":
                raise ClientError("sdp_unacceptable", reason="one audio and one video section at most, and sending")
            tracks[section.mid] = source
        agreement = answer_publisher(offer, local=NOWHERE, allowed=tracks)
    except NegotiationError as error:
        raise ClientError("sdp_invalid", reason=str(error)) from error
    if not tracks or len(agreement.tracks) < len(tracks):
        raise ClientError("sdp_unacceptable", reason="no section to accept, or a codec that is not taken")
    return [s.PublishedTrack(mid, source) for mid, source in tracks.items()], agreement.remote.ufrag


def name_for(request: web.Request, link: JoinLink, default: str) -> str:
    """Return the name that others see: the query's, else the link's."""
    return shown_name(request.query.get("name", "")[:80]) or shown_name(link.subject or "")[:80] or default
