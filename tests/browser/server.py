"""Parvis as a person starts it, on ports that the system gives, with a data folder of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

START_S = 30


class Server:
    """A running `parvis serve`."""

    def __init__(self, process: subprocess.Popen[str], link: str) -> None:
        self.process = process
        self.link = link
        """Opening it creates a visit."""

    def worker(self, command: str) -> int:
        """Return the process id of the child that runs `parvis COMMAND`, which begins soon after the server."""
        deadline = time.monotonic() + START_S
        while (found := self._child(command)) is None:
            assert time.monotonic() < deadline, f"no child runs parvis {command}"
            time.sleep(0.02)
        return found

    def _child(self, command: str) -> int | None:
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
                parent = re.search(r"^PPid:\s+(\d+)", (folder / "status").read_text(), re.M)
            except OSError:
                continue
            if command.encode() in words and parent and int(parent[1]) == self.process.pid:
                return int(folder.name)
        return None


@contextmanager
def running(data: Path, *, settings: Mapping[str, str] | None = None, prefix: Sequence[str] = ()) -> Iterator[Server]:
    """Run Parvis while the block lasts, with more `settings` (environment) and by way of a `prefix` command."""
    environment = os.environ | {
        "PARVIS_DATA": str(data),
        "PARVIS_WEB__PORT": "0",
        "PARVIS_WEB__TLS_PORT": "0",
        "LANG": "fr_CA.UTF-8",
    }
    process = subprocess.Popen(
        [*prefix, sys.executable, "-m", "parvis", "serve"],
        env=environment | dict(settings or {}),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        link = re.search(r"http://\S+", line)
        assert link is not None, f"Parvis did not start: {line!r}"
        yield Server(process, link[0])
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(START_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()
