"""Offer and answer (RFC 9429, RFC 3264): what is agreed with a publisher, and what a subscriber is offered.

We are ICE-lite and the DTLS server (the client only towards an offer of `a=setup:passive`), everything is bundled on
one transport, RTCP is multiplexed. Nothing that a client wrote is copied into what others read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from control.tracks import Codec, TrackKind, TrackSource
from sfu.errors import NegotiationError
from sfu.machines.payload_types import CODEC_NAMES
from sfu.wire import sdp
from sfu.wire.rtp_extensions import AUDIO_LEVEL, MID, REPAIRED_RID, RID, TRANSPORT_SEQUENCE_NUMBER

if TYPE_CHECKING:
    from sfu.wire.sdp import Description, MediaSection, Payload

MAX_SECTIONS = 16
VIDEO_PREFERENCE: tuple[Codec, ...] = ("vp8", "vp9", "h264", "av1")
VIDEO_FEEDBACK = ("nack", "nack pli", "ccm fir", "goog-remb", "transport-cc")
EXTENSIONS = (AUDIO_LEVEL, MID, RID, REPAIRED_RID, TRANSPORT_SEQUENCE_NUMBER)
CLOCKS: dict[Codec, tuple[int, int]] = {"opus": (48_000, 2)}
VIDEO_CLOCK = (90_000, 1)
"""Clock rates (Hz) and channels: the codecs' registrations leave no choice."""
OPUS_FMTP = "minptime=10;useinbandfec=1;usedtx=1"
OFFERED_SETUPS = ("actpass", "active", "passive")
H264_FMTP = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
"""As H.264 is offered to browsers, whatever its profile: Chromium refuses a section that says High, and decodes it all
the same when the section says Constrained Baseline."""
STRONG_HASHES = ("sha-256", "sha-384", "sha-512")
SOURCE_KINDS: dict[TrackSource, TrackKind] = {
    "microphone": "audio",
    "screen_audio": "audio",
    "camera": "video",
    "screen": "video",
}


@dataclass(slots=True, frozen=True)
class LocalTransport:
    """Our end: ICE credentials, certificate fingerprint (SHA-256) and candidates (address, port, "udp")."""

    ufrag: str
    password: str
    fingerprint: str
    candidates: list[tuple[str, int, str]]


@dataclass(slots=True, frozen=True)
class RemoteTransport:
    """The browser's end."""

    ufrag: str
    password: str
    fingerprints: list[tuple[str, str]]
    is_dtls_server: bool = False
    """Whether it offered `a=setup:passive`, as some encoders do: the handshake is then ours to begin."""

    @property
    def setup(self) -> str:
        """Our a=setup in the answer."""
        return "active" if self.is_dtls_server else "passive"


@dataclass(slots=True, frozen=True)
class AgreedCodec:
    """A codec as the publisher will send it."""

    payload_type: int
    name: Codec
    clock_rate: int
    channels: int
    fmtp: str
    rtx_payload_type: int | None


@dataclass(slots=True, frozen=True)
class AgreedTrack:
    """One section of a publisher's offer that was accepted. `ssrcs` maps media to RTX SSRCs, if they were told."""

    mid: str
    source: TrackSource
    kind: TrackKind
    codecs: list[AgreedCodec]
    extensions: dict[str, int]
    rids: list[str]
    ssrcs: dict[int, int | None]


@dataclass(slots=True, frozen=True)
class PublisherAgreement:
    """The answer to a publisher, and what it means."""

    answer_sdp: str
    remote: RemoteTransport
    tracks: list[AgreedTrack]


@dataclass(slots=True, frozen=True)
class SendTrack:
    """What a subscriber's section carries."""

    mid: str
    kind: TrackKind
    codec: Codec
    payload_type: int
    rtx_payload_type: int | None
    clock_rate: int
    channels: int
    fmtp: str
    ssrc: int
    rtx_ssrc: int | None
    cname: str
    stream_id: str
    track_id: str
    sequence_extension: int | None
    """Id of the transport-wide sequence number's header extension; None: without congestion feedback."""


@dataclass(slots=True, frozen=True)
class SubscriberAgreement:
    """A subscriber's answer: `accepted` by mid."""

    remote: RemoteTransport
    accepted: dict[str, bool]
    gives_feedback: bool
    """Whether it will tell of the transport-wide sequence numbers."""


def answer_publisher(offer: str, *, local: LocalTransport, allowed: dict[str, TrackSource]) -> PublisherAgreement:
    """Answer a publisher's offer; sections whose mid is not in `allowed` are answered inactive.

    Raises NegotiationError.
    """
    description = _checked(offer, OFFERED_SETUPS)
    remote = _remote(description)
    answers: list[list[str]] = []
    tracks: list[AgreedTrack] = []
    for section in description.sections:
        source = allowed.get(section.mid)
        track = None
        if (
            source is not None
            and section.kind == SOURCE_KINDS[source]
            and section.direction in ("sendrecv", "sendonly")
        ):
            track = _agree(section, source)
        if track is None:
            answers.append(_rejected(section))
        else:
            tracks.append(track)
            answers.append(_accepted(section, track))
    return PublisherAgreement(_session(local, answers, remote.setup), remote, tracks)


class SubscriberSession:
    """The offers to one subscriber: sections are added and reused, never removed (RFC 9429 section 5.2.2)."""

    def __init__(self, local: LocalTransport) -> None:
        self._local = local
        self._version = 0
        self.kinds: list[TrackKind] = []
        """Kind of each section so far."""

    def offer(self, tracks: list[SendTrack | None]) -> str:
        """Return the offer; `tracks` by section, None for one that is not in use."""
        sections = []
        for position, track in enumerate(tracks):
            if position == len(self.kinds):
                if track is None:
                    raise ValueError("a new section needs a track")
                self.kinds.append(track.kind)
            sections.append(_unused(str(position), self.kinds[position]) if track is None else _sending(track))
        self._version += 1
        return _session(self._local, sections, "actpass", self._version)

    def answer(self, text: str) -> SubscriberAgreement:
        """Take the answer; raises NegotiationError."""
        description = _checked(text, ("active",))
        if len(description.sections) != len(self.kinds):
            raise NegotiationError("sdp_invalid", "the answer has other sections than the offer")
        accepted = {
            section.mid: section.port != 0 and section.direction in ("recvonly", "sendrecv")
            for section in description.sections
        }
        feedback = any(TRANSPORT_SEQUENCE_NUMBER in section.extensions for section in description.sections)
        return SubscriberAgreement(_remote(description), accepted, feedback)


@dataclass(slots=True, frozen=True)
class ViewerCodec:
    """A codec as a viewer offers to take it: its own numbers and parameters."""

    payload_type: int
    rtx_payload_type: int | None
    fmtp: str


@dataclass(slots=True, frozen=True)
class ViewerSection:
    """A section of a viewer's offer (WHEP). `codecs` in the viewer's order; none when it does not receive."""

    mid: str
    kind: str
    codecs: list[tuple[Codec, ViewerCodec]]
    offered: MediaSection

    @property
    def sequence_extension(self) -> int | None:
        """The viewer's id of the transport-wide sequence number; None when it has none that fits one byte."""
        identifier = self.offered.extensions.get(TRANSPORT_SEQUENCE_NUMBER, 0)
        return identifier if 0 < identifier < 15 else None

    def codec(self, name: Codec, fmtp: str) -> ViewerCodec | None:
        """Return how the viewer takes a codec; of several H.264 profiles that of `fmtp`, if it is among them."""
        found = [codec for known, codec in self.codecs if known == name]
        return next((codec for codec in found if _profile(codec.fmtp) == _profile(fmtp)), found[0] if found else None)


def viewer_sections(offer: str) -> tuple[RemoteTransport, list[ViewerSection]]:
    """Read a viewer's offer; raises NegotiationError."""
    description = _checked(offer, OFFERED_SETUPS)
    sections = []
    for section in description.sections:
        codecs = []
        if section.direction in ("recvonly", "sendrecv") and section.port:
            for payload in section.payloads.values():
                name = _codec(payload)
                if name is not None:
                    rtx = _rtx_of(section, payload.payload_type)
                    codecs.append((name, ViewerCodec(payload.payload_type, rtx, _safe(payload.fmtp))))
        sections.append(ViewerSection(section.mid, section.kind, codecs, section))
    return _remote(description), sections


def answer_viewer(
    local: LocalTransport,
    remote: RemoteTransport,
    sections: list[ViewerSection],
    choose: Callable[[ViewerSection], SendTrack | None],
) -> str:
    """Answer a viewer: `choose` gives what each section carries, or None."""
    answers = []
    for section in sections:
        track = choose(section)
        answers.append(_rejected(section.offered) if track is None else _sending(track))
    return _session(local, answers, remote.setup)


# --- reading ---------------------------------------------------------------------------------------------------------


def _checked(text: str, setups: tuple[str, ...]) -> Description:
    """Parse and hold the rules that every description must keep."""
    description = sdp.parse(text)
    sections = description.sections
    if not sections or len(sections) > MAX_SECTIONS:
        raise NegotiationError("sdp_invalid", f"there must be 1 to {MAX_SECTIONS} media sections")
    mids = [section.mid for section in sections]
    if (
        "" in mids
        or len(set(mids)) != len(mids)
        or any(len(m) > 16 or not m.isascii() or not m.isalnum() for m in mids)
    ):
        raise NegotiationError("sdp_invalid", "every media section needs a mid of its own")
    first = sections[0]
    if any(mid not in description.bundle for mid in mids if _section(sections, mid).port) or not description.bundle:
        raise NegotiationError("sdp_no_bundle", "all media must be bundled (BUNDLE)")
    if not _is_ice(first.ufrag, 4) or not _is_ice(first.password, 22):
        raise NegotiationError("sdp_no_ice", "there are no ICE credentials (RFC 8839 section 5.4)")
    if not [value for name, value in first.fingerprints if name in STRONG_HASHES]:
        raise NegotiationError("sdp_no_fingerprint", "there is no certificate fingerprint of SHA-256 or better")
    if first.setup not in setups:
        raise NegotiationError("sdp_wrong_setup", f"a=setup must be {' or '.join(setups)}")
    if any(s.kind in ("audio", "video") and s.port and not s.rtcp_mux for s in sections):
        raise NegotiationError("sdp_no_rtcp_mux", "RTCP must be multiplexed (rtcp-mux)")
    return description


def _is_ice(text: str, least: int) -> bool:
    """Return whether a text can be an ICE ufrag or password: printable ASCII of 4 or 22 to 256 characters."""
    return least <= len(text) <= 256 and text.isascii() and text.isprintable() and " " not in text and ":" not in text


def _section(sections: list[MediaSection], mid: str) -> MediaSection:
    return next(section for section in sections if section.mid == mid)


def _remote(description: Description) -> RemoteTransport:
    first = description.sections[0]
    fingerprints = [(n, value) for n, value in first.fingerprints if n in STRONG_HASHES]
    return RemoteTransport(first.ufrag, first.password, fingerprints, first.setup == "passive")


def _codec(payload: Payload) -> Codec | None:
    name = payload.name.lower()
    for codec, known in CODEC_NAMES.items():
        if name == known.lower():
            if (payload.clock_rate, payload.channels) != CLOCKS.get(codec, VIDEO_CLOCK):
                return None
            if codec == "h264" and "packetization-mode=1" not in payload.fmtp:
                return None
            if codec == "vp9" and "profile-id=" in payload.fmtp and "profile-id=0" not in payload.fmtp:
                return None
            return codec
    return None


def _rtx_of(section: MediaSection, payload_type: int) -> int | None:
    for payload in section.payloads.values():
        if payload.name.lower() == "rtx" and payload.fmtp.split(";")[0].strip() == f"apt={payload_type}":
            return payload.payload_type
    return None


def _agree(section: MediaSection, source: TrackSource) -> AgreedTrack | None:
    kind = SOURCE_KINDS[source]
    preference: tuple[Codec, ...] = ("opus",) if kind == "audio" else VIDEO_PREFERENCE
    for wanted in preference:
        for payload in section.payloads.values():
            if _codec(payload) == wanted:
                rtx = _rtx_of(section, payload.payload_type)
                fmtp = _safe(payload.fmtp)
                codec = AgreedCodec(payload.payload_type, wanted, payload.clock_rate, payload.channels, fmtp, rtx)
                extensions = {uri: i for uri, i in section.extensions.items() if uri in EXTENSIONS and i < 15}
                if kind == "video":
                    extensions.pop(AUDIO_LEVEL, None)
                repairs = set(section.fid.values())
                ssrcs = {ssrc: section.fid.get(ssrc) for ssrc in section.ssrcs if ssrc not in repairs}
                rids = section.rids[::-1] if kind == "video" else []
                return AgreedTrack(section.mid, source, kind, [codec], extensions, rids, {} if rids else ssrcs)
    return None


def _profile(fmtp: str) -> str:
    """Return the profile of H.264 in format parameters: the first byte of profile-level-id (RFC 6184 section 8.1)."""
    for part in fmtp.split(";"):
        name, _, value = part.strip().partition("=")
        if name == "profile-level-id":
            return value[:2].lower()
    return "42"


def _safe(parameters: str) -> str:
    """Return format parameters if they are made of harmless characters only, else nothing: others will read them."""
    harmless = all(c.isascii() and (c.isalnum() or c in "=;-_. ,") for c in parameters)
    return parameters if harmless and len(parameters) <= 200 else ""


# --- writing ---------------------------------------------------------------------------------------------------------


def _session(local: LocalTransport, sections: list[list[str]], setup: str, version: int = 1) -> str:
    """Put sections (their m= line first, then attributes) together; the first one carries the candidates."""
    mids = [next(line[6:] for line in s if line.startswith("a=mid:")) for s in sections if " 0 UDP" not in s[0]]
    lines = [
        "v=0", f"o=parvis 1 {version} IN IP4 127.0.0.1", "s=-", "t=0 0", "a=ice-lite",
        f"a=group:BUNDLE {' '.join(mids)}".rstrip(), "a=msid-semantic: WMS *",
    ]  # fmt: skip
    first = True
    for section in sections:
        lines += [section[0], "c=IN IP4 0.0.0.0"]
        if " 0 UDP" not in section[0]:
            lines += [
                "a=rtcp:9 IN IP4 0.0.0.0", f"a=ice-ufrag:{local.ufrag}", f"a=ice-pwd:{local.password}",
                f"a=fingerprint:sha-256 {local.fingerprint}", f"a=setup:{setup}", "a=rtcp-mux", "a=rtcp-rsize",
            ]  # fmt: skip
            if first:
                for position, (address, port, protocol) in enumerate(local.candidates):
                    priority = 126 << 24 | (65_535 - position) << 8 | 255
                    lines.append(f"a=candidate:{position + 1} 1 {protocol} {priority} {address} {port} typ host")
                lines.append("a=end-of-candidates")
                first = False
        lines += section[1:]
    return "\r\n".join(lines) + "\r\n"


def _rejected(section: MediaSection) -> list[str]:
    kind = section.kind if section.kind in ("audio", "video", "application") else "audio"
    if kind == "application":
        return [f"m=application 0 {section.protocol if section.protocol == 'UDP/DTLS/SCTP' else 'UDP/TLS/RTP/SAVPF'} 0",
                f"a=mid:{section.mid}"]  # fmt: skip
    payload = next(iter(section.payloads.values()), None)
    number = payload.payload_type if payload else 0
    lines = [f"m={kind} 9 UDP/TLS/RTP/SAVPF {number}", f"a=mid:{section.mid}", "a=inactive"]
    if payload is not None and payload.name.isalnum() and payload.name.isascii():
        lines.append(f"a=rtpmap:{number} {payload.name}/{payload.clock_rate}" + _channels(payload.channels))
    return lines


def _accepted(section: MediaSection, track: AgreedTrack) -> list[str]:
    codec = track.codecs[0]
    numbers = [codec.payload_type] + ([codec.rtx_payload_type] if codec.rtx_payload_type is not None else [])
    lines = [f"m={track.kind} 9 UDP/TLS/RTP/SAVPF {' '.join(map(str, numbers))}", f"a=mid:{track.mid}", "a=recvonly"]
    lines += [f"a=extmap:{identifier} {uri}" for uri, identifier in track.extensions.items()]
    lines.append(
        f"a=rtpmap:{codec.payload_type} {CODEC_NAMES[codec.name]}/{codec.clock_rate}{_channels(codec.channels)}"
    )
    fmtp = OPUS_FMTP if codec.name == "opus" else codec.fmtp
    if fmtp:
        lines.append(f"a=fmtp:{codec.payload_type} {fmtp}")
    offered = section.payloads[codec.payload_type].feedback
    lines += [f"a=rtcp-fb:{codec.payload_type} {f}" for f in VIDEO_FEEDBACK if f in offered]
    if codec.rtx_payload_type is not None:
        lines.append(f"a=rtpmap:{codec.rtx_payload_type} rtx/{codec.clock_rate}")
        lines.append(f"a=fmtp:{codec.rtx_payload_type} apt={codec.payload_type}")
    if track.rids:
        lines += [f"a=rid:{rid} recv" for rid in section.rids]
        lines.append(f"a=simulcast:recv {';'.join(section.rids)}")
    return lines


def _sending(track: SendTrack) -> list[str]:
    numbers = [track.payload_type] + ([track.rtx_payload_type] if track.rtx_payload_type is not None else [])
    lines = [
        f"m={track.kind} 9 UDP/TLS/RTP/SAVPF {' '.join(map(str, numbers))}", f"a=mid:{track.mid}", "a=sendonly",
        f"a=msid:{track.stream_id} {track.track_id}",
        f"a=rtpmap:{track.payload_type} {CODEC_NAMES[track.codec]}/{track.clock_rate}{_channels(track.channels)}",
    ]  # fmt: skip
    fmtp = OPUS_FMTP if track.codec == "opus" else track.fmtp
    if fmtp:
        lines.append(f"a=fmtp:{track.payload_type} {fmtp}")
    if track.sequence_extension is not None:
        lines.append(f"a=extmap:{track.sequence_extension} {TRANSPORT_SEQUENCE_NUMBER}")
        lines.append(f"a=rtcp-fb:{track.payload_type} transport-cc")
    if track.kind == "video":
        lines += [f"a=rtcp-fb:{track.payload_type} {feedback}" for feedback in ("nack", "nack pli", "ccm fir")]
    if track.rtx_payload_type is not None and track.rtx_ssrc is not None:
        lines.append(f"a=rtpmap:{track.rtx_payload_type} rtx/{track.clock_rate}")
        lines.append(f"a=fmtp:{track.rtx_payload_type} apt={track.payload_type}")
        lines.append(f"a=ssrc-group:FID {track.ssrc} {track.rtx_ssrc}")
    lines.append(f"a=ssrc:{track.ssrc} cname:{track.cname}")
    if track.rtx_ssrc is not None:
        lines.append(f"a=ssrc:{track.rtx_ssrc} cname:{track.cname}")
    return lines


def _unused(mid: str, kind: TrackKind) -> list[str]:
    number, codec = (111, "opus/48000/2") if kind == "audio" else (96, "VP8/90000")
    return [f"m={kind} 9 UDP/TLS/RTP/SAVPF {number}", f"a=mid:{mid}", "a=inactive", f"a=rtpmap:{number} {codec}"]


def _channels(channels: int) -> str:
    return f"/{channels}" if channels > 1 else ""
