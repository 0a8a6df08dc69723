"""Roles as data: what each one may do in a room."""

from typing import Final

EVERYBODY = frozenset({"see_captions", "watch"})
SPEAKER = EVERYBODY | {"publish_audio", "publish_video", "publish_screen", "chat", "raise_hand"}
HOST = SPEAKER | {"mute", "remove", "record", "invite", "end", "view_recording"}

RIGHTS: Final[dict[str, frozenset[str]]] = {
    "judge": HOST,
    "clerk": HOST,
    "social_worker": HOST,
    "party": SPEAKER,
    "counsel": SPEAKER,
    "witness": SPEAKER,
    "interpreter": SPEAKER,
    "client": SPEAKER,
    "companion": SPEAKER,
    "observer": EVERYBODY,
    "public": EVERYBODY,
}
"""A role that is not here has no right at all."""

SOURCE_RIGHTS: Final[dict[str, str]] = {
    "microphone": "publish_audio",
    "camera": "publish_video",
    "screen": "publish_screen",
    "screen_audio": "publish_screen",
}


def rights_of(role: str) -> frozenset[str]:
    """Return the rights of a role."""
    return RIGHTS.get(role, frozenset())
