"""The tables. Alembic's migrations in storage/migrations make and change them; nothing else does.

Times are Unix seconds of the server, as everywhere in Parvis. What comes from outside is `Text`: PostgreSQL would
refuse what is longer than a `String`, SQLite would not.
"""

from sqlalchemy import JSON, BigInteger, Double, ForeignKey, Index, Integer, MetaData, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Of constraints and indexes: a later migration must be able to name them on every engine."""


class Base(DeclarativeBase):
    """The metadata of all tables."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {str: Text, float: Double}  # noqa: RUF012 - SQLAlchemy's own way


class VisitRow(Base):
    """A visit: one room, a way in, a life from creation to end."""

    __tablename__ = "visits"

    id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    language: Mapped[str]
    state: Mapped[str]
    """`created`, `open` (somebody has been in it), `ended` (for all; nobody enters again)."""
    created_at_s: Mapped[float]
    started_at_s: Mapped[float | None]
    ended_at_s: Mapped[float | None]


class RecordingRow(Base):
    """One recording of a visit."""

    __tablename__ = "recordings"

    id: Mapped[str] = mapped_column(primary_key=True)
    visit_id: Mapped[str] = mapped_column(ForeignKey("visits.id", ondelete="CASCADE"), index=True)
    state: Mapped[str]
    """`active`, `stopped`, `failed` (what was written until then stays)."""
    started_at_s: Mapped[float]
    duration_s: Mapped[float | None]
    problem: Mapped[str | None]


class RecordingTrackRow(Base):
    """One file of a recording; see control.tracks.RecordedTrack. Offsets are from the recording's start."""

    __tablename__ = "recording_tracks"

    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True)
    file: Mapped[str] = mapped_column(primary_key=True)
    publication: Mapped[str]
    participant: Mapped[str]
    name: Mapped[str]
    source: Mapped[str]
    kind: Mapped[str]
    codec: Mapped[str]
    start_s: Mapped[float]
    duration_s: Mapped[float]
    bytes: Mapped[int] = mapped_column(BigInteger)
    complete: Mapped[bool]


class TranscriptSegmentRow(Base):
    """A final caption, kept. Words are `{text, start_at_s, end_at_s, probability}`."""

    __tablename__ = "transcript_segments"
    __table_args__ = (Index(None, "visit_id", "start_at_s"),)

    visit_id: Mapped[str] = mapped_column(ForeignKey("visits.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(Integer)
    participant: Mapped[str]
    publication: Mapped[str]
    speaker: Mapped[str]
    text: Mapped[str]
    language: Mapped[str]
    model: Mapped[str]
    start_at_s: Mapped[float]
    end_at_s: Mapped[float]
    words: Mapped[list[dict[str, object]]] = mapped_column(JSON)
