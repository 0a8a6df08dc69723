"""Payload types of everything that Parvis sends: fixed, so that pipes and offers agree without a word."""

from typing import Final

from control.tracks import Codec

PAYLOAD_TYPES: Final[dict[Codec, int]] = {"opus": 111, "vp8": 96, "vp9": 98, "h264": 102, "av1": 45}
RTX_PAYLOAD_TYPES: Final[dict[Codec, int]] = {"vp8": 97, "vp9": 99, "h264": 103, "av1": 46}
CODEC_NAMES: Final[dict[Codec, str]] = {"opus": "opus", "vp8": "VP8", "vp9": "VP9", "h264": "H264", "av1": "AV1"}
"""As in a=rtpmap."""
