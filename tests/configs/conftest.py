"""Settings are read from a plain environment, whatever the one of the tests holds."""

import os

import pytest

from configs.settings import PREFIX


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
