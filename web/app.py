"""The web application: pages, static files, security headers, the way into a visit."""

from __future__ import annotations

import hmac
import json
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import jinja2
from aiohttp import web

from accounts.links import JoinLink, LinkSigner
from configs.settings import Settings
from signaling.service import Signaling
from storage.visits import Visits
from web.locales.catalogue import Catalogue

logger = logging.getLogger(__name__)

HERE = Path(__file__).parent
HOST_LINK_S = 7 * 24 * 3600
VISIT_ALPHABET = "abcdefghjkmnpqrstuvwxyz"
LANGUAGE_COOKIE = "language"
THEME_COOKIE = "theme"
THEMES = ("auto", "light", "dark")
YEAR_S = 365 * 86_400
PASTED_LINK = re.compile(
    r"(?:https?://(?P<host>[^/\s]+))?(?P<path>/v/[a-z-]{4,32}(?P<token>#[\w-]{1,2048})?|/new/[\w-]{1,128})", re.ASCII
)
VISIT_NAME = re.compile(r"[a-z]{4}-[a-z]{4}-[a-z]{3}")

SIGNER: web.AppKey[LinkSigner] = web.AppKey("signer", LinkSigner)
SETTINGS: web.AppKey[Settings] = web.AppKey("settings", Settings)
VISITS: web.AppKey[Visits] = web.AppKey("visits", Visits)
PAGES: web.AppKey[jinja2.Environment] = web.AppKey("pages", jinja2.Environment)
CATALOGUE: web.AppKey[Catalogue] = web.AppKey("catalogue", Catalogue)
ADMIN_KEY: web.AppKey[str] = web.AppKey("admin_key", str)
IMPORT_MAP: web.AppKey[str] = web.AppKey("import_map", str)
NONCE: web.RequestKey[str] = web.RequestKey("nonce", str)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_app(
    *, settings: Settings, signaling: Signaling, links: LinkSigner, visits: Visits, admin_key: str
) -> web.Application:
    """Put the application together. `admin_key` is the secret of the link that creates visits."""
    app = web.Application(middlewares=[headers, errors], client_max_size=1 << 20)
    app[SETTINGS] = settings
    app[SIGNER] = links
    app[VISITS] = visits
    app[ADMIN_KEY] = admin_key
    app[CATALOGUE] = Catalogue.load(HERE / "locales")
    app[IMPORT_MAP] = (HERE / "static/vendor/importmap.json").read_text("utf-8")
    app[PAGES] = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True, undefined=jinja2.StrictUndefined
    )
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


def reading_language(request: web.Request) -> str:
    """Return the reader's language: the one chosen, else the installation's first one."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    return chosen if chosen in ("fr", "en") else request.app[SETTINGS].web.language


def page(request: web.Request, template: str, status: int = 200, **values: object) -> web.Response:
    """Render a template in the reader's language."""
    reader = reading_language(request)
    catalogue = request.app[CATALOGUE]
    chosen = request.cookies.get(THEME_COOKIE)
    text = (
        request.app[PAGES]
        .get_template(template)
        .render(
            t=lambda key: catalogue.text(reader, key),
            language=reader,
            other_language="en" if reader == "fr" else "fr",
            # An address that only takes forms is no place to come back to.
            path=request.path if request.method == "GET" else "/",
            theme=chosen if chosen in THEMES else "auto",
            # In a script element, "<" could end the element.
            texts_json=lambda: json.dumps(catalogue.texts(reader), ensure_ascii=False).replace("<", "\\u003c"),
            import_map=request.app[IMPORT_MAP],
            nonce=request[NONCE],
            **values,
        )
    )
    return web.Response(text=text, content_type="text/html", status=status)


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
            "Cache-Control": "no-cache",
        }
    )
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
