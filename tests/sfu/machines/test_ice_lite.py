"""ICE-lite: who is answered, who is not, and what that changes."""

from secrets import token_bytes

from hypothesis import given
from hypothesis import strategies as st

from sfu.machines.ice_lite import MAX_PROOFS, MAX_TRANSACTIONS, IceLite, ufrag_of
from sfu.wire import stun

HOME, AWAY = ("192.0.2.1", 4000), ("198.51.100.9", 5000)
TRANSACTION = bytes(12)


def check(
    *, user: str = "ours:theirs", password: str = "secret", nominate: bool = True, transaction: bytes | None = None
) -> bytes:
    attributes = [(stun.USERNAME, user.encode()), (stun.PRIORITY, bytes(4))]
    if nominate:
        attributes.append((stun.USE_CANDIDATE, b""))
    return stun.serialize(stun.BINDING_REQUEST, transaction or token_bytes(12), attributes, password.encode())


def agent(*, settled: bool = False) -> IceLite:
    ice = IceLite("ours", "secret", token_bytes)
    ice.remote_ufrag, ice.remote_password = "theirs", "their secret"
    if settled:
        ice.receive(check(), HOME, 0.0)
        ice.settled = True
    return ice


def answer(request: bytes, *, password: str = "their secret") -> bytes:
    transaction = stun.parse(request).transaction_id
    mapped = [(stun.XOR_MAPPED_ADDRESS, stun.xor_address(HOME, transaction))]
    return stun.serialize(stun.BINDING_SUCCESS, transaction, mapped, password.encode())


def test_an_authenticated_check_is_answered_with_the_address_it_came_from() -> None:
    ice = agent()
    (reply,) = ice.receive(check(transaction=TRANSACTION), HOME, 0.0) or []
    message = stun.parse(reply)
    assert message.message_type == stun.BINDING_SUCCESS
    assert stun.has_integrity(reply, message, b"secret")
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
        check(user=""),
        without_integrity,
        good[:-1],
        good[:30] + b"\xff" + good[31:],
        b"",
        good[:20],
        *(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in range(len(good) - 8)),
    ]
    for data in forged:
        assert ice.receive(data, AWAY, 1.0) is None
    assert ice.selected == HOME


def test_a_message_with_a_wrong_fingerprint_or_one_that_is_not_last_is_dropped() -> None:
    good = check()
    wrong = good[:-1] + bytes([good[-1] ^ 1])
    length = (len(good) - 20 + 4).to_bytes(2, "big")
    assert agent().receive(wrong, HOME, 0.0) is None
    assert agent().receive(good[:2] + length + good[4:] + bytes(4), HOME, 0.0) is None
    assert agent().receive(good, HOME, 0.0) is not None


def test_attributes_behind_the_integrity_do_not_count() -> None:
    request = stun.serialize(stun.BINDING_REQUEST, TRANSACTION, [(stun.USERNAME, b"ours:theirs")], b"secret")[:-8]
    tail = stun.USE_CANDIDATE.to_bytes(2, "big") + bytes(2)
    longer = request[:2] + (len(request) - 20 + len(tail)).to_bytes(2, "big") + request[4:] + tail
    ice = agent()
    assert ice.receive(check(nominate=False), HOME, 0.0) is not None
    assert ice.receive(longer, AWAY, 0.0) is not None
    assert ice.selected == HOME


def test_the_first_of_doubled_attributes_counts() -> None:
    twice = [(stun.USERNAME, b"ours:theirs"), (stun.USERNAME, b"other:theirs")]
    assert agent().receive(stun.serialize(stun.BINDING_REQUEST, TRANSACTION, twice, b"secret"), HOME, 0.0)
    twice.reverse()
    assert agent().receive(stun.serialize(stun.BINDING_REQUEST, TRANSACTION, twice, b"secret"), HOME, 0.0) is None


def test_only_use_candidate_moves_the_transport() -> None:
    ice = agent()
    ice.receive(check(nominate=False), HOME, 0.0)
    ice.receive(check(nominate=False), AWAY, 0.0)
    assert ice.selected == HOME
    ice.receive(check(), AWAY, 1.0)
    assert ice.selected == AWAY
    ice.receive(check(nominate=False), HOME, 2.0)
    assert ice.selected == AWAY


def test_once_media_flows_a_new_address_proves_itself_by_answering_our_check() -> None:
    ice = agent(settled=True)
    reply, ours = ice.receive(check(), AWAY, 1.0) or []
    assert stun.parse(reply).message_type == stun.BINDING_SUCCESS
    request = stun.parse(ours)
    assert request.attributes[stun.USERNAME] == b"theirs:ours"
    assert stun.has_integrity(ours, request, b"their secret")
    assert ice.selected == HOME
    for forged in (answer(ours, password="wrong"), answer(check()), answer(ours)[:-9], ours):
        assert ice.receive(forged, AWAY, 1.1) is None
    assert ice.receive(answer(ours), ("203.0.113.5", 1), 1.1) is None
    assert ice.selected == HOME
    assert ice.receive(answer(ours), AWAY, 1.2) == []
    assert ice.selected == AWAY
    assert ice.receive(answer(ours), AWAY, 1.3) is None


def test_a_lost_check_of_ours_is_sent_again_but_not_for_every_request() -> None:
    ice = agent(settled=True)
    sent = [len(ice.receive(check(), AWAY, 1.0 + step / 1000) or []) - 1 for step in range(100)]
    assert sum(sent) == 2
    (_, last) = ice.receive(check(), AWAY, 2.0) or []
    ice.receive(answer(last), AWAY, 2.1)
    assert ice.selected == AWAY


def test_a_recorded_request_sent_from_elsewhere_gets_no_answer() -> None:
    ice = agent()
    recorded = check()
    assert ice.receive(recorded, HOME, 0.0)
    assert ice.receive(recorded, AWAY, 0.1) is None
    assert ice.receive(recorded, HOME, 0.2), "a retransmission of the browser itself is answered"
    assert ice.selected == HOME


def test_an_ancient_recording_does_not_move_media_either() -> None:
    ice = agent(settled=True)
    recorded = check()
    ice.receive(recorded, HOME, 0.0)
    for step in range(MAX_TRANSACTIONS):
        ice.receive(check(), HOME, step * 2.5)
    ice.receive(recorded, AWAY, 200.0)
    assert ice.selected == HOME


def test_consent_ends_when_no_authenticated_check_comes_from_the_address_in_use() -> None:
    ice = agent()
    assert not ice.expired(100.0, 15.0)
    ice.receive(check(), HOME, 100.0)
    ice.settled = True
    ice.receive(check(password="wrong"), HOME, 114.0)
    ice.receive(check(), AWAY, 114.0)
    assert not ice.expired(115.0, 15.0)
    assert ice.expired(115.1, 15.0)


def test_what_is_remembered_is_bounded() -> None:
    ice = agent(settled=True)
    for port in range(2000):
        ice.receive(check(), ("198.51.100.9", port), port / 100)
    assert len(ice._transactions) <= MAX_TRANSACTIONS
    assert len(ice._proofs) <= MAX_PROOFS


def test_the_ufrag_is_read_for_the_lookup() -> None:
    assert ufrag_of(check()) == "ours"
    assert ufrag_of(check(user="ours")) is None


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    assert agent().receive(data, AWAY, 0.0) is None
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
