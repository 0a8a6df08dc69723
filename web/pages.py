"""Pages: a template, the reader's language and theme, and what every page is given."""

from __future__ import annotations

import json
from pathlib import Path

import jinja2
from aiohttp import web

from configs.settings import Settings
from web.locales.catalogue import Catalogue

HERE = Path(__file__).parent
LANGUAGE_COOKIE = "language"
THEME_COOKIE = "theme"
THEMES = ("auto", "light", "dark")

SETTINGS: web.AppKey[Settings] = web.AppKey("settings", Settings)
PAGES: web.AppKey[jinja2.Environment] = web.AppKey("pages", jinja2.Environment)
CATALOGUE: web.AppKey[Catalogue] = web.AppKey("catalogue", Catalogue)
IMPORT_MAP: web.AppKey[str] = web.AppKey("import_map", str)
NONCE: web.RequestKey[str] = web.RequestKey("nonce", str)


def set_up(app: web.Application, settings: Settings) -> None:
    """Give an application what its pages are made from."""
    app[SETTINGS] = settings
    app[CATALOGUE] = Catalogue.load(HERE / "locales")
    app[IMPORT_MAP] = (HERE / "static/vendor/importmap.json").read_text("utf-8")
    app[PAGES] = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True, undefined=jinja2.StrictUndefined
    )


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


def text(request: web.Request, key: str) -> str:
    """Return one text of the interface in the reader's language."""
    return request.app[CATALOGUE].text(reading_language(request), key)
