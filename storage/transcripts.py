"""Transcripts as they are kept: final captions, each with its words."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import msgspec
from sqlalchemy import delete, exists, func, or_, select

from storage.database import Database
from storage.models import RecordingRow, TranscriptSegmentRow
from storage.visits import ensure


@dataclass(slots=True, frozen=True)
class SegmentWord:
    """One word with its time (Unix seconds) and probability (0 to 1)."""

    text: str
    start_at_s: float
    end_at_s: float
    probability: float


@dataclass(slots=True, frozen=True)
class Segment:
    """What somebody said, as it was understood. Times are Unix seconds."""

    id: str
    visit: str
    revision: int
    participant: str
    publication: str
    speaker: str
    text: str
    language: str
    model: str
    start_at_s: float
    end_at_s: float
    words: tuple[SegmentWord, ...] = ()


class Transcripts:
    """The table of segments. Every method raises StorageError when the database is out of reach."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, segments: Sequence[Segment]) -> None:
        """Keep segments, in one transaction. One that is kept already is replaced by a later revision only."""
        if not segments:
            return
        async with self._database.write() as session:
            for visit, at in {segment.visit: segment.start_at_s for segment in reversed(segments)}.items():
                await ensure(self._database, session, visit, at)
            for segment in segments:
                insert = self._database.insert(TranscriptSegmentRow).values(_values(segment))
                changed = {name: insert.excluded[name] for name in _values(segment) if name not in ("id", "visit_id")}
                await session.execute(
                    insert.on_conflict_do_update(
                        index_elements=["visit_id", "id"],
                        set_=changed,
                        where=insert.excluded.revision > TranscriptSegmentRow.revision,
                    )
                )

    async def forget_unrecorded(self, since_s: float, before_s: float) -> int:
        """Delete what was said between two times (Unix seconds) and in no recording; return how many segments went."""
        end = RecordingRow.started_at_s + func.coalesce(RecordingRow.duration_s, 0.0)
        recorded = (
            exists()
            .where(RecordingRow.visit_id == TranscriptSegmentRow.visit_id)
            .where(RecordingRow.started_at_s < TranscriptSegmentRow.end_at_s)
            .where(or_(RecordingRow.duration_s.is_(None), end > TranscriptSegmentRow.start_at_s))
        )
        async with self._database.write() as session:
            found = await session.execute(
                delete(TranscriptSegmentRow)
                .where(TranscriptSegmentRow.end_at_s.between(since_s, before_s), ~recorded)
                .returning(TranscriptSegmentRow.id)
                .execution_options(synchronize_session=False)
            )
            return len(found.all())

    async def between(self, visit: str, start_at_s: float, end_at_s: float) -> list[Segment]:
        """Return what was said in a visit during a time, also what only reaches into it, in the order of speaking."""
        query = (
            select(TranscriptSegmentRow)
            .where(
                TranscriptSegmentRow.visit_id == visit,
                TranscriptSegmentRow.start_at_s < end_at_s,
                TranscriptSegmentRow.end_at_s > start_at_s,
            )
            .order_by(TranscriptSegmentRow.start_at_s, TranscriptSegmentRow.id)
        )
        async with self._database.read() as session:
            return [_segment(row) for row in await session.scalars(query)]


def _values(segment: Segment) -> dict[str, object]:
    return {
        "visit_id": segment.visit,
        "id": segment.id,
        "revision": segment.revision,
        "participant": segment.participant,
        "publication": segment.publication,
        "speaker": _clean(segment.speaker),
        "text": _clean(segment.text),
        "language": segment.language,
        "model": segment.model,
        "start_at_s": segment.start_at_s,
        "end_at_s": segment.end_at_s,
        "words": [{**asdict(word), "text": _clean(word.text)} for word in segment.words],
    }


def _segment(row: TranscriptSegmentRow) -> Segment:
    words = msgspec.convert(row.words, tuple[SegmentWord, ...])
    return Segment(
        row.id, row.visit_id, row.revision, row.participant, row.publication, row.speaker, row.text, row.language,
        row.model, row.start_at_s, row.end_at_s, words,
    )  # fmt: skip


def _clean(text: str) -> str:
    return text.replace("\0", "")  # PostgreSQL keeps every character but this one
