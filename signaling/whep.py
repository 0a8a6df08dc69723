"""WHEP (draft-ietf-wish-whep): a player or a big screen watches one participant of a visit by one HTTP request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from accounts.links import JoinLink
from control import messages as m
from control.ids import PeerId, PublicationId
from sfu.errors import NegotiationError
from sfu.machines.negotiation import viewer_sections
from sfu.wire import sdp
from signaling.errors import ClientError
from signaling.roles import rights_of
from signaling.session import HttpSession
from signaling.whip import SOURCES, name_for

if TYPE_CHECKING:
    from signaling.room import Room
    from signaling.service import Signaling

NAMES = {"fr": "Spectateur", "en": "Viewer"}


async def watch(
    signaling: Signaling, link: JoinLink, offer: str, request: web.Request, language: str
) -> tuple[Room, HttpSession, str]:
    """Enter the room and receive what is asked for, or nothing of both; raises ClientError."""
    source = request.query.get("source", "camera")
    if source not in SOURCES:
        raise ClientError("malformed", reason="source is camera or screen")
    rights = rights_of(link.role)
    if "watch" not in rights:
        raise ClientError("not_allowed")
    try:
        remote, sections = viewer_sections(offer)
    except NegotiationError as error:
        raise ClientError("sdp_invalid", reason=str(error)) from error
    if not any(section.codecs for section in sections):
        raise ClientError("sdp_unacceptable", reason="no section receives in a codec that is known")
    async with signaling.entering(link.visit) as room:
        publications = choose(room, request.query.get("participant"), source)
        session = HttpSession(
            name_for(request, link, NAMES[language]),
            link.role,
            rights,
            language,
            endpoint="whep",
            ufrag=remote.ufrag,
            mids={section.mid for section in sections},
        )
        session.watched = set(publications)
        room.join(session, None)
        try:
            session.subscriber = peer = PeerId(f"{session.participant}-watch")
            command = m.WatchPublication(room.id, session.participant, peer, offer, publications)
            result = await room.media.ask(command)
            assert isinstance(result, m.SessionDescription)
            if session.id not in room.sessions:
                raise ClientError("not_live")
            if all(section.direction == "inactive" for section in sdp.parse(result.sdp).sections):
                raise ClientError("sdp_unacceptable", reason="no section takes the codec that is sent")
        except BaseException:
            room.leave(session, "left")
            raise
    return room, session, result.sdp


def choose(room: Room, participant: str | None, source: str) -> list[PublicationId]:
    """Return the picture and the sound of the participant named, else of whoever began to show one last.

    Raises ClientError when that participant is not here or nothing of it flows yet.
    """
    if participant is not None:
        room.session_of(participant)
    found = [p for p in room.publications.values() if p.source in SOURCES[source].values()]
    live = [p for p in found if p.live and participant in (None, p.participant)]
    if not live:
        raise ClientError("not_live")
    chosen = ([p for p in live if p.kind == "video"] or live)[-1].participant
    return [PublicationId(p.id) for p in found if p.participant == chosen]
