"""Session descriptions (RFC 8866) as WebRTC uses them (RFC 9429): text to values. Knows no transport.

Only what the media plane decides on is read; the rest is ignored. Bad text raises NegotiationError("sdp_invalid").
"""

import re
from dataclasses import dataclass, field
from typing import Literal

from sfu.errors import NegotiationError

MAX_BYTES = 65_536
MAX_SECTIONS = 64
MAX_LINE = 4096
MAX_LAYERS = 4
MAX_FEEDBACK = 32
"""Lines of a=rtcp-fb that count for one payload type."""
_RID = re.compile(r"[A-Za-z0-9_-]{1,16}")
"""RFC 8851 section 10, no longer than what fits into a one-byte header extension."""


@dataclass(slots=True)
class Payload:
    """One payload type of a section: a=rtpmap, a=fmtp, a=rtcp-fb."""

    payload_type: int
    name: str = ""
    clock_rate: int = 0
    channels: int = 1
    fmtp: str = ""
    feedback: list[str] = field(default_factory=list)


@dataclass(slots=True)
class MediaSection:
    """One m= section."""

    kind: str
    port: int
    protocol: str
    mid: str = ""
    direction: Literal["sendrecv", "sendonly", "recvonly", "inactive"] = "sendrecv"
    payloads: dict[int, Payload] = field(default_factory=dict)
    extensions: dict[str, int] = field(default_factory=dict)
    rids: list[str] = field(default_factory=list)
    """RIDs that the describer sends."""
    ssrcs: list[int] = field(default_factory=list)
    fid: dict[int, int] = field(default_factory=dict)
    """Media SSRC to that of its retransmissions."""
    ufrag: str = ""
    password: str = ""
    fingerprints: list[tuple[str, str]] = field(default_factory=list)
    setup: str = ""
    rtcp_mux: bool = False


@dataclass(slots=True)
class Description:
    """A parsed session description."""

    sections: list[MediaSection]
    bundle: list[str]


def parse(text: str) -> Description:
    """Parse a session description; session-level transport attributes are copied into every section."""
    if len(text) > MAX_BYTES:
        raise NegotiationError("sdp_invalid", "the session description is too long")
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    if not lines or lines[0] != "v=0":
        raise NegotiationError("sdp_invalid", "a session description begins with v=0")
    session = MediaSection("session", 0, "")
    current = session
    sections: list[MediaSection] = []
    bundle: list[str] = []
    for line in lines:
        if len(line) > MAX_LINE or len(line) < 2 or line[1] != "=":
            raise NegotiationError("sdp_invalid", "a line of the session description is no line")
        try:
            if line.startswith("m="):
                kind, port, protocol, *formats = line[2:].split(" ")
                current = MediaSection(kind, int(port), protocol)
                if protocol.endswith("SAVPF"):
                    current.payloads = {int(f): Payload(int(f)) for f in formats if 0 <= int(f) < 128}
                sections.append(current)
                if len(sections) > MAX_SECTIONS:
                    raise NegotiationError("sdp_invalid", "too many media sections")
            elif line.startswith("a=group:BUNDLE"):
                bundle = line.split(" ")[1:]
            elif line.startswith("a="):
                _attribute(current, line[2:])
        except (ValueError, IndexError, UnicodeError) as error:
            raise NegotiationError("sdp_invalid", "a line of the session description makes no sense") from error
    for section in sections:
        section.ufrag = section.ufrag or session.ufrag
        section.password = section.password or session.password
        section.fingerprints = section.fingerprints or session.fingerprints
        section.setup = section.setup or session.setup
    return Description(sections, bundle)


def _attribute(section: MediaSection, attribute: str) -> None:
    name, _, value = attribute.partition(":")
    if name == "rtpmap":
        number, _, encoding = value.partition(" ")
        payload = section.payloads.get(int(number))
        if payload is not None:
            parts = encoding.split("/")
            payload.name, payload.clock_rate = parts[0], int(parts[1])
            payload.channels = int(parts[2]) if len(parts) > 2 else 1
    elif name == "fmtp":
        number, _, parameters = value.partition(" ")
        payload = section.payloads.get(int(number))
        if payload is not None:
            payload.fmtp = parameters
    elif name == "rtcp-fb":
        number, _, feedback = value.partition(" ")
        for payload in section.payloads.values():
            if len(payload.feedback) < MAX_FEEDBACK and (number == "*" or int(number) == payload.payload_type):
                payload.feedback.append(feedback)
    elif name in ("sendrecv", "sendonly", "recvonly", "inactive"):
        section.direction = name  # type: ignore[assignment]
    elif name == "mid":
        section.mid = value
    elif name == "extmap":
        number, uri = value.split(" ")[:2]
        identifier = int(number.partition("/")[0])
        if 0 < identifier < 256:
            section.extensions[uri] = identifier
    elif name == "rid":
        rid, direction = value.split(" ")[:2]
        if direction == "send" and len(section.rids) < MAX_LAYERS and rid not in section.rids and _RID.fullmatch(rid):
            section.rids.append(rid)
    elif name == "ssrc":
        ssrc = int(value.partition(" ")[0])
        if ssrc not in section.ssrcs and len(section.ssrcs) < 32 and 0 < ssrc < 1 << 32:
            section.ssrcs.append(ssrc)
    elif name == "ssrc-group" and value.startswith("FID "):
        media, repair = (int(part) for part in value.split(" ")[1:3])
        if len(section.fid) < 32 and 0 < media < 1 << 32 and 0 < repair < 1 << 32:
            section.fid[media] = repair
    elif name == "ice-ufrag":
        section.ufrag = value
    elif name == "ice-pwd":
        section.password = value
    elif name == "fingerprint":
        algorithm, _, digest = value.partition(" ")
        section.fingerprints.append((algorithm.lower(), digest.strip()))
    elif name == "setup":
        section.setup = value
    elif name == "rtcp-mux":
        section.rtcp_mux = True
