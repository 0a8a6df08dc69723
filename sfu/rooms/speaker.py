"""Who speaks: from the audio levels that publishers send in clear in the RTP header (RFC 6464)."""

from control.ids import PublicationId
from sfu.rooms.publication import Publication

VOICE_DBOV = -50
"""A smoothed level above this is somebody speaking."""

HOLD_S = 0.8
"""A speaker stays one through pauses between words."""

ATTACK = 0.4
RELEASE = 0.08


class Speakers:
    """The voices of one room, loudest first."""

    def __init__(self) -> None:
        self._voiced_at: dict[PublicationId, float] = {}
        self._announced: list[PublicationId] = []

    def level(self, publication: Publication, level_dbov: int, now: float) -> None:
        """Note a packet's level, -127 (silence) to 0 dBov."""
        weight = ATTACK if level_dbov > publication.level_dbov else RELEASE
        publication.level_dbov = round(publication.level_dbov + (level_dbov - publication.level_dbov) * weight)
        if publication.level_dbov > VOICE_DBOV:
            self._voiced_at[publication.id] = now

    def remove(self, publication: PublicationId) -> None:
        """Forget a publication."""
        self._voiced_at.pop(publication, None)

    @property
    def now(self) -> list[PublicationId]:
        """Who spoke at the last poll, loudest first."""
        return self._announced

    def poll(self, publications: dict[PublicationId, Publication], now: float) -> list[PublicationId] | None:
        """Return the speakers if they changed since the last call, else None."""
        for publication, at in list(self._voiced_at.items()):
            if now - at > HOLD_S or publication not in publications:
                del self._voiced_at[publication]
        speakers = sorted(self._voiced_at, key=lambda name: -publications[name].level_dbov)
        if set(speakers) == set(self._announced):
            return None
        self._announced = speakers
        return speakers
