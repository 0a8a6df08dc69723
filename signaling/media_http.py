"""Media over plain HTTP, as WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) do it: an endpoint and its sessions.

One POST with an offer makes a session with a URL of its own; PATCH tells it of ICE, DELETE ends it. The endpoint wants
the token of a join link; the session's URL is a secret in itself (192 random bits).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from accounts.links import JoinLink, LinkError, LinkSigner
from control import messages as m
from sfu.errors import NegotiationError
from sfu.wire import ice_fragment
from sfu.wire.ice_fragment import IceFragment
from signaling.errors import ClientError
from signaling.limits import TokenBucket
from signaling.problems import language_of, problem
from signaling.session import HttpSession

if TYPE_CHECKING:
    from signaling.room import Room
    from signaling.service import Signaling

logger = logging.getLogger(__name__)

SDP_TYPE = "application/sdp"
MAX_OFFER_BYTES = 65_536
BODY_S = 10.0
"""How long a body may take to arrive."""
MAX_BUCKETS = 1000
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Location, ETag, Accept-Post, Accept-Patch, Retry-After",
    "Cache-Control": "no-store",
}
"""No cookie counts here, so any page may ask: it must know a token."""

Begin = Callable[["Signaling", JoinLink, str, "web.Request", str], Awaitable[tuple["Room", HttpSession, str]]]
"""(signaling, link, offer, request, language) to (room, session, answer); raises ClientError."""


class MediaEndpoint:
    """One kind of endpoint, `/whip/{visit}` or `/whep/{visit}`, and its sessions below it."""

    def __init__(self, signaling: Signaling, links: LinkSigner, name: str, begin: Begin) -> None:
        self._signaling = signaling
        self._links = links
        self._name = name
        self._begin = begin
        self._beginnings: dict[str, TokenBucket] = {}

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return the HTTP routes; they answer every method, so that errors are in words."""
        visit = f"/{self._name}/{{visit:[a-z-]{{4,32}}}}"
        return [
            web.route("*", visit, self._answer_as(self._endpoint)),
            web.route("*", visit + "/{session:[A-Za-z0-9_-]{32}}", self._answer_as(self._session)),
        ]

    def _answer_as(
        self, handle: Callable[[web.Request, str], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            language = language_of(request.headers.get(hdrs.ACCEPT_LANGUAGE, ""))
            try:
                response = await handle(request, language)
            except ClientError as error:
                response = problem(error, language)
            except Exception:
                logger.exception("%s failed", self._name)
                response = problem(ClientError("internal"), language)
            response.headers.update(CORS)
            return response

        return answer

    # --- the endpoint ---------------------------------------------------------------------------------------------

    async def _endpoint(self, request: web.Request, language: str) -> web.Response:
        match request.method:
            case hdrs.METH_POST:
                return await self._create(request, language)
            case hdrs.METH_OPTIONS:
                return _options("GET, POST, OPTIONS", {"Accept-Post": SDP_TYPE})
            case hdrs.METH_GET | hdrs.METH_HEAD:
                return web.Response(status=204)
        return _refused_method("GET, POST, OPTIONS", language)

    async def _create(self, request: web.Request, language: str) -> web.Response:
        link = self._link(request)
        self._take_one(link.visit)
        offer = await _body(request, SDP_TYPE, MAX_OFFER_BYTES)
        room, session, answer = await self._begin(self._signaling, link, offer, request, language)
        headers = {
            "Location": f"/{self._name}/{room.id}/{session.id}",
            "ETag": session.etag,
            "Accept-Patch": ice_fragment.MEDIA_TYPE,
        }
        return web.Response(status=201, body=answer.encode(), content_type=SDP_TYPE, headers=headers)

    def _link(self, request: web.Request) -> JoinLink:
        scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise ClientError("unauthorized")
        try:
            link = self._links.verify(token.strip(), time.time())
        except LinkError as error:
            raise ClientError(error.code) from error
        if link.visit != request.match_info["visit"]:
            raise ClientError("link_invalid")
        return link

    def _take_one(self, visit: str) -> None:
        """Hold back who begins again and again (RFC 9725 section 5)."""
        if len(self._beginnings) >= MAX_BUCKETS:
            self._beginnings.clear()
        bucket = self._beginnings.setdefault(visit, TokenBucket(rate=1, burst=20))
        if not bucket.take(time.monotonic()):
            raise ClientError("too_fast")

    # --- a session ------------------------------------------------------------------------------------------------

    async def _session(self, request: web.Request, language: str) -> web.Response:
        match request.method:
            case hdrs.METH_DELETE:
                room, session = self._find(request)
                room.leave(session, "left")
                return web.Response(status=200)
            case hdrs.METH_PATCH:
                return await self._change(request)
            case hdrs.METH_OPTIONS:
                return _options("GET, PATCH, DELETE, OPTIONS", {"Accept-Patch": ice_fragment.MEDIA_TYPE})
            case hdrs.METH_GET | hdrs.METH_HEAD:
                self._find(request)
                return web.Response(status=204)
        return _refused_method("GET, PATCH, DELETE, OPTIONS", language)

    def _find(self, request: web.Request) -> tuple[Room, HttpSession]:
        room = self._signaling.rooms.get(request.match_info["visit"])
        session = room.sessions.get(request.match_info["session"]) if room is not None else None
        if room is None or not isinstance(session, HttpSession) or session.endpoint != self._name:
            raise ClientError("not_found")
        return room, session

    async def _change(self, request: web.Request) -> web.Response:
        """Take trickled candidates, which need nothing more as we are ICE-lite, or restart (RFC 9725 section 4.3)."""
        room, session = self._find(request)
        if not session.changes.take(time.monotonic()):
            raise ClientError("too_fast")
        text = await _body(request, ice_fragment.MEDIA_TYPE, ice_fragment.MAX_CHARACTERS)
        wanted = request.headers.get(hdrs.IF_MATCH)
        if wanted is None:
            raise ClientError("precondition_required")
        anyhow = wanted in ("*", '"*"')
        if not anyhow and session.etag not in [tag.strip() for tag in wanted.split(",")]:
            raise ClientError("precondition_failed")
        try:
            fragment = ice_fragment.parse(text)
        except NegotiationError as error:
            raise ClientError(error.code, reason=str(error)) from error
        if not session.mids.issuperset(fragment.mids):
            raise ClientError("ice_mismatch")
        if fragment.ufrag == session.ufrag:
            return web.Response(status=204)
        if not anyhow:
            raise ClientError("ice_mismatch", reason="a restart comes with If-Match: *")
        return await self._restart(room, session, fragment)

    async def _restart(self, room: Room, session: HttpSession, fragment: IceFragment) -> web.Response:
        peer = session.publisher or session.subscriber
        if peer is None:
            raise ClientError("not_found")
        made = await room.media.ask(m.RestartIce(peer, fragment.ufrag, fragment.password))
        assert isinstance(made, m.IceCredentials)
        session.restarted(fragment.ufrag)
        body = ice_fragment.serialize(made.ufrag, made.password).encode()
        return web.Response(body=body, content_type=ice_fragment.MEDIA_TYPE, headers={"ETag": session.etag})


def _options(methods: str, headers: dict[str, str]) -> web.Response:
    allowed = {
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
        "Access-Control-Max-Age": "86400",
    }
    return web.Response(status=200, headers=headers | allowed | {"Allow": methods})


def _refused_method(methods: str, language: str) -> web.Response:
    response = problem(ClientError("method"), language)
    response.headers["Allow"] = methods
    return response


async def _body(request: web.Request, media_type: str, limit: int) -> str:
    """Return the body as text; raises ClientError for another type, encoding or length."""
    if request.content_type != media_type or hdrs.CONTENT_ENCODING in request.headers:
        raise ClientError("media_type")
    if (request.content_length or 0) > limit:
        raise ClientError("too_large")
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.content.iter_any():
                data += chunk
                if len(data) > limit:
                    raise ClientError("too_large")
        return data.decode()
    except (TimeoutError, UnicodeDecodeError) as error:
        raise ClientError("malformed") from error
