"""`parvis bench forwarding`, small: the figures are there, nothing is lost, everything authenticates."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from parvis.cli import main

pytestmark = pytest.mark.slow


def measured(tmp_path: Path, *options: str) -> dict[str, Any]:
    """Run the command as an operator would and return its JSON."""
    path, drawing = tmp_path / "result.json", tmp_path / "plot.png"
    arguments = ["bench", "forwarding", "--subscribers", "3", "--seconds", "1"]
    assert main([*arguments, "--json", str(path), "--plot", str(drawing), *options]) == 0
    assert drawing.stat().st_size > 1000
    result: dict[str, Any] = json.loads(path.read_text())
    return result


def test_every_figure_is_there_in_both_modes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = measured(tmp_path)
    assert json.loads(capsys.readouterr().out) == result
    assert {"cpu_us_per_packet", "packets_forwarded", "loss_percent", "srtp_profile", "gso_segments_mean"} <= set(
        result
    )
    assert {"cpu", "cores", "kernel", "python", "load_average", "commit"} <= set(result["conditions"])
    modes = result["modes"]
    assert list(modes) == ["paced", "back_to_back"]
    for figures in modes.values():
        assert figures["srtp_profile"] == "AEAD_AES_128_GCM"
        assert figures["packets_forwarded"] > 300
        assert figures["packets_verified"] > 0


def test_clients_without_aes_gcm_are_served(tmp_path: Path) -> None:
    result = measured(tmp_path, "--profile", "sha1", "--back-to-back", "--audio")
    assert result["srtp_profile"] == "AES128_CM_HMAC_SHA1_80"
    assert result["packets_forwarded"] > 400


@pytest.mark.skipif(shutil.which("janus") is None, reason="this Debian has no janus (13 dropped it)")
def test_janus_can_be_measured_beside(tmp_path: Path) -> None:
    result = measured(tmp_path, "--back-to-back", "--compare", "janus")
    assert result["janus"]["back_to_back"]["packets_forwarded"] > 300
    assert result["janus_ratio"]["back_to_back"] > 0
