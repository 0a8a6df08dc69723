"""The libraries of transcription report nothing to their makers."""

import os
import subprocess
import sys
from pathlib import Path

LOOK = """
import os
from transcription.engine import Engine
from transcription.vad import open_session
open_session()
links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd") if number not in "012"]
print([os.readlink(link) for link in links if os.path.islink(link)])
"""


def test_the_voice_detector_keeps_no_record_for_reports_and_opens_no_connection(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", LOOK], env=environment, capture_output=True, text=True, check=True)
    assert list(tmp_path.rglob("*")) == []
    assert "socket" not in done.stdout
    assert "onnxruntime.db" not in done.stdout
