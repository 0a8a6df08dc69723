"""Every option of Parvis, typed, with its default (configs/parvis.toml explains them one by one).

Values come from, strongest first: environment (`PARVIS_WEB__PORT=9000`), the TOML file named by `PARVIS_CONFIG` or
given on the command line, the defaults here. A bad value ends the start with one sentence that names the option.
"""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

Port = Annotated[int, Field(ge=0, le=65535)]


class SettingsError(Exception):
    """A setting is wrong; the message names the option, says what is wrong and what is allowed."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WebSettings(_Section):
    """The HTTP side: pages, API, signaling."""

    host: str = "127.0.0.1"
    port: Port = 8080
    """Plain HTTP, for this machine's own browsers and for a reverse proxy. 0 lets the system choose."""
    tls_host: str = "0.0.0.0"
    tls_port: Port | None = None
    """HTTPS for other machines; None means off."""
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    public_url: str | None = None
    """What people type, when a reverse proxy stands in front."""
    language: Literal["fr", "en"] = "fr"


class MediaSettings(_Section):
    """The media worker."""

    host: str = "0.0.0.0"
    port: Port = 0
    """One UDP port for everybody; 0 lets the system choose."""
    advertised_addresses: list[str] = []
    """Addresses told to browsers; empty means every address of this machine."""
    coalesce_ms: Annotated[float, Field(ge=0, le=5)] = 0.0
    """Join packets that arrive within this time into one send; never audio alone."""
    consent_timeout_s: Annotated[float, Field(gt=0, le=30)] = 15.0


class TranscriptionSettings(_Section):
    """The captioning sidecar."""

    enabled: bool = True
    model: str = "auto"
    """`auto`, a folder, `package:base`, or a name that faster-whisper knows (needs the network)."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compute_type: str = "auto"
    threads: Annotated[int, Field(ge=0, le=256)] = 0
    """0 = as many as there are cores."""
    language: str = "fr"


class RecordingSettings(_Section):
    """The recorder."""

    folder: Path | None = None
    """Where recordings go; None means `recordings` in the data folder."""
    minimum_free_mb: Annotated[int, Field(ge=0)] = 200
    """A recording is not started, and is stopped, with less than this free."""


class StorageSettings(_Section):
    """Database, bus and directory, each chosen by URL."""

    database: str | None = None
    """`sqlite:///path`, `postgresql://user:password@host/name`; None means `parvis.db` in the data folder."""
    bus: str = "memory://"
    """`memory://` or `redis://host:port/0`: the bus and the directory."""


class Settings(BaseSettings):
    """All settings of one installation."""

    model_config = SettingsConfigDict(env_prefix="PARVIS_", env_nested_delimiter="__", extra="forbid", frozen=True)

    data: Path = Path("data")
    """The folder of everything that Parvis keeps: secrets, database, recordings, sockets."""
    control_token: str | None = None
    """What workers on other machines show; None means: made at the first start and kept in the data folder."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    web: WebSettings = WebSettings()
    media: MediaSettings = MediaSettings()
    transcription: TranscriptionSettings = TranscriptionSettings()
    recording: RecordingSettings = RecordingSettings()
    storage: StorageSettings = StorageSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over file (passed as arguments) over defaults."""
        return env_settings, init_settings

    @property
    def database_url(self) -> str:
        """The database's URL with the default filled in."""
        return self.storage.database or f"sqlite:///{self.data / 'parvis.db'}"

    @property
    def recordings_folder(self) -> Path:
        """Where recordings are."""
        return self.recording.folder or self.data / "recordings"

    @property
    def control_socket(self) -> Path:
        """The Unix socket on which workers of this machine reach the control plane."""
        return self.data / "control.sock"


def load(path: Path | None = None) -> Settings:
    """Read the settings; `path` (or `PARVIS_CONFIG`) names a TOML file. Raises SettingsError."""
    if path is None and (named := os.environ.get("PARVIS_CONFIG")):
        path = Path(named)
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError(f"cannot read the settings file {path}: {error.strerror}") from error
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{path} is not valid TOML: {error}") from error
    try:
        return Settings(**values)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            option = ".".join(str(part) for part in problem["loc"])
            if problem["type"] == "extra_forbidden":
                lines.append(f"{option}: there is no such option")
            else:
                lines.append(f"{option} = {problem['input']!r}: {problem['msg']}")
        raise SettingsError("; ".join(lines)) from error
