"""Two network namespaces joined by the impairment relay: a server's machine and a client's, on this one."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tests.rig.impairment import Profile
from tests.rig.relay import Relay, open_tun

SERVER_ADDRESS = "10.213.0.1"
CLIENT_ADDRESS = "10.213.0.2"
INTERFACE = "eth0"
CLONE_NEWNET = 0x40000000

_numbers = count(1)


def unavailable() -> str | None:
    """Return why namespaces cannot be made here, or None when they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not Path("/dev/net/tun").exists():
        return "there is no /dev/net/tun"
    if shutil.which("ip") is None or shutil.which("tc") is None:
        return "iproute2 is not installed"
    name = f"parvis-try-{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode:
        return "this system does not allow network namespaces"
    _run("ip", "netns", "del", name)
    return None


@dataclass(slots=True, frozen=True)
class Namespace:
    """One side of the link."""

    name: str
    address: str

    def command(self, *command: str) -> list[str]:
        """Return the command line that runs `command` inside."""
        return ["ip", "netns", "exec", self.name, *command]

    def limit(self, rate: str = "200kbit", burst: str = "16kb", latency: str = "300ms") -> None:
        """Limit what this side sends by a token bucket (tc-tbf); called again, changes the limit."""
        words = f"qdisc replace dev {INTERFACE} root tbf rate {rate} burst {burst} latency {latency}".split()
        _run("tc", "-n", self.name, *words)

    def unlimit(self) -> None:
        """Take the limit away."""
        _run("tc", "-n", self.name, "qdisc", "del", "dev", INTERFACE, "root")

    def wrapper(self, program: str, folder: Path) -> Path:
        """Write an executable that runs `program` inside, for callers that take only a path; return it."""
        path = folder / f"{Path(program).name}-in-{self.name}"
        path.write_text(f'#!/bin/sh\nexec ip netns exec {self.name} {program} "$@"\n', encoding="utf-8")
        path.chmod(0o755)
        return path

    def socket(self, kind: socket.SocketKind = socket.SOCK_DGRAM) -> socket.socket:
        """Return an IPv4 socket that lives inside, for use out here."""
        made: list[socket.socket] = []

        def make() -> None:  # a thread may change its own namespace and take it to the grave
            libc = ctypes.CDLL(None, use_errno=True)
            with open(f"/run/netns/{self.name}", "rb") as handle:
                if libc.setns(handle.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), f"cannot enter {self.name}")
            made.append(socket.socket(socket.AF_INET, kind))

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        return made[0]

    def end_processes(self) -> None:
        """Kill what still runs inside."""
        listed = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True)
        for pid in listed.stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


@dataclass(slots=True, frozen=True)
class Link:
    """Both sides and the relay between them."""

    server: Namespace
    client: Namespace
    relay: Relay


@contextlib.contextmanager
def link(*, down: Profile | None = None, up: Profile | None = None, seed: int = 1) -> Iterator[Link]:
    """Make two namespaces with a relayed link, and take everything away afterwards, whatever happened.

    `down` is from the server to the client. Rates are set by `Namespace.limit` on the sending side.
    """
    tag = f"{os.getpid()}-{next(_numbers)}"
    server = Namespace(f"parvis-{tag}-server", SERVER_ADDRESS)
    client = Namespace(f"parvis-{tag}-client", CLIENT_ADDRESS)
    with contextlib.ExitStack() as stack:
        descriptors = []
        for side, other in ((server, client), (client, server)):
            _run("ip", "netns", "add", side.name)
            stack.callback(_run, "ip", "netns", "del", side.name)
            stack.callback(side.end_processes)
            device = f"pv{os.getpid() % 100_000}x{next(_numbers)}"
            descriptors.append(open_tun(device))
            _run("ip", "link", "set", device, "netns", side.name, "name", INTERFACE)
            inside = ("ip", "-n", side.name)
            _run(*inside, "link", "set", "lo", "up")
            _run(*inside, "address", "add", side.address, "peer", other.address, "dev", INTERFACE)
            _run(*inside, "link", "set", INTERFACE, "up")
            _run(*inside, "route", "add", "default", "dev", INTERFACE)
        relay = Relay(*descriptors, seed=seed, down=down or Profile(), up=up or Profile())
        stack.callback(relay.close)
        yield Link(server, client, relay)


def _run(*command: str) -> None:
    """Run a command; its failure is an error with what it said."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
