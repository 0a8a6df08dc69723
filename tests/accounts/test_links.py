"""Join links cannot be forged, altered, used too early or too late."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from accounts.links import JoinLink, LinkError, LinkSigner

SIGNER = LinkSigner(b"secret")
NOW = 1_800_000_000
LINKS = st.builds(
    JoinLink,
    visit=st.text(max_size=40),
    role=st.text(max_size=20),
    subject=st.none() | st.text(max_size=40),
    not_before_s=st.integers(NOW - 1000, NOW),
    expires_s=st.integers(NOW, NOW + 1000),
    id=st.text(max_size=20),
)
LINK = JoinLink("visit", "client", None, NOW - 60, NOW + 60, "id")


def code_of(token: str, now: float = NOW, signer: LinkSigner = SIGNER) -> str:
    with pytest.raises(LinkError) as refused:
        signer.verify(token, now)
    return refused.value.code


@given(LINKS)
def test_a_link_grants_what_was_signed(link: JoinLink) -> None:
    token = SIGNER.sign(link)
    assert SIGNER.verify(token, NOW) == link
    assert token.isascii()
    assert not set(token) & set("+/=# ?&")
    assert code_of(token, signer=LinkSigner(b"other")) == "link_invalid"


def test_a_link_with_any_bit_altered_is_refused() -> None:
    token = SIGNER.sign(LINK)
    data = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for position in range(len(data)):
        for bit in range(8):
            altered = data[:position] + bytes([data[position] ^ 1 << bit]) + data[position + 1 :]
            assert code_of(urlsafe_b64encode(altered).decode().rstrip("=")) == "link_invalid"


def test_a_link_in_any_other_spelling_is_refused() -> None:
    token = SIGNER.sign(LINK)
    for position in range(len(token) + 1):
        for more in ("A", "=", "!", "\n", " ", "é", "\0"):
            assert code_of(token[:position] + more + token[position:]) == "link_invalid"
    for position in range(len(token)):
        assert code_of(token[:position]) == "link_invalid"
        for other in "AB-_":
            if token[position] != other:
                assert code_of(token[:position] + other + token[position + 1 :]) == "link_invalid"


@given(LINKS, LINKS, st.integers(0, 60))
def test_the_signature_of_one_link_is_none_of_another(first: JoinLink, second: JoinLink, cut: int) -> None:
    assume(first != second)
    one, other = (urlsafe_b64decode(token + "=" * (-len(token) % 4)) for token in map(SIGNER.sign, (first, second)))
    assert code_of(urlsafe_b64encode(one[:16] + other[16:]).decode().rstrip("=")) == "link_invalid"
    assert code_of(urlsafe_b64encode(one[: len(one) - 1 - cut % (len(one) - 1)]).decode().rstrip("=")) == "link_invalid"


@given(st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_-]{1,300}", fullmatch=True))
def test_anything_else_is_no_link(token: str) -> None:
    assert code_of(token) == "link_invalid"


@given(LINKS, st.integers(1, 10**9))
def test_a_link_is_good_from_its_first_to_its_last_second(link: JoinLink, seconds: int) -> None:
    token = SIGNER.sign(link)
    assert SIGNER.verify(token, link.not_before_s) == SIGNER.verify(token, link.expires_s) == link
    assert code_of(token, link.not_before_s - seconds) == "link_not_yet"
    assert code_of(token, link.expires_s + seconds) == "link_expired"


def test_a_link_of_great_length_is_refused_unread() -> None:
    assert code_of("A" * 1_000_000) == "link_invalid"
