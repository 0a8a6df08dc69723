"""Every text in French and English, and no text that nobody shows."""

import json
import re
from pathlib import Path

from signaling.roles import RIGHTS, SOURCE_RIGHTS

WEB = Path(__file__).parents[2] / "web"
FRENCH, ENGLISH = (json.loads((WEB / f"locales/{name}.json").read_text("utf-8")) for name in ("fr", "en"))
SOURCES = "".join(
    path.read_text("utf-8") for path in [*WEB.glob("templates/*.html"), *WEB.glob("static/**/*.js"), *WEB.glob("*.py")]
)

# Keys made in pieces: t(`quality_${n}_short`), t("theme_" ~ each).
COMPOSED = [
    re.compile(re.sub(r"\$\{[^{}]*\}", "[a-z_0-9]+", key))
    for key in [
        *re.findall(r"""\bt\(\s*`((?:[a-z_0-9]|\$\{[^{}]*\})+)`""", SOURCES),
        *(f"{start}${{}}" for start in re.findall(r"""\bt\("([a-z_]+)" ~""", SOURCES)),
    ]
]


def test_both_languages_have_the_same_keys_and_no_empty_text() -> None:
    assert FRENCH.keys() == ENGLISH.keys()
    assert all(FRENCH.values())
    assert all(ENGLISH.values())


def test_every_key_that_is_asked_for_exists() -> None:
    asked = set(re.findall(r"""\bt\("([a-z_0-9]+)"\)""", SOURCES))
    assert asked
    assert asked <= FRENCH.keys()


def test_every_text_is_shown_somewhere() -> None:
    unused = [key for key in FRENCH if f'"{key}"' not in SOURCES and not any(each.fullmatch(key) for each in COMPOSED)]
    assert unused == []


def test_every_composed_key_leads_to_some_text() -> None:
    assert COMPOSED
    assert [each.pattern for each in COMPOSED if not any(each.fullmatch(key) for key in FRENCH)] == []


def test_no_text_of_the_interface_stands_in_the_code() -> None:
    pages = "".join(path.read_text("utf-8") for path in WEB.glob("templates/*.html"))
    pages = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|<script.*?</script>", "", pages, flags=re.S)
    said = {text.strip() for text in re.findall(r">([^<>]*[^\W\d_]{2}[^<>]*)<", pages)}
    assert said <= {"Parvis", "– Parvis"}
    modules = "".join(path.read_text("utf-8") for path in WEB.glob("static/*/components/*.js"))
    modules = re.sub(r"^\s*(//|\*|/\*\*).*$|/\*\*.*?\*/|=>", "", modules, flags=re.M)
    said = {text.strip() for text in re.findall(r">\s*([^\W\d_][^<>{}$`;()]+)<", modules)}
    assert said <= {"Parvis", "Ctrl", "A−", "A+"}


def test_every_role_and_every_source_has_a_name() -> None:
    assert {f"role_{role}" for role in RIGHTS} | {f"source_{source}" for source in SOURCE_RIGHTS} <= FRENCH.keys()
