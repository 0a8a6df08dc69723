"""FFmpeg as an encoder: its own WHIP muxer (through PyAV), in a process of its own, for it blocks the interpreter.

    python -m tests.interop.encoder URL TOKEN SECONDS [PROFILE [option=value …]]

A picture in one colour with a bar on top that grows by one pixel a frame, and a tone of 440 Hz: H.264 and Opus, as the
muxer demands.

It is given a certificate: an FFmpeg with GnuTLS before March 2026 makes itself one on secp224r1, a curve that RFC 8827
section 6.5 does not ask for, that RFC 8422 took out of TLS and that OpenSSL 4 has no more.
"""

from __future__ import annotations

import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sfu.machines.certificate import Certificate

COLOUR = (30, 160, 60)
FREQUENCY_HZ = 440
RATE = 48_000
FRAMES_PER_S = 30
WIDTH, HEIGHT = 640, 360


def main(url: str, token: str, seconds: str, profile: str = "baseline", *options: str) -> None:
    """Publish for some seconds, in real time."""
    chosen = {"authorization": token} | dict(option.split("=", 1) for option in options)
    made = Certificate.generate()
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder, "certificate.pem"), Path(folder, "key.pem")
        certificate.write_bytes(made.certificate.public_bytes(Encoding.PEM))
        key.write_bytes(made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        publish(url, float(seconds), profile, chosen | {"cert_file": str(certificate), "key_file": str(key)})


def publish(url: str, seconds: float, profile: str, options: dict[str, str]) -> None:
    """Encode (H.264 in a profile) and send in real time; say first at what time (Unix) the first picture was taken."""
    with av.open(url, "w", format="whip", options=options) as output:
        video = output.add_stream(
            "libx264",
            rate=FRAMES_PER_S,
            options={"preset": "superfast", "tune": "zerolatency", "bf": "0", "profile": profile},
        )
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.gop_size = FRAMES_PER_S
        audio = output.add_stream("libopus", rate=RATE, layout="stereo")
        audio.bit_rate = 64_000
        began, heard = time.monotonic(), 0
        print(time.time(), flush=True)
        for number in range(int(seconds * FRAMES_PER_S)):
            time.sleep(max(0.0, began + number / FRAMES_PER_S - time.monotonic()))
            picture = np.full((HEIGHT, WIDTH, 3), COLOUR, np.uint8)
            picture[:40, : number % WIDTH] = 255
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FRAMES_PER_S)
            output.mux(video.encode(frame))
            while heard * FRAMES_PER_S < number * RATE:
                phase = 2 * np.pi * FREQUENCY_HZ * np.arange(heard, heard + 960) / RATE
                samples = np.repeat((np.sin(phase) * 10_000).astype(np.int16), 2)[np.newaxis]
                sound = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
                sound.pts, sound.sample_rate, sound.time_base = heard, RATE, Fraction(1, RATE)
                output.mux(audio.encode(sound))
                heard += 960


if __name__ == "__main__":
    main(*sys.argv[1:])
