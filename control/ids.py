"""Names of things that cross process borders, as types: a mix-up is a type error, not a bug in a hearing."""

from typing import NewType

RoomId = NewType("RoomId", str)
"""The media meeting place of one visit."""

ParticipantId = NewType("ParticipantId", str)
"""One person's presence in a room; a person who leaves and comes back gets a new one."""

PublicationId = NewType("PublicationId", str)
"""One track (microphone, camera, screen) offered to a room."""

PeerId = NewType("PeerId", str)
"""One remote endpoint: ICE, DTLS and SRTP towards one browser."""

PipeId = NewType("PipeId", str)
"""One publication on its way out of the media plane to another worker."""

RecordingId = NewType("RecordingId", str)
"""One recording of a room, with one file per track."""

WorkerId = NewType("WorkerId", str)
"""One running worker process."""
