"""The real model, joined and loaded once."""

from pathlib import Path

import pytest

from configs.settings import TranscriptionSettings
from transcription.engine import Engine


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def engine(cache: Path) -> Engine:
    return Engine.load(TranscriptionSettings(), cache)
