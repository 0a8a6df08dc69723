"""The impairment relay: a process between two TUN devices that loses, delays and shuffles IP packets by a seed.

WebRTC writes its addresses into SDP, so the relay works below UDP: whatever one namespace sends arrives in the other
one, or not. `Relay` is the test's handle; `python -m tests.rig.relay FD_A FD_B SEED` is the process. They speak JSON
lines: the test sends {"down": profile, "up": profile} (either may be absent), the process answers with both tallies.
"""

from __future__ import annotations

import fcntl
import heapq
import json
import os
import selectors
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from tests.rig.impairment import Bursts, Impairment, Profile, Tally

Direction = Literal["down", "up"]
"""Down is from side A (the server) to side B (the client)."""

ROOT = Path(__file__).resolve().parents[2]
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
MAX_PACKET = 65_536
MAX_WAITING = 20_000
"""Packets under way; more are dropped, as a router does whose buffer is full."""


def open_tun(name: str) -> int:
    """Make a TUN device in the present network namespace and return its descriptor; needs CAP_NET_ADMIN.

    The device may be moved to another namespace and renamed; the descriptor goes on working, and the device is gone
    when it is closed.
    """
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


class Relay:
    """A running relay process between two TUN descriptors, which it takes over. `close()` ends it."""

    def __init__(self, side_a: int, side_b: int, *, seed: int, down: Profile, up: Profile) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.rig.relay", str(side_a), str(side_b), str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(side_a, side_b),
            cwd=ROOT,
        )
        os.close(side_a)
        os.close(side_b)
        self.impair(down=down, up=up)

    def impair(self, *, down: Profile | None = None, up: Profile | None = None) -> None:
        """Change one or both directions from the next packet on."""
        profiles = {"down": down, "up": up}
        self._ask({name: asdict(profile) for name, profile in profiles.items() if profile is not None})

    def tallies(self) -> dict[Direction, Tally]:
        """Return what happened to the packets of each direction so far."""
        return {name: Tally(**values) for name, values in self._ask({}).items()}

    def _ask(self, question: Mapping[str, Any]) -> dict[Direction, dict[str, int]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the relay process ended with status {self._process.wait()}")
        result: dict[Direction, dict[str, int]] = json.loads(answer)
        return result

    def close(self) -> None:
        """End the process; idempotent."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.terminate()
        self._process.wait()


class _Loop:
    """The process: two descriptors, one heap of packets under way."""

    def __init__(self, side_a: int, side_b: int, seed: int) -> None:
        self._sides = {side_a: side_b, side_b: side_a}
        self._impairments: dict[int, Impairment] = {
            side_a: Impairment(Profile(), seed),
            side_b: Impairment(Profile(), seed + 1),
        }
        self._names: dict[Direction, int] = {"down": side_a, "up": side_b}
        self._under_way: list[tuple[float, int, int, bytes]] = []
        self._number = 0
        self._selector = selectors.DefaultSelector()
        for descriptor in (side_a, side_b, sys.stdin.fileno()):
            os.set_blocking(descriptor, False)
            self._selector.register(descriptor, selectors.EVENT_READ)

    def run(self) -> None:
        """Relay until standard input ends."""
        heap = self._under_way
        while True:
            timeout = max(0.0, heap[0][0] - time.monotonic()) if heap else None
            for key, _ in self._selector.select(timeout):
                if key.fd == sys.stdin.fileno():
                    if not self._command():
                        return
                else:
                    self._receive(key.fd)
            now = time.monotonic()
            while heap and heap[0][0] <= now:
                _, _, target, packet = heapq.heappop(heap)
                _write(target, packet)

    def _receive(self, source: int) -> None:
        """Take what waits on one side, up to a batch."""
        impairment, target = self._impairments[source], self._sides[source]
        for _ in range(64):
            try:
                packet = os.read(source, MAX_PACKET)
            except (BlockingIOError, OSError):  # empty, or the device is down just now
                return
            now = time.monotonic()
            for due in impairment.decide(len(packet), now):
                if due <= now and not self._under_way:
                    _write(target, packet)
                elif len(self._under_way) < MAX_WAITING:
                    self._number += 1
                    heapq.heappush(self._under_way, (due, self._number, target, packet))

    def _command(self) -> bool:
        """Obey the lines that wait on standard input; return False at its end."""
        data = os.read(sys.stdin.fileno(), 65_536)
        for line in data.splitlines():
            for name, values in json.loads(line).items():
                bursts = values.pop("bursts")
                profile = Profile(**values, bursts=None if bursts is None else Bursts(**bursts))
                self._impairments[self._names[name]].profile = profile
            tallies = {name: asdict(self._impairments[side].tally) for name, side in self._names.items()}
            sys.stdout.write(json.dumps(tallies) + "\n")
            sys.stdout.flush()
        return bool(data)


def _write(target: int, packet: bytes) -> None:
    try:
        os.write(target, packet)
    except OSError:  # the other side is down or its queue full: lost, as on any link
        pass


if __name__ == "__main__":
    _Loop(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])).run()
