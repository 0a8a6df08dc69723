"""What everything that travels over the control channel and the bus shares."""

import msgspec


class Struct(msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="type"):
    """What every message shares: immutable, tagged by `type`, unknown fields refused."""
