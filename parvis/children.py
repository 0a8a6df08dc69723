"""The worker processes of `parvis serve`: started, started again when they die, ended with their parent."""

import asyncio
import logging
import os
import sys
import time

from control.process import end
from parvis.errors import CANNOT_START, StartError

logger = logging.getLogger(__name__)

FIRST_BACKOFF_S = 0.3
LAST_BACKOFF_S = 10.0
HEALTHY_S = 10.0


async def keep_running(command: str, environment: dict[str, str]) -> None:
    """Run `parvis COMMAND` as a child until cancelled, with growing pauses when it keeps dying.

    Raises StartError when the very first one finds that it cannot start: the operator reads why and mends it. Once one
    has started, the visits go on and wait for the next, whatever keeps it away.
    """
    backoff = FIRST_BACKOFF_S
    first = True
    while True:
        started = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "parvis",
            command,
            "--parent",
            str(os.getpid()),
            env=os.environ | environment,
        )
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            await end(process)
            raise
        if first and code == CANNOT_START:
            raise StartError("worker", command=command)
        first = False
        if time.monotonic() - started > HEALTHY_S:
            backoff = FIRST_BACKOFF_S
        logger.warning("parvis %s ended with %s; starting it again in %.1f s", command, code, backoff)
        await asyncio.sleep(backoff)
        backoff = min(LAST_BACKOFF_S, backoff * 2)
