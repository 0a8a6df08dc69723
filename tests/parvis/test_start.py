"""What keeps Parvis from starting is said in one sentence that names the option, and ends the start."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

START_S = 60


@pytest.fixture
def media_port() -> Iterator[int]:
    """A UDP port that somebody else has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def web_port() -> Iterator[int]:
    """A TCP port that somebody else has."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def start(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run Parvis, which is to end by itself."""
    environment = os.environ | {"PARVIS_DATA": str(folder / "data"), "PARVIS_TRANSCRIPTION__ENABLED": "false"}
    return subprocess.run(
        [sys.executable, "-m", "parvis", *arguments],
        env=environment
        | {"LANG": "fr_CA.UTF-8", "LC_ALL": "", "PARVIS_WEB__PORT": "0", "PARVIS_WEB__TLS_PORT": "0"}
        | settings,
        capture_output=True,
        text=True,
        timeout=START_S,
    )


def test_a_web_port_in_use_ends_the_start(tmp_path: Path, web_port: int) -> None:
    ended = start(tmp_path, "serve", PARVIS_WEB__PORT=str(web_port))
    assert ended.returncode == 2
    assert ended.stderr == f"parvis: le port {web_port} est déjà utilisé : changez l'option web.port.\n"


def test_a_media_port_in_use_ends_the_start_of_everything(tmp_path: Path, media_port: int) -> None:
    ended = start(tmp_path, "serve", PARVIS_MEDIA__PORT=str(media_port), LANG="en_CA.UTF-8")
    assert ended.returncode == 2
    assert f"parvis: port {media_port} is in use: change the option media.port.\n" in ended.stderr
    assert "parvis: parvis media could not start" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_address_of_another_machine_is_named_with_its_options(tmp_path: Path) -> None:
    ended = start(tmp_path, "media", PARVIS_MEDIA__HOST="192.0.2.1")
    assert ended.returncode == 2
    assert "192.0.2.1" in ended.stderr
    assert "media.host" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_settings_file_given_on_the_command_line_reaches_the_workers(tmp_path: Path, media_port: int) -> None:
    """The file's media port is taken, and only a media worker that read the file can notice."""
    (tmp_path / "parvis.toml").write_text(f"[media]\nport = {media_port}\n", "utf-8")
    relative = os.path.relpath(tmp_path / "parvis.toml")
    ended = start(tmp_path, "serve", "--config", relative)
    assert ended.returncode == 2
    assert f"le port {media_port} est déjà utilisé : changez l'option media.port." in ended.stderr


@pytest.mark.parametrize(
    ("option", "address", "expected"),
    [
        ("DATABASE", "mysql://anne:secret@host/parvis", "storage.database = mysql://…@host/parvis n'est pas l'adresse"),
        ("DATABASE", "postgresql://anne:secret@127.0.0.1:1/x", "la base de données postgresql://…@127.0.0.1:1/x ne"),
        ("BUS", "amqp://anne:secret@host", "storage.bus = amqp://…@host n'est pas une adresse qui convient"),
        ("BUS", "redis://:secret@127.0.0.1:1/0", "le serveur Redis redis://…@127.0.0.1:1/0 ne répond pas"),
    ],
    ids=["database address", "database away", "bus address", "bus away"],
)
def test_storage_that_cannot_be_used_ends_the_start_and_tells_no_password(
    tmp_path: Path, option: str, address: str, expected: str
) -> None:
    ended = start(tmp_path, "serve", **{f"PARVIS_STORAGE__{option}": address})
    assert ended.returncode == 2
    assert f"parvis: {expected}" in ended.stderr
    assert f"storage.{option.lower()}" in ended.stderr
    assert "secret" not in ended.stderr
    assert ended.stderr.count("\n") == 1
