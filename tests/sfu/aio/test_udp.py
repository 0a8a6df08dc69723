"""The worker's socket: batches to many, segmented or not, with real sockets on the other side."""

import socket
from collections.abc import Iterator

import pytest

from sfu.aio.udp import UdpSocket
from sfu.rooms.outlet import Batch, Fanout, Outlet


@pytest.fixture(params=["127.0.0.1", "::1"])
def host(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def udp(host: str) -> Iterator[UdpSocket]:
    made = UdpSocket(host, 0)
    yield made
    made.close()


@pytest.fixture
def receivers(host: str) -> Iterator[list[socket.socket]]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(3)]
    for each in made:
        each.bind((host, 0))
        each.settimeout(5)
    yield made
    for each in made:
        each.close()


def batch(*runs: tuple[list[tuple[str, int]], list[bytes], int]) -> Batch:
    """Return a batch of runs: (addresses, what each of them gets, segment)."""
    made = Batch(1 << 20)
    for addresses, copies, segment in runs:
        made.runs.append((Fanout(addresses), made.used, len(copies[0]), segment))
        for copy in copies:
            made.buffer[made.used : made.used + len(copy)] = copy
            made.used += len(copy)
    return made


def test_a_batch_reaches_everybody_each_with_its_own_bytes(udp: UdpSocket, receivers: list[socket.socket]) -> None:
    addresses = [each.getsockname()[:2] for each in receivers]
    video = [bytes([number]) * 25 for number in range(3)]
    audio = [bytes([100 + number]) * 7 for number in range(2)]
    udp.send_batch(batch((addresses, video, 10), (addresses[:2], audio, 7)))
    for number, receiver in enumerate(receivers):
        assert [len(receiver.recv(100)) for _ in range(3)] == [10, 10, 5]
        if number < 2:
            assert receiver.recv(100) == audio[number]
    assert udp.counts["packets_sent"] == 11
    assert udp.counts["send_messages"] == 5
    assert udp.counts["send_calls"] == 1


def test_what_the_kernel_refuses_to_segment_is_sent_one_by_one(udp: UdpSocket, receivers: list[socket.socket]) -> None:
    addresses = [each.getsockname()[:2] for each in receivers]
    too_many = [bytes([number]) * 200 for number in range(3)]  # of one byte each: more than UDP_MAX_SEGMENTS
    udp.send_batch(batch((addresses, too_many, 1)))
    for number, receiver in enumerate(receivers):
        assert [receiver.recv(100) for _ in range(200)] == [bytes([number])] * 200
    assert udp.segmentation
    for _ in range(5):
        udp.send_batch(batch((addresses, too_many, 1)))
        for receiver in receivers:
            assert [len(receiver.recv(100)) for _ in range(200)] == [1] * 200
    assert not udp.segmentation
    udp.send_batch(batch((addresses, [bytes([number]) * 4 for number in range(3)], 2)))
    assert [receiver.recv(100) for receiver in receivers] == [bytes([number]) * 2 for number in range(3)]


def test_an_address_that_cannot_be_reached_does_not_hold_up_the_others() -> None:
    udp = UdpSocket("127.0.0.1", 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        addresses = [("255.255.255.255", 9), receiver.getsockname()]  # broadcast is not allowed to this socket
        udp.send_batch(batch((addresses, [b"one", b"two"], 3)))
        assert receiver.recv(100) == b"two"
        assert udp.counts["send_failures"] == 1
    udp.close()


def test_datagrams_come_with_their_senders_and_in_full_batches(udp: UdpSocket, receivers: list[socket.socket]) -> None:
    host = udp_host(receivers[0])
    for number in range(udp.full + 3):
        receivers[number % 3].sendto(b"x" * number, (host, udp.port))
    first, second, none = udp.receive(), udp.receive(), udp.receive()
    assert (len(first), len(second), len(none)) == (udp.full, 3, 0)
    for number, (data, address) in enumerate(first + second):
        assert data == b"x" * number
        assert address == receivers[number % 3].getsockname()[:2]


def test_an_outlet_without_batches_of_its_own_sends_copies_in_order() -> None:
    sent: list[tuple[bytes, int, tuple[str, int]]] = []

    class Wire(Outlet):
        def send(self, data: memoryview, segment: int, address: tuple[str, int]) -> None:
            sent.append((bytes(data), segment, address))

    Wire().send_batch(batch(([("a", 1), ("b", 2)], [b"12345", b"67890"], 3)))
    assert sent == [(b"12345", 3, ("a", 1)), (b"67890", 3, ("b", 2))]


def udp_host(receiver: socket.socket) -> str:
    return "::1" if receiver.family == socket.AF_INET6 else "127.0.0.1"
