"""Recordings over HTTP: who holds a link with the right `view_recording` reads those of that very visit.

`POST …/enter` turns the link's token, which browsers keep in the fragment and never send, into a cookie of this visit
alone; everything else here asks for that cookie, and verifies the token in it each time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import quote, urlsplit

import msgspec
from aiohttp import web

from accounts.links import JoinLink, LinkError, LinkSigner
from recordings.document import RecordingDocument, recording_document, segment_documents, transcript_document, webvtt
from recordings.library import Library
from signaling.errors import text_of
from signaling.roles import rights_of
from storage.errors import StorageError
from storage.recordings import Recording, Track
from storage.transcripts import Segment
from storage.visits import Visits
from web.pages import SETTINGS, page, reading_language, text
from web.times import day_and_time, duration

COOKIE = "parvis_visit"
VISIT = "/v/{visit:[a-z-]{4,32}}"
RECORDING = VISIT + "/recordings/{recording:[A-Za-z0-9_-]{1,64}}"
PRIVATE = {"Cache-Control": "private, no-store"}
SOURCES = {
    "microphone": "source_microphone",
    "camera": "source_camera",
    "screen": "source_screen",
    "screen_audio": "source_screen_audio",
}

Answer = Callable[[web.Request, Recording], Awaitable[web.StreamResponse]]


class Enter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST …/enter`."""

    link: Annotated[str, msgspec.Meta(max_length=2048)]


class Refused(Exception):
    """Somebody who may not read. `code` is a key of signaling.errors.TEXTS."""

    def __init__(self, code: str, status: int = 403) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


class RecordingPages:
    """The routes of a visit's recordings."""

    def __init__(self, links: LinkSigner, visits: Visits, library: Library) -> None:
        self._links = links
        self._visits = visits
        self._library = library

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return the HTTP routes."""
        return [
            web.post(VISIT + "/enter", self.enter),
            web.get(VISIT + "/recordings", self.list_page),
            web.get(RECORDING, self.player_page),
            web.get(RECORDING + "/manifest.json", self._reading(self.manifest)),
            web.get(RECORDING + "/tracks/{file}", self._reading(self.track)),
            web.get(RECORDING + "/transcript.vtt", self._reading(self.transcript_vtt)),
            web.get(RECORDING + "/transcript.json", self._reading(self.transcript_json)),
        ]

    # --- the way in -----------------------------------------------------------------------------------------------

    async def enter(self, request: web.Request) -> web.StreamResponse:
        """Turn a link's token into this visit's cookie. JSON alone is taken: no page elsewhere can send it unasked."""
        try:
            if request.content_type != "application/json":
                raise Refused("malformed", 415)
            try:
                wanted = msgspec.json.decode(await request.read(), type=Enter)
            except msgspec.MsgspecError as error:
                raise Refused("malformed", 400) from error
            link = self._granted(request, wanted.link)
        except Refused as refused:
            return _refusal(request, refused)
        response = web.Response(status=204, headers=PRIVATE)
        response.set_cookie(
            COOKIE,
            wanted.link,
            path=f"/v/{link.visit}",
            max_age=max(0, link.expires_s - int(time.time())),
            httponly=True,
            samesite="Strict",
            secure=request.secure or urlsplit(request.app[SETTINGS].web.public_url or "").scheme == "https",
        )
        return response

    def _granted(self, request: web.Request, token: str | None) -> JoinLink:
        """Return the link that lets somebody read the recordings of this visit; raises Refused."""
        if not token:
            raise Refused("not_joined")
        try:
            link = self._links.verify(token, time.time())
        except LinkError as error:
            raise Refused(error.code) from error
        if link.visit != request.match_info["visit"]:
            raise Refused("link_invalid")
        if "view_recording" not in rights_of(link.role):
            raise Refused("not_allowed")
        return link

    # --- pages ----------------------------------------------------------------------------------------------------

    async def list_page(self, request: web.Request) -> web.StreamResponse:
        """List the recordings of a visit."""
        return await self._page(request, None)

    async def player_page(self, request: web.Request) -> web.StreamResponse:
        """Show one recording: its tracks and what was said."""
        return await self._page(request, request.match_info["recording"])

    async def _page(self, request: web.Request, name: str | None) -> web.StreamResponse:
        """Give a page to who may read it; who may not is told so by the same page, which tries the link it came by."""
        visit = request.match_info["visit"]
        try:
            self._granted(request, request.cookies.get(COOKIE))
        except Refused as refused:
            problem = None if refused.code == "not_joined" else text_of(refused.code, reading_language(request))
            response = page(request, "recordings_closed.html", visit=visit, problem=problem)
        else:
            title = await self._title(visit)
            if name is None:
                rows = [self._row(request, each) for each in await self._library.of_visit(visit)]
                response = page(request, "recordings.html", visit=visit, title=title, recordings=rows)
            else:
                recording = await self._library.get(visit, name)
                if recording is None:
                    raise web.HTTPNotFound
                response = page(
                    request,
                    "recording.html",
                    visit=visit,
                    title=title,
                    recording=self._row(request, recording),
                    document=await self._document(request, recording),
                    said_at=duration,
                )
        response.headers.update(PRIVATE)
        return response

    def _row(self, request: web.Request, recording: Recording) -> dict[str, object]:
        return {
            "id": recording.id,
            "url": f"/v/{recording.visit}/recordings/{recording.id}",
            "state": recording.state,
            "problem": recording.problem,
            "at": day_and_time(recording.started_at_s, reading_language(request)),
            "lasts": duration(recording.duration_s) if recording.duration_s is not None else None,
        }

    # --- files ----------------------------------------------------------------------------------------------------

    def _reading(self, answer: Answer) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Return a handler that answers who may read a recording that is there, and refuses in JSON."""

        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                self._granted(request, request.cookies.get(COOKIE))
                recording = await self._library.get(request.match_info["visit"], request.match_info["recording"])
                if recording is None:
                    raise Refused("not_found", 404)
                response = await answer(request, recording)
            except Refused as refused:
                return _refusal(request, refused)
            except StorageError:
                return _refusal(request, Refused("internal", 503))
            response.headers.update(PRIVATE)
            return response

        return handle

    async def manifest(self, request: web.Request, recording: Recording) -> web.StreamResponse:
        """Give the player everything about a recording."""
        return _json(await self._document(request, recording))

    async def track(self, request: web.Request, recording: Recording) -> web.StreamResponse:
        """Give a file, whole or in parts (RFC 9110 section 14)."""
        found = self._library.file(recording, request.match_info["file"])
        if found is None:
            raise Refused("not_found", 404)
        track, path = found
        what = text(request, SOURCES[track.source]) if track.source in SOURCES else track.source
        name = f"{track.name} - {what}{path.suffix}"
        disposition = "attachment" if "download" in request.query else "inline"
        return web.FileResponse(
            path,
            headers={
                "Content-Type": content_type(track),
                "Content-Disposition": content_disposition(disposition, name),
            },
        )

    async def transcript_vtt(self, request: web.Request, recording: Recording) -> web.StreamResponse:
        """Give the transcript as WebVTT."""
        title, segments = await self._said(recording)
        documents = segment_documents(recording, segments)
        return _download(
            webvtt(documents, title=title, notice=text(request, "captions_notice")).encode(),
            "text/vtt",
            f"{title or recording.visit}.vtt",
        )

    async def transcript_json(self, request: web.Request, recording: Recording) -> web.StreamResponse:
        """Give the transcript with its words."""
        title, segments = await self._said(recording)
        document = transcript_document(recording, segments, title=title, notice=text(request, "captions_notice"))
        data = msgspec.json.format(msgspec.json.encode(document), indent=2)
        return _download(data, "application/json", f"{title or recording.visit}.json")

    async def _document(self, request: web.Request, recording: Recording) -> RecordingDocument:
        title, segments = await self._said(recording)
        folder = f"/v/{recording.visit}/recordings/{recording.id}/tracks/"
        return recording_document(
            recording,
            segments,
            title=title,
            notice=text(request, "captions_notice"),
            url=lambda file: folder + quote(file, safe=""),
        )

    async def _said(self, recording: Recording) -> tuple[str, list[Segment]]:
        return await self._title(recording.visit), await self._library.transcript(recording)

    async def _title(self, visit: str) -> str:
        known = await self._visits.get(visit)
        return known.title if known is not None else ""


def content_type(track: Track) -> str:
    """Return the media type of a track's file: WebM (RFC 9559 section 27), or Matroska for what WebM does not hold."""
    return f"{'audio' if track.kind == 'audio' else 'video'}/{'webm' if track.file.endswith('.webm') else 'x-matroska'}"


def content_disposition(kind: str, name: str) -> str:
    """Return the header's value for a file name with any characters in it (RFC 6266, RFC 8187)."""
    name = " ".join(re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]', " ", name).split()).strip(" .") or "parvis"
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _refusal(request: web.Request, refused: Refused) -> web.Response:
    body = {"code": refused.code, "text": text_of(refused.code, reading_language(request))}
    return _json(body, refused.status)


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value),
        content_type="application/json",
        charset="utf-8",
        status=status,
        headers=PRIVATE,
    )


def _download(data: bytes, kind: str, name: str) -> web.Response:
    return web.Response(
        body=data,
        content_type=kind,
        charset="utf-8",
        headers={"Content-Disposition": content_disposition("attachment", name)},
    )
