"""A child process: ended gently at first."""

import asyncio

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
