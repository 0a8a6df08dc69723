"""SDP fragments of trickled candidates and of ICE restarts (RFC 8840 section 9): text to values and back.

Candidates are checked for their form and otherwise left alone: an ICE-lite agent answers checks, it makes none.
"""

import re
from dataclasses import dataclass

from sfu.errors import NegotiationError

MEDIA_TYPE = "application/trickle-ice-sdpfrag"
MAX_CHARACTERS = 16_384
MAX_CANDIDATES = 100
_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_CANDIDATE = re.compile(
    r"[A-Za-z0-9+/]{1,32} \d{1,5} \S{1,16} \d{1,10} \S{1,255} \d{1,5} typ \S{1,32}( \S{1,64} \S{1,255})*"
)
"""RFC 8839 section 5.1."""


@dataclass(slots=True, frozen=True)
class IceFragment:
    """What a client says of its end of the transport."""

    ufrag: str
    password: str
    mids: list[str]
    candidates: list[str]


def parse(text: str) -> IceFragment:
    """Parse a fragment; raises NegotiationError("malformed")."""
    if len(text) > MAX_CHARACTERS:
        raise NegotiationError("malformed", "the fragment is too long")
    values: dict[str, list[str]] = {"ice-ufrag": [], "ice-pwd": [], "mid": [], "candidate": []}
    for line in text.replace("\r\n", "\n").rstrip("\n").split("\n"):
        name, _, value = line.removeprefix("a=").partition(":")
        if line.startswith("a="):
            if name in values:
                values[name].append(value)
        elif not line.startswith("m="):
            raise NegotiationError("malformed", "a fragment has a= and m= lines only")
    ufrags, passwords = set(values["ice-ufrag"]), set(values["ice-pwd"])
    if len(ufrags) != 1 or len(passwords) != 1:
        raise NegotiationError("malformed", "a fragment names one ice-ufrag and one ice-pwd")
    ufrag, password = ufrags.pop(), passwords.pop()
    if not _UFRAG.fullmatch(ufrag) or not _PASSWORD.fullmatch(password):
        raise NegotiationError("malformed", "the ice-ufrag or ice-pwd is none")
    candidates = values["candidate"]
    if len(candidates) > MAX_CANDIDATES or not all(_CANDIDATE.fullmatch(each) for each in candidates):
        raise NegotiationError("malformed", "a candidate is none, or there are too many")
    return IceFragment(ufrag, password, values["mid"], candidates)


def serialize(ufrag: str, password: str) -> str:
    """Return the fragment by which an ICE-lite agent answers a restart."""
    return f"a=ice-lite\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n"
