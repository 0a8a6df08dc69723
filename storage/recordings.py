"""Recordings as they are kept: when they ran, which files they left."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import msgspec
from sqlalchemy import ColumnElement, delete, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.database import Database
from storage.models import RecordingRow, RecordingTrackRow
from storage.visits import ensure

RecordingState = Literal["active", "stopped", "failed"]


@dataclass(slots=True, frozen=True)
class Track:
    """One file of a recording; offsets are from its start, sizes in bytes."""

    file: str
    publication: str
    participant: str
    name: str
    source: str
    kind: str
    codec: str
    start_s: float
    duration_s: float
    bytes: int
    complete: bool


@dataclass(slots=True, frozen=True)
class Recording:
    """One recording with its files, which are known when it is over."""

    id: str
    visit: str
    state: RecordingState
    started_at_s: float
    """Unix seconds."""
    duration_s: float | None
    problem: str | None
    """Message key of what went wrong; the files are there nevertheless."""
    tracks: tuple[Track, ...] = ()


class Recordings:
    """The tables of recordings. Every method raises StorageError when the database is out of reach."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def started(self, recording: str, visit: str, started_at_s: float) -> None:
        """Note that a recording runs; one that is known stays as it is, over or not."""
        async with self._database.write() as session:
            await ensure(self._database, session, visit, started_at_s)
            await session.execute(
                self._database.insert(RecordingRow)
                .values(id=recording, visit_id=visit, state="active", started_at_s=started_at_s)
                .on_conflict_do_nothing()
            )

    async def stopped(self, recording: Recording) -> None:
        """Note how a recording ended, whatever was known of it before."""
        async with self._database.write() as session:
            await ensure(self._database, session, recording.visit, recording.started_at_s)
            end = {
                "state": recording.state,
                "started_at_s": recording.started_at_s,
                "duration_s": recording.duration_s,
                "problem": recording.problem,
            }
            await session.execute(
                self._database.insert(RecordingRow)
                .values(id=recording.id, visit_id=recording.visit, **end)
                .on_conflict_do_update(index_elements=["id"], set_=end)
            )
            await session.execute(delete(RecordingTrackRow).where(RecordingTrackRow.recording_id == recording.id))
            session.add_all(RecordingTrackRow(recording_id=recording.id, **asdict(track)) for track in recording.tracks)

    async def get(self, visit: str, recording: str) -> Recording | None:
        """Return a recording of that very visit, or None."""
        async with self._database.read() as session:
            row = await session.get(RecordingRow, recording)
            if row is None or row.visit_id != visit:
                return None
            return (await _with_tracks(session, [row]))[0]

    async def of_visit(self, visit: str) -> list[Recording]:
        """Return the recordings of a visit, the first one first."""
        return await self._select(RecordingRow.visit_id == visit)

    async def unsettled(self) -> list[Recording]:
        """Return the recordings whose end nobody has told, or only that the recorder is gone, with no files."""
        files = exists().where(RecordingTrackRow.recording_id == RecordingRow.id)
        lost = (RecordingRow.problem == "recorder_lost") & ~files
        return await self._select((RecordingRow.state == "active") | lost)

    async def _select(self, condition: ColumnElement[bool]) -> list[Recording]:
        async with self._database.read() as session:
            query = select(RecordingRow).where(condition).order_by(RecordingRow.started_at_s, RecordingRow.id)
            return await _with_tracks(session, (await session.scalars(query)).all())


async def _with_tracks(session: AsyncSession, rows: Sequence[RecordingRow]) -> list[Recording]:
    query = (
        select(RecordingTrackRow)
        .where(RecordingTrackRow.recording_id.in_([row.id for row in rows]))
        .order_by(RecordingTrackRow.start_s, RecordingTrackRow.file)
    )
    tracks: dict[str, list[Track]] = {row.id: [] for row in rows}
    for each in await session.scalars(query):
        tracks[each.recording_id].append(msgspec.convert(each, Track, from_attributes=True))
    return [
        Recording(
            row.id,
            row.visit_id,
            msgspec.convert(row.state, RecordingState),
            row.started_at_s,
            row.duration_s,
            row.problem,
            tuple(tracks[row.id]),
        )
        for row in rows
    ]
