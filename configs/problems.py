"""What is wrong with a setting, as data: which option, which value, what is allowed. The roof puts it in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["unreadable", "not_toml", "unknown", "invalid", "certificate_without_key"]
Shape = Literal["whole", "number", "switch", "text", "list", "choice", "table", "https_url"]


@dataclass(slots=True, frozen=True)
class Allowed:
    """What an option takes. `above` instead of `low` when the bound itself is not allowed."""

    shape: Shape
    low: float | None = None
    above: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()


@dataclass(slots=True, frozen=True)
class Problem:
    """One thing that is wrong. `option` is `web.port`, a variable of the environment, or the file itself."""

    option: str
    kind: Kind
    detail: object = None
    """The bad value, or what the system or the parser said."""
    allowed: Allowed | None = None
    variable: str | None = None
    """The variable that set the value; None: the file did."""


class SettingsError(Exception):
    """Settings cannot be used; `problems` says why, one by one."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{each.option}: {each.kind} {each.detail!r}" for each in problems))
        self.problems = problems


def problem_of(error: Mapping[str, Any], schema: Mapping[str, Any], set_by: Mapping[str, str]) -> Problem:
    """Return what one of pydantic's errors says of an option.

    `schema` is the JSON schema of all settings, `set_by` names the variable of options that the environment sets.
    """
    location = [part for part in error["loc"] if isinstance(part, str)]
    option = ".".join(location)
    source = set_by.get(option)
    match error["type"]:
        case "extra_forbidden":
            return Problem(option, "unknown", variable=source)
        case "value_error":
            return Problem(f"{option}.tls_certificate", "certificate_without_key")
        case _:
            return Problem(option, "invalid", error["input"], allowed(location, schema), source)


def allowed(location: list[str], schema: Mapping[str, Any]) -> Allowed:
    """Return what the JSON schema allows at an option."""
    node: Mapping[str, Any] = schema
    for name in location:
        node = _resolved(node, schema)["properties"][name]
    node = _resolved(node, schema)
    if "enum" in node:
        return Allowed("choice", choices=tuple(node["enum"]))
    if "pattern" in node:
        return Allowed("https_url")
    shapes: dict[str, Shape] = {
        "integer": "whole", "number": "number", "boolean": "switch", "array": "list", "object": "table",
    }  # fmt: skip
    return Allowed(
        shapes.get(node.get("type", ""), "text"),
        node.get("minimum"),
        node.get("exclusiveMinimum"),
        node.get("maximum"),
    )


def _resolved(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference to a section, and take what stands beside `null`."""
    if "anyOf" in node:
        node = next(each for each in node["anyOf"] if each.get("type") != "null")
    if "$ref" in node:
        found: Mapping[str, Any] = schema["$defs"][node["$ref"].rpartition("/")[2]]
        return found
    return node
