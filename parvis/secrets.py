"""The secrets of one installation, made at the first start and kept readable by their owner only."""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True, frozen=True)
class Secrets:
    """What signs links, lets workers in, and lets the operator create visits."""

    links: bytes
    control_token: str
    admin_key: str

    @classmethod
    def load(cls, folder: Path) -> "Secrets":
        """Read `secrets.json` in the data folder, or make it."""
        path = folder / "secrets.json"
        try:
            values = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            values = {name: secrets.token_urlsafe(32) for name in ("links", "control_token", "admin_key")}
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(values, file)
        return cls(values["links"].encode(), values["control_token"], values["admin_key"])
