"""Session descriptions of real programs, as they came."""

from pathlib import Path

CHROMIUM_VIEWER = Path(__file__).with_name("chromium_viewer.sdp").read_bytes().decode()
"""Chromium: one section to receive sound, one to receive a picture, in every codec that it knows."""

FFMPEG = """\
v=0
o=FFmpeg 4489045141692799359 2 IN IP4 127.0.0.1
s=FFmpegPublishSession
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=ice-ufrag:15a4a42c
a=ice-pwd:7cdcf6e25587bbda3af448169101227a
a=fingerprint:sha-256 DC:73:11:A5:E6:70:67:D0:C3:7F:46:56:7D:90:47:A5:62:EA:BA:DD:EF:F1:B9:2A:58:9F:CF:C9:62:E2:01:E6
a=setup:passive
a=mid:0
a=sendonly
a=msid:FFmpeg audio
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=ssrc:2411534685 cname:FFmpeg
a=ssrc:2411534685 msid:FFmpeg audio
m=video 9 UDP/TLS/RTP/SAVPF 106 105
c=IN IP4 0.0.0.0
a=ice-ufrag:15a4a42c
a=ice-pwd:7cdcf6e25587bbda3af448169101227a
a=fingerprint:sha-256 DC:73:11:A5:E6:70:67:D0:C3:7F:46:56:7D:90:47:A5:62:EA:BA:DD:EF:F1:B9:2A:58:9F:CF:C9:62:E2:01:E6
a=setup:passive
a=mid:1
a=sendonly
a=msid:FFmpeg video
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:106 H264/90000
a=fmtp:106 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42000d
a=rtcp-fb:106 nack
a=rtpmap:105 rtx/90000
a=fmtp:105 apt=106
a=ssrc-group:FID 2411534686 2411534687
a=ssrc:2411534686 cname:FFmpeg
a=ssrc:2411534686 msid:FFmpeg video
"""
"""FFmpeg 8.1.2, its WHIP muxer: the DTLS server, no candidates, no header extensions."""


def crlf(text: str) -> str:
    """Return a description with the line ends of RFC 8866."""
    return text.replace("\n", "\r\n")
