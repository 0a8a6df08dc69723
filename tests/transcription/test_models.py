"""A model that is missing or damaged is an error with a code for the pages and the option to mend for the log."""

import shutil
from pathlib import Path

import ctranslate2
import pytest

from configs.settings import TranscriptionSettings
from transcription import models
from transcription.engine import Engine
from transcription.models import ModelError

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(cache: Path, engine: Engine, tmp_path: Path) -> Path:
    """A copy of the model, to be spoilt."""
    del engine
    return Path(shutil.copytree(cache / "whisper-base", tmp_path / "model"))


def problem(cache: Path, **wanted: str) -> ModelError:
    with pytest.raises(ModelError) as raised:
        Engine.load(TranscriptionSettings.model_validate(wanted), cache)
    return raised.value


def test_a_folder_that_is_not_there_or_empty_is_a_missing_model(cache: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        error = problem(cache, model=str(path))
        assert error.code == "model_missing"
        assert f"transcription.model = {str(path)!r}: there is no model.bin, config.json" in str(error)


def test_truncated_weights_are_a_damaged_model(cache: Path, folder: Path) -> None:
    for size in (100_000_000, 10, 0):
        with (folder / "model.bin").open("r+b") as file:
            file.truncate(size)
        error = problem(cache, model=str(folder))
        assert error.code == "model_damaged"
        assert f"transcription.model = {str(folder)!r} cannot be loaded" in str(error)


def test_a_spoilt_tokenizer_is_a_damaged_model(cache: Path, folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{")
    assert problem(cache, model=str(folder)).code == "model_damaged"


def test_weights_that_were_spoilt_after_they_were_joined_are_joined_again(folder: Path) -> None:
    """The checksum notices one changed byte, which would load and write nonsense."""
    target = folder.rename(folder.with_name("whisper-base"))
    with (target / "model.bin").open("r+b") as file:
        file.seek(70_000_000)
        byte = file.read(1)[0]
        file.seek(70_000_000)
        file.write(bytes([byte ^ 1]))
    assert models.find("auto", target.parent) == str(target)
    assert models._sha256(target / "model.bin") == models.BASE_SHA256


def test_spoilt_packages_of_weights_are_a_damaged_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in models.PARTS:
        data = tmp_path / part / "data"
        data.mkdir(parents=True)
        (data.parent / "__init__.py").touch()
        (data / "model.bin.part").write_bytes(b"half")
    monkeypatch.syspath_prepend(str(tmp_path))
    error = problem(tmp_path / "cache", model="auto")
    assert error.code == "model_damaged"
    assert not list((tmp_path / "cache").iterdir())


def test_a_gpu_or_a_way_to_compute_that_is_not_there_names_its_option(cache: Path) -> None:
    error = problem(cache, compute_type="float64")
    assert (error.code, "transcription.compute_type" in str(error)) == ("engine_failed", True)
    error = problem(cache, language="klingon")
    assert (error.code, "transcription.language" in str(error)) == ("engine_failed", True)
    if ctranslate2.get_cuda_device_count() == 0:
        error = problem(cache, device="cuda")
        assert (error.code, "transcription.device" in str(error)) == ("engine_failed", True)
