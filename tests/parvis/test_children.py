"""Workers never outlive the process that started them."""

import os
import select
import signal
from pathlib import Path

from tests.browser.server import running

PATIENCE_MS = 20_000


def test_workers_end_when_parvis_is_killed(tmp_path: Path) -> None:
    with running(tmp_path, settings={"PARVIS_TRANSCRIPTION__ENABLED": "false"}) as server:
        workers = [os.pidfd_open(server.worker(command)) for command in ("media", "record")]
        server.process.send_signal(signal.SIGKILL)
        for worker in workers:
            ended = select.poll()
            ended.register(worker, select.POLLIN)
            assert ended.poll(PATIENCE_MS)
            os.close(worker)
