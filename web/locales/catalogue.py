"""The texts of the interface, by language and key."""

from __future__ import annotations

import json
from pathlib import Path


class Catalogue:
    """All texts; every language has every key (a test holds it)."""

    def __init__(self, texts: dict[str, dict[str, str]]) -> None:
        self._texts = texts

    @classmethod
    def load(cls, folder: Path) -> Catalogue:
        """Read `fr.json` and `en.json`."""
        return cls({name: json.loads((folder / f"{name}.json").read_text("utf-8")) for name in ("fr", "en")})

    def texts(self, language: str) -> dict[str, str]:
        """Return all texts of a language."""
        return self._texts[language]

    def text(self, language: str, key: str) -> str:
        """Return one text; raises KeyError for a key that does not exist."""
        return self._texts[language][key]
