"""The session descriptions of the measuring endpoint: offer to publish, answer to receive, what the server says."""

from __future__ import annotations

from dataclasses import dataclass

from sfu.errors import NegotiationError
from sfu.wire import sdp
from sfu.wire.rtp_extensions import AUDIO_LEVEL, MID, TRANSPORT_SEQUENCE_NUMBER

AUDIO_PAYLOAD_TYPE, VIDEO_PAYLOAD_TYPE, RTX_PAYLOAD_TYPE = 111, 96, 97
MID_ID, TRANSPORT_SEQUENCE_ID, AUDIO_LEVEL_ID = 4, 3, 1


@dataclass(slots=True, frozen=True)
class RemoteDescription:
    """The server's transport."""

    ufrag: str
    password: str
    fingerprints: list[tuple[str, str]]
    address: tuple[str, int]
    """Its first UDP candidate on this machine's loopback, else its first one."""
    setup: str


@dataclass(slots=True, frozen=True)
class LocalEnd:
    """Our transport."""

    ufrag: str
    password: str
    fingerprint: str
    """SHA-256."""


@dataclass(slots=True, frozen=True)
class OfferedTrack:
    """One track to publish."""

    mid: str
    kind: str
    ssrc: int
    rtx_ssrc: int | None = None


def read(text: str) -> RemoteDescription:
    """Read the server's offer or answer; raises NegotiationError."""
    section = next((s for s in sdp.parse(text).sections if s.ufrag), None)
    if section is None:
        raise NegotiationError("sdp_no_ice", "the server's description has no ICE credentials")
    addresses = []
    for line in text.splitlines():
        if line.startswith("a=candidate:"):
            parts = line.split()
            if parts[2].lower() == "udp" and ":" not in parts[4]:
                addresses.append((parts[4], int(parts[5])))
    if not addresses:
        raise NegotiationError("sdp_no_candidates", "the server's description has no UDP candidate")
    address = next((a for a in addresses if a[0].startswith("127.")), addresses[0])
    return RemoteDescription(section.ufrag, section.password, section.fingerprints, address, section.setup)


def offer(local: LocalEnd, tracks: list[OfferedTrack], *, setup: str = "actpass") -> str:
    """Return an offer to send these tracks: Opus, and VP8 with RTX and transport-wide sequence numbers."""
    lines = _session([track.mid for track in tracks])
    for track in tracks:
        audio = track.kind == "audio"
        payload_type = AUDIO_PAYLOAD_TYPE if audio else VIDEO_PAYLOAD_TYPE
        formats = f"{payload_type}" if audio or track.rtx_ssrc is None else f"{payload_type} {RTX_PAYLOAD_TYPE}"
        lines += [f"m={track.kind} 9 UDP/TLS/RTP/SAVPF {formats}", *_transport(local, setup), f"a=mid:{track.mid}"]
        lines += [
            "a=sendonly",
            f"a=msid:bench {track.mid}",
            f"a=extmap:{MID_ID} {MID}",
            f"a=extmap:{TRANSPORT_SEQUENCE_ID} {TRANSPORT_SEQUENCE_NUMBER}",
        ]
        if audio:
            lines += [
                f"a=extmap:{AUDIO_LEVEL_ID} {AUDIO_LEVEL}",
                f"a=rtpmap:{payload_type} opus/48000/2",
                f"a=fmtp:{payload_type} minptime=10;useinbandfec=1",
            ]
        else:
            lines.append(f"a=rtpmap:{payload_type} VP8/90000")
            for feedback in ("nack", "nack pli", "ccm fir", "transport-cc"):
                lines.append(f"a=rtcp-fb:{payload_type} {feedback}")
            if track.rtx_ssrc is not None:
                lines += [
                    f"a=rtpmap:{RTX_PAYLOAD_TYPE} rtx/90000",
                    f"a=fmtp:{RTX_PAYLOAD_TYPE} apt={payload_type}",
                    f"a=ssrc-group:FID {track.ssrc} {track.rtx_ssrc}",
                    f"a=ssrc:{track.rtx_ssrc} cname:bench",
                ]
        lines.append(f"a=ssrc:{track.ssrc} cname:bench")
    return "\r\n".join(lines) + "\r\n"


def answer(local: LocalEnd, offered: str, *, feedback: bool = True) -> str:
    """Return an answer that receives everything that the server offers, with transport-wide feedback or without."""
    description = sdp.parse(offered)
    lines = _session([section.mid for section in description.sections if section.port])
    for section in description.sections:
        formats = " ".join(str(number) for number in section.payloads)
        port = 9 if section.port else 0
        direction = "recvonly" if section.direction in ("sendonly", "sendrecv") else "inactive"
        lines += [f"m={section.kind} {port} {section.protocol} {formats}", *_transport(local, "active")]
        lines += [f"a=mid:{section.mid}", f"a={direction}"]
        extensions = {uri: n for uri, n in section.extensions.items() if feedback or uri != TRANSPORT_SEQUENCE_NUMBER}
        lines += [f"a=extmap:{number} {uri}" for uri, number in extensions.items()]
        for payload in section.payloads.values():
            channels = f"/{payload.channels}" if payload.channels > 1 else ""
            lines.append(f"a=rtpmap:{payload.payload_type} {payload.name}/{payload.clock_rate}{channels}")
            if payload.fmtp:
                lines.append(f"a=fmtp:{payload.payload_type} {payload.fmtp}")
            lines += [f"a=rtcp-fb:{payload.payload_type} {feedback}" for feedback in payload.feedback]
    return "\r\n".join(lines) + "\r\n"


def _session(mids: list[str]) -> list[str]:
    return ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", f"a=group:BUNDLE {' '.join(mids)}"]


def _transport(local: LocalEnd, setup: str) -> list[str]:
    return [
        "c=IN IP4 0.0.0.0",
        f"a=ice-ufrag:{local.ufrag}",
        f"a=ice-pwd:{local.password}",
        f"a=fingerprint:sha-256 {local.fingerprint}",
        f"a=setup:{setup}",
        "a=rtcp-mux",
    ]
