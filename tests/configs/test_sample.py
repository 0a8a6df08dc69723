"""The sample file holds every option, with the defaults; nothing else."""

import re
import tomllib
from pathlib import Path
from typing import Any

from configs import settings

SAMPLE = Path(settings.__file__).with_name("parvis.toml")
TEXT = SAMPLE.read_text("utf-8")


def uncommented(pattern: str) -> dict[str, Any]:
    return tomllib.loads(re.sub(pattern, "", TEXT, flags=re.MULTILINE))


def names(values: dict[str, Any], section: str = "") -> set[str]:
    found: set[str] = set()
    for name, value in values.items():
        found |= names(value, f"{name}.") if isinstance(value, dict) else {section + name}
    return found


def test_the_sample_as_it_is_changes_nothing() -> None:
    assert settings.load(SAMPLE) == settings.Settings()


def test_its_options_without_the_comment_sign_are_the_defaults() -> None:
    assert settings.Settings(**uncommented(r"^#(?=\w+ = )")) == settings.Settings()


def test_every_option_is_in_it_once_those_without_a_value_as_examples() -> None:
    defaults, examples = uncommented(r"^#(?=\w+ = )"), uncommented(r"^# Example: (?=\w+ = )")
    assert names(defaults) | names(examples) == set(settings.options())
    assert not names(defaults) & names(examples)
    with_examples = settings.Settings(**examples)
    for option in names(examples):
        section, _, name = option.rpartition(".")
        before = getattr(settings.Settings(), section) if section else settings.Settings()
        after = getattr(with_examples, section) if section else with_examples
        assert getattr(before, name) is None
        assert getattr(after, name) is not None


def test_every_option_is_explained_just_before_it() -> None:
    lines = TEXT.splitlines()
    for at, line in enumerate(lines):
        if re.match(r"#\w+ = ", line) and not line.startswith("#enabled"):
            assert lines[at - 1].startswith("# "), line
