"""An ICE restart: new credentials and perhaps another network, while DTLS, keys and media go on."""

from __future__ import annotations

from control import messages as m
from control.ids import PeerId
from sfu.wire import stun
from tests.sfu.rooms.rig import DELTA, KEYFRAME, PASSWORD, Address, Rig

MOVED: Address = ("198.51.100.7", 7000)
THEIRS = "y" * 24


def restart(rig: Rig, ufrag: str = "fresh") -> m.IceCredentials:
    made = rig.do(m.RestartIce(PeerId("pub"), ufrag, THEIRS))
    assert isinstance(made, m.IceCredentials)
    return made


def check(rig: Rig, user: str, password: str, address: Address) -> list[stun.StunMessage]:
    """Send a nominating check and return the STUN messages that come back."""
    rig.publisher.give(rig.publisher.request(user=user, password=password), address)
    return [stun.parse(datagram) for datagram in rig.wire.take(address) if datagram[0] < 4]


def test_the_old_session_goes_on_until_the_first_check_of_the_new_one() -> None:
    rig = Rig()
    rig.keyframe()
    browser, old = rig.publisher, (f"{rig.publisher.ufrag}:theirs", rig.publisher.password)
    made = restart(rig)
    assert (made.ufrag, made.password) != (browser.ufrag, browser.password)
    assert check(rig, *old, browser.address)
    assert not check(rig, f"{made.ufrag}:theirs", made.password, browser.address), "their ufrag is another one now"
    assert check(rig, f"{made.ufrag}:fresh", made.password, browser.address)
    assert not check(rig, *old, browser.address)
    browser.send_rtp(102, 9000, DELTA)
    rig.tick()
    assert rig.subscriber.payloads() == [KEYFRAME, DELTA]


def test_media_moves_to_the_new_network_once_it_has_answered_under_the_new_credentials() -> None:
    rig = Rig()
    rig.keyframe()
    made = restart(rig)
    answer, challenge = check(rig, f"{made.ufrag}:fresh", made.password, MOVED)
    assert (answer.message_type, challenge.message_type) == (stun.BINDING_SUCCESS, stun.BINDING_REQUEST)
    assert challenge.attributes[stun.USERNAME] == f"fresh:{made.ufrag}".encode()
    mapped = stun.xor_address(("192.0.2.1", 9), challenge.transaction_id)
    proof = [(stun.XOR_MAPPED_ADDRESS, mapped)]
    for password in (PASSWORD, THEIRS):
        message = stun.serialize(stun.BINDING_SUCCESS, challenge.transaction_id, proof, password.encode())
        rig.publisher.give(message, MOVED)
    rig.publisher.give(rig.publisher.sealed(102, 9000, DELTA), MOVED)
    rig.tick(2.0)
    assert rig.subscriber.payloads() == [KEYFRAME, DELTA]
    assert rig.wire.take(MOVED), "what the server has to say goes there too"


def test_of_two_restarts_the_last_one_counts() -> None:
    rig = Rig()
    browser, old = rig.publisher, (f"{rig.publisher.ufrag}:theirs", rig.publisher.password)
    first, second = restart(rig, "one1"), restart(rig, "two2")
    assert not check(rig, f"{first.ufrag}:one1", first.password, browser.address)
    assert check(rig, *old, browser.address)
    assert check(rig, f"{second.ufrag}:two2", second.password, browser.address)


def test_nothing_is_remembered_of_a_peer_that_restarted_and_went() -> None:
    rig = Rig()
    before = len(rig.engine._roster._by_ufrag)
    for number in range(5):
        made = restart(rig, f"try{number}")
        if number % 2:
            assert check(rig, f"{made.ufrag}:try{number}", made.password, rig.publisher.address)
    assert len(rig.engine._roster._by_ufrag) <= before + 1
    rig.do(m.ClosePeer(PeerId("pub")))
    assert len(rig.engine._roster._by_ufrag) == before - 1


def test_a_peer_that_is_not_there_cannot_restart() -> None:
    rig = Rig()
    result = rig.engine.execute(m.RestartIce(PeerId("nobody"), "fresh", THEIRS), rig.now)
    assert isinstance(result, m.Failed)
    assert result.code == "not_found"
