"""Every text in French and English, and no text that nobody shows."""

import json
import re
from pathlib import Path

WEB = Path(__file__).parents[2] / "web"
FRENCH, ENGLISH = (json.loads((WEB / f"locales/{name}.json").read_text("utf-8")) for name in ("fr", "en"))
SOURCES = "".join(path.read_text("utf-8") for path in [*WEB.glob("templates/*.html"), *WEB.glob("static/room/*.js")])


def test_both_languages_have_the_same_keys_and_no_empty_text() -> None:
    assert FRENCH.keys() == ENGLISH.keys()
    assert all(FRENCH.values())
    assert all(ENGLISH.values())


def test_every_key_that_is_asked_for_exists() -> None:
    asked = set(re.findall(r"""\bt\("([a-z_0-9]+)"\)""", SOURCES))
    assert asked
    assert asked <= FRENCH.keys()


def test_every_text_is_shown_somewhere() -> None:
    composed = tuple(re.findall(r"""\bt\(`([a-z_]+)\$\{""", SOURCES))
    unused = [key for key in FRENCH if f'"{key}"' not in SOURCES and not key.startswith(composed)]
    assert unused == []
