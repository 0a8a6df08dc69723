"""Voice or not: Silero on a stream of 16 kHz sound, with memory for what is a beginning and what is an end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faster_whisper
import numpy as np
import onnxruntime

from transcription.audio import Samples

WINDOW = 512
"""Samples per decision: 32 ms at 16 kHz."""
CONTEXT = 64
BEGIN, END = 0.5, 0.35
"""Probabilities at which speech begins and at which it may end."""


class VoiceDetector:
    """One stream's voice probability, window by window. The session may be shared between streams."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._h = np.zeros((1, 1, 128), np.float32)
        self._c = np.zeros((1, 1, 128), np.float32)
        self._context = np.zeros(CONTEXT, np.float32)

    def probability(self, window: Samples) -> float:
        """Return the probability of speech in float32[512] samples, 16 kHz, -1..1."""
        data = np.concatenate([self._context, window])[None]
        output, self._h, self._c = self._session.run(None, {"input": data, "h": self._h, "c": self._c})
        self._context = window[-CONTEXT:]
        return float(np.asarray(output).ravel()[0])


def open_session() -> Any:
    """Load the model that faster-whisper brings along."""
    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    options.log_severity_level = 4
    path = Path(faster_whisper.__file__).parent / "assets" / "silero_vad_v6.onnx"
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"], sess_options=options)
