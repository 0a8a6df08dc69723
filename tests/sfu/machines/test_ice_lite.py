"""ICE-lite: who is answered, who is not, and what that changes."""

from hypothesis import given
from hypothesis import strategies as st

from sfu.machines.ice_lite import IceLite, ufrag_of
from sfu.wire import stun

HOME, AWAY = ("192.0.2.1", 4000), ("198.51.100.9", 5000)
TRANSACTION = bytes(12)


def check(*, user: str = "ours:theirs", password: str = "secret", nominate: bool = True) -> bytes:
    attributes = [(stun.USERNAME, user.encode()), (stun.PRIORITY, bytes(4))]
    if nominate:
        attributes.append((stun.USE_CANDIDATE, b""))
    return stun.serialize(stun.BINDING_REQUEST, TRANSACTION, attributes, password.encode())


def agent() -> IceLite:
    ice = IceLite("ours", "secret")
    ice.remote_ufrag = "theirs"
    return ice


def test_an_authenticated_check_is_answered_with_the_address_it_came_from() -> None:
    ice = agent()
    (answer,) = ice.receive(check(), HOME, 0.0)
    message = stun.parse(answer)
    assert message.message_type == stun.BINDING_SUCCESS
    assert stun.has_integrity(answer, message, b"secret")
    assert stun.plain_address(message.attributes[stun.XOR_MAPPED_ADDRESS], TRANSACTION) == HOME
    assert ice.selected == HOME


def test_forged_checks_get_no_answer_and_move_nothing() -> None:
    ice = agent()
    ice.receive(check(), HOME, 0.0)
    good = check()
    without_integrity = good[:2] + b"\x00\x00" + good[4:20]
    forged = [
        check(password="wrong"),
        check(user="ours:other"),
        check(user="other:theirs"),
        check(user="ours"),
        without_integrity,
        good[:-1],
        good[:30] + b"\xff" + good[31:],
        b"",
        good[:20],
    ]
    for data in forged:
        assert ice.receive(data, AWAY, 1.0) == []
    assert ice.selected == HOME


def test_a_nominated_check_from_a_new_address_moves_the_transport() -> None:
    ice = agent()
    ice.receive(check(), HOME, 0.0)
    ice.receive(check(nominate=False), AWAY, 1.0)
    assert ice.selected == HOME
    ice.receive(check(), AWAY, 2.0)
    assert ice.selected == AWAY


def test_consent_ends_when_no_authenticated_check_comes() -> None:
    ice = agent()
    assert not ice.expired(100.0, 15.0)
    ice.receive(check(), HOME, 100.0)
    ice.receive(check(password="wrong"), HOME, 114.0)
    assert not ice.expired(115.0, 15.0)
    assert ice.expired(115.1, 15.0)


def test_the_ufrag_is_read_for_the_lookup() -> None:
    assert ufrag_of(check()) == "ours"
    assert ufrag_of(check(user="ours")) is None


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    assert agent().receive(data, AWAY, 0.0) == []
    ufrag_of(data)


def test_rfc_5769_sample_request_is_read_and_its_integrity_holds() -> None:
    request = bytes.fromhex(
        "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff"
        "80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
        "80280004e57a3bcf"
    )
    message = stun.parse(request)
    assert message.attributes[stun.USERNAME] == b"evtj:h6vY"
    assert stun.has_integrity(request, message, b"VOkJxbRl1RmTxUk/WvJxBt")
    assert not stun.has_integrity(request, message, b"another")
