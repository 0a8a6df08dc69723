"""A child process: ended gently at first, and never left behind."""

import asyncio
import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
TERM_S = 5.0
"""How long a child may take to end by itself."""


async def end(process: asyncio.subprocess.Process) -> None:
    """Stop a child (SIGTERM, then SIGKILL) and wait for it; done already is no error."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), TERM_S)
    except TimeoutError:
        process.kill()
        await process.wait()


def end_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, however that happens.

    The child asks for it itself: what runs between fork and exec in a parent with several threads may wait forever for
    a lock that nobody will give back, and the parent with it.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before it was asked for
        sys.exit(1)
