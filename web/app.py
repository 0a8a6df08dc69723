"""The web application: pages, static files, security headers, the way into a visit."""

from __future__ import annotations

import hmac
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from accounts.links import JoinLink, LinkSigner
from configs.settings import Settings
from recordings.library import Library
from signaling.service import Signaling
from storage.visits import Visits
from web.pages import HERE, LANGUAGE_COOKIE, NONCE, SETTINGS, THEME_COOKIE, page, set_up
from web.recordings import RecordingPages

logger = logging.getLogger(__name__)

HOST_LINK_S = 7 * 24 * 3600
VISIT_ALPHABET = "abcdefghjkmnpqrstuvwxyz"
YEAR_S = 365 * 86_400
PASTED_LINK = re.compile(
    r"(?:https?://(?P<host>[^/\s]+))?(?P<path>/v/[a-z-]{4,32}(?P<token>#[\w-]{1,2048})?|/new/[\w-]{1,128})", re.ASCII
)
VISIT_NAME = re.compile(r"[a-z]{4}-[a-z]{4}-[a-z]{3}")

SIGNER: web.AppKey[LinkSigner] = web.AppKey("signer", LinkSigner)
VISITS: web.AppKey[Visits] = web.AppKey("visits", Visits)
ADMIN_KEY: web.AppKey[str] = web.AppKey("admin_key", str)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_app(
    *, settings: Settings, signaling: Signaling, links: LinkSigner, visits: Visits, library: Library, admin_key: str
) -> web.Application:
    """Put the application together. `admin_key` is the secret of the link that creates visits."""
    app = web.Application(middlewares=[headers, errors], client_max_size=1 << 20)
    app[SIGNER] = links
    app[VISITS] = visits
    app[ADMIN_KEY] = admin_key
    set_up(app, settings)
    app.add_routes(
        [
            web.get("/", home),
            web.post("/open", open_link),
            web.get("/new/{key}", new_visit),
            web.get("/v/{visit:[a-z-]{4,32}}", room),
            web.get("/language/{language:fr|en}", language),
            web.get("/theme/{theme:auto|light|dark}", theme),
            web.get("/healthz", health),
            web.static("/static", HERE / "static"),
            *signaling.routes(),
            *RecordingPages(links, visits, library).routes(),
        ]
    )
    return app


# --- pages -----------------------------------------------------------------------------------------------------------


async def home(request: web.Request) -> web.StreamResponse:
    """Say where one is and how to get into a visit."""
    return page(request, "home.html", problem=None, pasted="", elsewhere=None)


async def open_link(request: web.Request) -> web.StreamResponse:
    """Take the link that a person pasted on the home page, and go where it leads."""
    pasted = str((await request.post()).get("link", "")).strip()[:4096]
    found = PASTED_LINK.fullmatch(pasted)
    here = {request.host, urlsplit(request.app[SETTINGS].web.public_url or "").netloc}
    if found is not None and found["host"] not in (None, *here):
        return page(request, "home.html", problem="home_elsewhere", pasted=pasted, elsewhere=found["host"])
    if found is not None and (found["token"] or found["path"].startswith("/new/")):
        raise web.HTTPSeeOther(found["path"])
    code = found is not None or VISIT_NAME.fullmatch(pasted.lower())
    problem = "home_incomplete" if code else "home_empty" if not pasted else "home_no_link"
    return page(request, "home.html", 422, problem=problem, pasted=pasted, elsewhere=None)


async def new_visit(request: web.Request) -> web.StreamResponse:
    """Create a visit and send the host there; the join token is in the fragment, which browsers never send."""
    if not hmac.compare_digest(request.match_info["key"].encode(), request.app[ADMIN_KEY].encode()):
        raise web.HTTPNotFound
    visit = "-".join("".join(secrets.choice(VISIT_ALPHABET) for _ in range(n)) for n in (4, 4, 3))
    await request.app[VISITS].create(visit, language=request.app[SETTINGS].web.language)
    now = int(time.time())
    link = JoinLink(visit, "social_worker", None, now - 60, now + HOST_LINK_S, secrets.token_urlsafe(8))
    raise web.HTTPSeeOther(f"/v/{visit}#{request.app[SIGNER].sign(link)}")


async def room(request: web.Request) -> web.StreamResponse:
    """Serve the live room; what the visit is, only a valid link tells."""
    return page(request, "room.html")


async def language(request: web.Request) -> web.StreamResponse:
    """Keep the language that a person chose, and go back."""
    raise _remember(request, LANGUAGE_COOKIE, request.match_info["language"])


async def theme(request: web.Request) -> web.StreamResponse:
    """Keep the theme that a person chose, and go back."""
    raise _remember(request, THEME_COOKIE, request.match_info["theme"])


def _remember(request: web.Request, cookie: str, value: str) -> web.HTTPSeeOther:
    back = request.query.get("back", "/")
    if not back.startswith("/") or back.startswith("//") or "\\" in back:
        back = "/"
    response = web.HTTPSeeOther(back)
    response.set_cookie(cookie, value, max_age=YEAR_S, httponly=True, samesite="Lax", secure=request.secure)
    return response


async def health(request: web.Request) -> web.StreamResponse:
    """Say that the process is alive."""
    del request
    return web.Response(text="ok\n")


# --- middlewares -----------------------------------------------------------------------------------------------


@web.middleware
async def headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give every response its security headers (ASVS 5 chapter 3)."""
    nonce = request[NONCE] = secrets.token_urlsafe(16)
    try:
        response = await handler(request)
    except web.HTTPException as error:
        _protect(error, nonce, secure=request.secure)
        raise
    if not response.prepared:
        _protect(response, nonce, secure=request.secure)
    return response


def _protect(response: web.StreamResponse, nonce: str, *, secure: bool) -> None:
    response.headers.update(
        {
            "Content-Security-Policy": (
                f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; img-src 'self' data: blob:; "
                "media-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
                "form-action 'self'; require-trusted-types-for 'script'"
            ),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self), geolocation=()",
            "Cross-Origin-Opener-Policy": "same-origin",
        }
    )
    response.headers.setdefault("Cache-Control", "no-cache")
    if secure:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Say what is wrong in the reader's language."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400 or request.path.startswith(("/static", "/signal")):
            raise
        return page(request, "error.html", error.status, code=error.status)
    except Exception:
        logger.exception("a page failed")
        return page(request, "error.html", 500, code=500)
