"""The media meeting place of one visit: what is offered in it and who speaks."""

from control.ids import PublicationId, RoomId
from sfu.rooms.publication import Publication
from sfu.rooms.speaker import Speakers


class Room:
    """Publications and voices of one room; peers and pipes find it by its name."""

    def __init__(self, room: RoomId) -> None:
        self.id = room
        self.publications: dict[PublicationId, Publication] = {}
        self.speakers = Speakers()
