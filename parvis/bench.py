"""`parvis bench NAME`: run one of the measuring programs in `benchmarks/` and say under which conditions it ran.

A module of `benchmarks/` with `DESCRIPTION`, `add_arguments(parser)`, `run(arguments) -> dict` and
`plot(result, path)` is a benchmark.
"""

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

NAMES = ("adapt", "forwarding")
PACKAGES = (
    "cryptography",
    "uvloop",
    "pyOpenSSL",
    "aiohttp",
    "pylibsrtp",
    "ctranslate2",
    "faster-whisper",
    "onnxruntime",
    "av",
)


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Declare one command for each benchmark."""
    commands = parser.add_subparsers(dest="name", required=True)
    for name in NAMES:
        module = _module(name)
        command = commands.add_parser(name, help=module.DESCRIPTION, description=module.DESCRIPTION)
        command.add_argument("--quick", action="store_true", help="less precise, under 45 s")
        command.add_argument("--json", type=Path, help="write the result here")
        command.add_argument("--plot", type=Path, help="draw it here (PNG or SVG)")
        module.add_arguments(command)


def run(options: argparse.Namespace) -> int:
    """Run the chosen benchmark, print its result; return the exit status."""
    module = _module(options.name)
    before = conditions()
    result: dict[str, Any] = {"benchmark": options.name, **module.run(options), "conditions": before}
    text = json.dumps(result, ensure_ascii=False, indent=2)
    print(text)
    if options.json is not None:
        options.json.write_text(text + "\n", encoding="utf-8")
    if options.plot is not None:
        try:
            module.plot(result, options.plot)
        except ImportError:
            print("parvis: plotting needs matplotlib (pip install matplotlib)", file=sys.stderr)
            return 2
    return 0


def conditions() -> dict[str, Any]:
    """Return what a reader must know to compare figures."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "load_average": os.getloadavg()[0],
        "kernel": platform.release(),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "commit": _commit(),
        "options": sys.argv[1:],
    }


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.{name}")


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Return the commit of the tree that this runs from, with a + when it was changed."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
