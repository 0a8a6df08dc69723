"""The browser modules in web/static/vendor/ are those that package-lock.json locks."""

import hashlib
import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "web/static/vendor"
LOCK = json.loads((ROOT / "package-lock.json").read_text("utf-8"))["packages"]
MANIFEST = json.loads((VENDOR / "manifest.json").read_text("utf-8"))


def test_every_dependency_is_vendored_at_its_locked_version_and_hash() -> None:
    wanted = json.loads((ROOT / "package.json").read_text("utf-8"))["dependencies"]
    assert {name: entry["version"] for name, entry in MANIFEST.items()} == wanted
    for name, entry in MANIFEST.items():
        locked = LOCK[f"node_modules/{name}"]
        assert (entry["version"], entry["integrity"]) == (locked["version"], locked["integrity"]), "run script/vendor"


def test_no_vendored_file_was_altered_added_or_lost() -> None:
    known = {file: digest for entry in MANIFEST.values() for file, digest in entry["sha256"].items()}
    found = {
        str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name not in ("manifest.json", "importmap.json")
    }
    assert found == known, "run script/vendor"


def test_every_import_leads_to_a_file() -> None:
    imports = json.loads((VENDOR / "importmap.json").read_text("utf-8"))["imports"]
    assert all((ROOT / "web" / path.removeprefix("/")).is_file() for path in imports.values())
    assert all((VENDOR / file).is_file() for entry in MANIFEST.values() for file in entry["sha256"])
