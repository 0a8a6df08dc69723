"""The impairment relay between real namespaces: what leaves one arrives in the other as the profile says."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.rig import namespaces
from tests.rig.impairment import Profile

PACKETS = 1000

pytestmark = [pytest.mark.netns, pytest.mark.xdist_group("netns")]


@pytest.fixture(scope="module", autouse=True)
def _possible() -> None:
    if reason := namespaces.unavailable():
        pytest.skip(reason)


@pytest.fixture
def ends() -> Iterator[tuple[namespaces.Link, socket.socket, socket.socket]]:
    with namespaces.link(seed=3) as link:
        server, client = link.server.socket(), link.client.socket()
        server.bind((link.server.address, 0))
        client.connect(server.getsockname())
        client.send(b"hello")
        server.settimeout(10)
        server.connect(server.recvfrom(16)[1])
        with server, client:
            yield link, server, client


def send_and_count(link: namespaces.Link, sender: socket.socket, receiver: socket.socket) -> list[int]:
    """Send numbered datagrams and return the numbers in order of arrival."""
    receiver.settimeout(10)
    arrived: list[int] = []
    for number in range(PACKETS):
        sender.send(number.to_bytes(4, "big"))
        if number % 50 == 49:  # sockets and devices have short queues
            arrived.extend(_drain(receiver, 0.02))
    # the last one is sent on a clean link: what comes before it has arrived or never will
    link.relay.impair(down=Profile(), up=Profile())
    sender.send(b"\xff\xff\xff\xff")
    while 0xFFFFFFFF not in arrived:
        arrived.append(int.from_bytes(receiver.recv(16), "big"))
    return [*arrived, *_drain(receiver, 0.3)]


def _drain(receiver: socket.socket, patience_s: float) -> list[int]:
    receiver.settimeout(patience_s)
    arrived = []
    try:
        while True:
            arrived.append(int.from_bytes(receiver.recv(16), "big"))
    except TimeoutError:
        receiver.settimeout(10)
    return arrived


def test_a_clean_link_carries_everything_in_order(
    ends: tuple[namespaces.Link, socket.socket, socket.socket],
) -> None:
    link, server, client = ends
    assert send_and_count(link, client, server) == [*range(PACKETS), 0xFFFFFFFF]


def test_loss_of_one_direction_spares_the_other(ends: tuple[namespaces.Link, socket.socket, socket.socket]) -> None:
    link, server, client = ends
    link.relay.impair(down=Profile(loss=0.2))
    received = send_and_count(link, server, client)
    lost = PACKETS + 1 - len(received)
    assert lost == link.relay.tallies()["down"].lost
    assert lost / PACKETS == pytest.approx(0.2, abs=0.05)
    assert link.relay.tallies()["up"].lost == 0


def test_duplicates_and_reordering_happen_on_the_wire(
    ends: tuple[namespaces.Link, socket.socket, socket.socket],
) -> None:
    link, server, client = ends
    link.relay.impair(up=Profile(duplicate=0.1, reorder=0.1, reorder_ms=5))
    received = send_and_count(link, client, server)
    tally = link.relay.tallies()["up"]
    assert len(received) == PACKETS + 1 + tally.duplicated
    assert tally.duplicated > 50
    assert received != sorted(received)


def test_delay_is_added(ends: tuple[namespaces.Link, socket.socket, socket.socket]) -> None:
    link, server, client = ends
    link.relay.impair(down=Profile(delay_ms=60), up=Profile(delay_ms=60))
    started = time.monotonic()
    client.send(b"there")
    server.recv(16)
    server.send(b"back")
    client.settimeout(10)
    client.recv(16)
    assert time.monotonic() - started >= 0.12


def test_a_token_bucket_limits_the_rate(ends: tuple[namespaces.Link, socket.socket, socket.socket]) -> None:
    link, server, client = ends
    link.server.limit("400kbit")
    client.settimeout(10)
    for _ in range(60):  # 60 kB, of which 16 go through at once
        server.send(bytes(1000))
    started = time.monotonic()
    received = len(_drain(client, 1.0))
    assert received < 60  # the bucket holds 16 kB and its queue 300 ms: the rest was dropped
    assert time.monotonic() - started >= 0.3
    link.server.unlimit()


def test_nothing_is_left_behind() -> None:
    with namespaces.link() as link:
        process = subprocess.Popen(link.server.command(sys.executable, "-c", "import time; time.sleep(600)"))
        inside = process.pid
        assert link.server.name in _names()
    assert process.wait(10) != 0, inside
    assert link.server.name not in _names()
    assert link.client.name not in _names()


def _names() -> str:
    return subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
