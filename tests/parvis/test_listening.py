"""A port that nobody chose gives way; a chosen one that is taken ends the start with the option's name."""

import socket
from collections.abc import Iterator

import pytest

from parvis.errors import StartError
from parvis.listening import listen


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "en_CA.UTF-8")


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def close(sockets: list[socket.socket]) -> None:
    for each in sockets:
        each.close()


def test_a_default_port_that_is_taken_gives_way_to_another(taken: int) -> None:
    sockets = listen("127.0.0.1", taken, "web.", chosen=False)
    assert sockets[0].getsockname()[1] != taken
    close(sockets)


def test_a_chosen_port_that_is_taken_is_an_error_that_names_the_option(taken: int) -> None:
    with pytest.raises(StartError, match=rf"port {taken} is in use: change the option web\.tls_port"):
        listen("127.0.0.1", taken, "web.tls_", chosen=True)


def test_everywhere_is_both_families_on_one_port() -> None:
    sockets = listen("::", 0, "web.tls_", chosen=False)
    port = sockets[0].getsockname()[1]
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        if family == socket.AF_INET6 and not socket.has_dualstack_ipv6():
            continue
        with socket.socket(family) as client:
            client.connect((address, port))
    close(sockets)


def test_an_address_of_another_machine_is_an_error_that_names_the_option() -> None:
    with pytest.raises(StartError, match=r"web\.host = '198\.51\.100\.1' is not an address of this machine"):
        listen("198.51.100.1", 0, "web.", chosen=True)
