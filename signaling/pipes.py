"""How one publication leaves the media plane: names, numbers and keys of a new pipe."""

import secrets

from control.ids import PipeId
from control.messages import PublicationStarted
from control.pipes import PipeSpec
from sfu.machines.payload_types import PAYLOAD_TYPES


def new_pipe(purpose: str, started: PublicationStarted) -> PipeSpec:
    """Return a pipe for a live publication, with keys of its own; `purpose` begins its name."""
    return PipeSpec(
        pipe=PipeId(f"{purpose}-{secrets.token_hex(8)}"),
        publication=started.publication,
        codec=started.codec,
        clock_rate=started.clock_rate,
        payload_type=PAYLOAD_TYPES[started.codec],
        ssrc=secrets.randbits(32) or 1,
        key=secrets.token_bytes(16),
        salt=secrets.token_bytes(12),
        channels=started.channels,
    )
