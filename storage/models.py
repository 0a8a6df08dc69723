"""The tables. Alembic's migrations in storage/migrations make and change them; nothing else does."""

from datetime import datetime

from sqlalchemy import JSON, Boolean, DateTime, Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The metadata of all tables."""


class VisitRow(Base):
    """A visit: one room, a way in, a life from creation to end."""

    __tablename__ = "visits"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    title: Mapped[str] = mapped_column(String(200), default="")
    language: Mapped[str] = mapped_column(String(8), default="fr")
    state: Mapped[str] = mapped_column(String(16), default="created")
    """`created`, `open`, `ended`."""
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class RecordingRow(Base):
    """One recording of a visit."""

    __tablename__ = "recordings"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    visit_id: Mapped[str] = mapped_column(ForeignKey("visits.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(String(16))
    """`active`, `stopped`, `failed`."""
    started_at_s: Mapped[float] = mapped_column(Float)
    duration_s: Mapped[float | None] = mapped_column(Float)
    problem: Mapped[str | None] = mapped_column(String(64))


class RecordingTrackRow(Base):
    """One file of a recording; see control.messages.RecordedTrack."""

    __tablename__ = "recording_tracks"

    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True)
    file: Mapped[str] = mapped_column(String(200), primary_key=True)
    publication: Mapped[str] = mapped_column(String(64))
    participant: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(80))
    source: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(8))
    codec: Mapped[str] = mapped_column(String(8))
    start_s: Mapped[float] = mapped_column(Float)
    duration_s: Mapped[float] = mapped_column(Float)
    bytes: Mapped[int] = mapped_column(Integer)
    complete: Mapped[bool] = mapped_column(Boolean, default=True)


class TranscriptSegmentRow(Base):
    """A final caption, kept. Times are Unix seconds of the server."""

    __tablename__ = "transcript_segments"
    __table_args__ = (Index("ix_transcript_visit_time", "visit_id", "start_at_s"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    visit_id: Mapped[str] = mapped_column(ForeignKey("visits.id", ondelete="CASCADE"))
    participant: Mapped[str] = mapped_column(String(64))
    publication: Mapped[str] = mapped_column(String(64))
    speaker: Mapped[str] = mapped_column(String(80))
    text: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(String(8))
    model: Mapped[str] = mapped_column(String(64))
    start_at_s: Mapped[float] = mapped_column(Float)
    end_at_s: Mapped[float] = mapped_column(Float)
    words: Mapped[list[dict[str, object]]] = mapped_column(JSON)
