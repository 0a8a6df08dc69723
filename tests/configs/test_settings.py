"""A bad value ends the start with a sentence that names the option, the value and what is allowed."""

from pathlib import Path

import pytest

from configs.problems import SettingsError
from configs.settings import load
from parvis.errors import explain


def said(path: Path | None = None) -> str:
    with pytest.raises(SettingsError) as raised:
        load(path)
    return "\n".join(explain(problem) for problem in raised.value.problems)


@pytest.fixture
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "en_CA.UTF-8")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[web]\nport = "http"', "web.port = 'http': this must be a whole number from 0 to 65535."),
        ("[web]\nport = 65536", "web.port = 65536: this must be a whole number from 0 to 65535."),
        ("[web]\nport = 80.5", "web.port = 80.5: this must be a whole number from 0 to 65535."),
        ('[web]\nlanguage = "de"', "web.language = 'de': this must be one of these: fr, en."),
        ('[web]\ntls = "perhaps"', "web.tls = 'perhaps': this must be true or false."),
        ('[web]\npublic_url = "http://a.example"', "web.public_url = 'http://a.example': this must be an address like"),
        ('[web]\ntls_key = "k.pem"', "web.tls_certificate and web.tls_key go together"),
        ("web = 3", "web = 3: this must be a section with its options."),
        ("[media]\ncoalesce_ms = 6", "media.coalesce_ms = 6: this must be a number from 0 to 5."),
        ("[media]\nconsent_timeout_s = 0", "media.consent_timeout_s = 0: this must be a number above 0, 30 at most."),
        ("[media]\nadvertised_addresses = 1", "media.advertised_addresses = 1: this must be a list of texts."),
        ("[recording]\nminimum_free_mb = -1", "recording.minimum_free_mb = -1: this must be a whole number from 0 on."),
        ("data = 3", "data = 3: this must be a text."),
        ('[storage]\nbus = ["redis://u:secret@h"]', "storage.bus = ['redis://…@h']: this must be a text."),
        ("[web]\nprot = 1", "web.prot: there is no option of this name"),
        ("[wed]\nport = 1", "wed: there is no option of this name"),
        ("port 1", "is not valid TOML"),
    ],
)
@pytest.mark.usefixtures("english")
def test_a_bad_value_in_the_file(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "parvis.toml"
    path.write_text(text, "utf-8")
    assert sentence in said(path)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PARVIS_WEB__PORT", "http", "web.port (PARVIS_WEB__PORT) = 'http': this must be a whole number"),
        ("PARVIS_LOG_LEVEL", "loud", "log_level (PARVIS_LOG_LEVEL) = 'loud': this must be one of these: debug, info,"),
        ("PARVIS_WEB__PROT", "1", "PARVIS_WEB__PROT: there is no option of this name"),
        ("PARVIS_WEB", "1", "PARVIS_WEB: there is no option of this name"),
        ("PARVIS_CONFIG", "/nowhere/parvis.toml", "the settings file /nowhere/parvis.toml cannot be read"),
    ],
)
@pytest.mark.usefixtures("english")
def test_a_bad_value_in_the_environment(name: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert sentence in said()


def test_everything_that_is_wrong_is_said_at_once_and_in_french(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "fr_CA.UTF-8")
    path = tmp_path / "parvis.toml"
    path.write_text('log_level = "fort"\n[web]\nport = -1\nprot = 1\n', "utf-8")
    sentences = said(path).splitlines()
    assert len(sentences) == 3
    assert "web.port = -1 : il faut un nombre entier de 0 à 65535." in sentences
    assert "log_level = 'fort' : il faut l'une de ces valeurs : debug, info, warning, error." in sentences
    assert any("il n'y a pas d'option de ce nom" in sentence for sentence in sentences)


def test_the_environment_is_stronger_than_the_file_and_lists_come_by_commas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "parvis.toml"
    path.write_text('[web]\nport = 1000\nlanguage = "en"\n', "utf-8")
    monkeypatch.setenv("PARVIS_WEB__PORT", "2000")
    monkeypatch.setenv("PARVIS_MEDIA__ADVERTISED_ADDRESSES", "192.0.2.1, 2001:db8::1")
    settings = load(path)
    assert (settings.web.port, settings.web.language) == (2000, "en")
    assert settings.media.advertised_addresses == ["192.0.2.1", "2001:db8::1"]


def test_passwords_in_urls_are_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARVIS_WEB__PUBLIC_URL", "postgresql://parvis:secret@host/name")
    assert "secret" not in said()
