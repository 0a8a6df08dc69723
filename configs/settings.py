"""Every option of Parvis, typed, with its default (configs/parvis.toml explains them one by one).

Values come from, strongest first: environment (`PARVIS_WEB__PORT=9000`), the TOML file named by `PARVIS_CONFIG` or
given on the command line, the defaults here. A bad value ends the start with one sentence that names the option.
"""

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from configs.problems import Problem, SettingsError, problem_of

PREFIX = "PARVIS_"
NAMED_FILE = "PARVIS_CONFIG"
Port = Annotated[int, Field(ge=0, le=65535)]


def _listed(value: object) -> object:
    """Split a list that the environment gives as one text, by commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WebSettings(_Section):
    """The HTTP side: pages, API, signaling."""

    host: str = "127.0.0.1"
    port: Port = 8080
    """Plain HTTP, for this machine's own browsers and for a reverse proxy. 0 lets the system choose."""
    tls: bool = True
    """HTTPS for other machines: browsers give camera and microphone to no page that came by plain HTTP."""
    tls_host: str = "::"
    """`::` is every address, IPv4 included."""
    tls_port: Port = 8443
    """0 lets the system choose."""
    tls_certificate: Path | None = None
    """PEM, the certificate first, then those of its issuers; None means one that Parvis makes."""
    tls_key: Path | None = None
    public_url: Annotated[str, Field(pattern=r"^https://[^/?#\s]+$")] | None = None
    """What people type, when a reverse proxy stands in front."""
    language: Literal["fr", "en"] = "fr"

    @model_validator(mode="after")
    def _certificate_with_key(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("certificate_without_key")
        return self


class MediaSettings(_Section):
    """The media worker."""

    host: str = "0.0.0.0"
    port: Port = 0
    """One UDP port for everybody; 0 lets the system choose."""
    advertised_addresses: Annotated[list[str], NoDecode, BeforeValidator(_listed)] = []
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

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

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


def options(model: type[BaseModel] = Settings, section: str = "") -> Iterator[str]:
    """Yield the name of every option, as `web.port`."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, _Section):
            yield from options(kind, f"{name}.")
        else:
            yield section + name


def variable_of(option: str) -> str:
    """Return the environment variable that sets an option."""
    return PREFIX + option.replace(".", "__").upper()


def load(path: Path | None = None) -> Settings:
    """Read the settings; `path` (or `PARVIS_CONFIG`) names a TOML file. Raises SettingsError."""
    if path is None and (named := os.environ.get(NAMED_FILE)):
        path = Path(named)
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError([Problem(str(path), "unreadable", error.strerror)]) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError([Problem(str(path), "not_toml", str(error))]) from error
    known = {variable_of(option) for option in options()} | {NAMED_FILE}
    strange = [Problem(name, "unknown") for name in sorted(os.environ) if name.startswith(PREFIX) and name not in known]
    if strange:
        raise SettingsError(strange)
    try:
        return Settings(**values)
    except ValidationError as error:
        schema = Settings.model_json_schema()
        set_by = {option: name for option in options() if (name := variable_of(option)) in os.environ}
        raise SettingsError([problem_of(each, schema, set_by) for each in error.errors()]) from error
