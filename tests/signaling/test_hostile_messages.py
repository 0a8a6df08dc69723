"""Messages that are nonsense, too large, too many or not allowed: a documented error, and everybody goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling import messages as s
from signaling.roles import RIGHTS
from tests.signaling.house import PATIENCE_S, Client, House, house, media_worker
from tests.signaling.offers import FFMPEG, crlf

DEEP = "[" * 50_000 + "]" * 50_000
NONSENSE = [
    "",
    "null",
    "[]",
    "{",
    '"ping"',
    "{}",
    '{"type":"nobody knows this"}',
    '{"type":7,"n":1}',
    '{"type":"ping"}',
    '{"type":"ping","n":"1"}',
    '{"type":"ping","n":1.5}',
    '{"type":"ping","n":NaN}',
    '{"type":"ping","n":-1}',
    '{"type":"ping","n":9007199254740992}',
    '{"type":"ping","n":' + "9" * 5000 + "}",
    '{"type":"ping","n":1,"more":1}',
    '{"type":"ping","n":1}{"type":"ping","n":2}',
    '{"type":"chat","text":""}',
    '{"type":"chat","text":"' + "x" * 2001 + '"}',
    '{"type":"chat","text":"\\ud800"}',
    '{"type":"set_muted","publication":"../../etc","muted":true}',
    '{"type":"set_muted","publication":"p","muted":1}',
    '{"type":"publish","id":1,"sdp":"v=0","tracks":[{"mid":"0","source":"roof"}]}',
    '{"type":"publish","id":1,"sdp":"' + "x" * 65_537 + '","tracks":[]}',
    json.dumps({"type": "publish", "id": 1, "sdp": "v=0", "tracks": [{"mid": "0", "source": "camera"}] * 9}),
    '{"type":"join","link":"x","name":"y"}',
    '{"type":"resume","session":"x","secret":"y","last":0}',
    '{"x":' + DEEP + ',"type":"ping"}',
    DEEP,
]


@asynccontextmanager
async def two(data: Path, role: str = "client") -> AsyncIterator[tuple[House, Client, Client]]:
    """A house with somebody hostile and an innocent host in one visit."""
    async with (
        house(data) as running,
        media_worker(running),
        running.joined("clerk", name="Innocent") as innocent,
        running.joined(role, name="Hostile") as hostile,
    ):
        yield running, hostile, innocent


async def test_nonsense_gets_an_error_twice_and_the_third_time_the_end(tmp_path: Path) -> None:
    async with house(tmp_path) as running, running.joined("clerk", name="Innocent") as innocent:
        for text in NONSENSE:
            async with running.joined(name="Hostile") as hostile:
                for fatal in (False, False, True):
                    await hostile.socket.send_str(text)
                    error = await hostile.error()
                    assert (error.code, error.fatal) == ("malformed", fatal), text[:80]
                    if not fatal:
                        await hostile.works()
                await hostile.ended()
        await innocent.works()


async def test_bytes_are_no_message(tmp_path: Path) -> None:
    async with two(tmp_path) as (_, hostile, innocent):
        for fatal in (False, False, True):
            await hostile.socket.send_bytes(b'{"type":"ping","n":1}')
            error = await hostile.error()
            assert (error.code, error.fatal) == ("malformed", fatal)
        await hostile.ended()
        await innocent.works()


async def test_whoever_does_not_begin_with_join_or_resume_is_sent_away(tmp_path: Path) -> None:
    async with house(tmp_path) as running:
        for first in (*NONSENSE[:8], '{"type":"ping","n":1}', '{"type":"leave"}', b"\0"):
            async with running.connected() as client:
                await (client.socket.send_bytes(first) if isinstance(first, bytes) else client.socket.send_str(first))
                error = await client.error()
                assert error.code in ("malformed", "not_joined")
                assert error.fatal
                assert await client.ended() == []


async def test_a_message_over_the_limit_closes_its_socket_and_no_other(tmp_path: Path) -> None:
    async with two(tmp_path) as (running, hostile, innocent):
        welcome = hostile.messages[0]
        assert isinstance(welcome, s.Welcome)
        await hostile.socket.send_str(" " * (s.MAX_MESSAGE_BYTES + 1))
        await hostile.ended()
        assert hostile.socket.close_code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
        await innocent.works()
        async with running.connected() as again:
            await again.send(s.Resume(welcome.session, welcome.secret, welcome.n))
            await again.wait(s.Resumed)
            await again.works()


async def test_a_flood_of_messages_closes_its_socket_and_no_other(tmp_path: Path) -> None:
    async with two(tmp_path) as (_, hostile, innocent):
        for number in range(2000):
            try:
                await hostile.send(s.Ping(number))
            except (ConnectionError, aiohttp.ClientError):
                break
        error = await hostile.error()
        assert (error.code, error.fatal) == ("too_fast", True)
        await innocent.works()


async def test_a_flood_of_lines_is_held_back_and_the_session_goes_on(tmp_path: Path) -> None:
    async with two(tmp_path) as (_, hostile, innocent):
        for number in range(15):
            await hostile.send(s.Chat(f"line {number}"))
        error = await hostile.error()
        assert (error.code, error.fatal) == ("too_fast", False)
        await hostile.works()
        await innocent.works()
        assert len([m for m in innocent.messages if isinstance(m, s.ChatAdded)]) < 15


async def test_a_wrong_version_is_told_to_reload(tmp_path: Path) -> None:
    async with house(tmp_path) as running, running.connected() as client:
        await client.send(s.Join(running.token(), "Anne", version=2))
        error = await client.error()
        assert (error.code, error.fatal) == ("version", True)


async def test_a_name_of_nothing_visible_is_refused_and_control_characters_are_taken_out(tmp_path: Path) -> None:
    async with house(tmp_path) as running:
        async with running.connected() as client:
            await client.send(s.Join(running.token(), "\u200b\u202e \n\t"))
            assert (await client.error()).code == "malformed"
        async with running.joined(name="Anne\r\na=x:\u202eRoy") as client:
            welcome = client.messages[0]
            assert isinstance(welcome, s.Welcome)
            assert welcome.participants[0].name == "Anne a=x: Roy"


async def test_a_page_of_another_origin_gets_no_socket(tmp_path: Path) -> None:
    async with house(tmp_path) as running:
        for origin in ("https://elsewhere.example", "null", "http://127.0.0.1:1", "//", "javascript:x", "http://[bad"):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with running.connected(Origin=origin):
                    pass
            assert refused.value.status == 403
        async with running.connected(Origin=running.url) as own:
            await own.send(s.Join(running.token(), "Anne"))
            await own.wait(s.Welcome)


async def test_a_link_of_an_unknown_maker_lets_nobody_in(tmp_path: Path) -> None:
    async with house(tmp_path) as running:
        token = running.token()
        for link, code in (
            ("", "link_invalid"),
            ("x" * 2000, "link_invalid"),
            (token[:-2], "link_invalid"),
            (running.token(expires_in_s=-1), "link_expired"),
        ):
            async with running.connected() as client:
                await client.send(s.Join(link, "Anne"))
                error = await client.error()
                assert (error.code, error.fatal) == (code, True)
        assert not running.signaling.rooms


# --- who may do what ------------------------------------------------------------------------------------------------

ROLES = [*RIGHTS, "an unknown role"]
DEMANDS: dict[str, str | None] = {
    "publish microphone": "publish_audio",
    "publish camera": "publish_video",
    "publish screen": "publish_screen",
    "publish screen_audio": "publish_screen",
    "chat": "chat",
    "raise_hand": "raise_hand",
    "lower another's hand": "mute",
    "raise another's hand": "nobody",
    "mute another": "mute",
    "unmute another": "nobody",
    "start_recording": "record",
    "stop_recording": "record",
    "remove_participant": "remove",
    "end_visit": "end",
    "ping": None,
    "select_layer": None,
    "subscriber_answer": None,
    "leave": None,
}
"""The right that each action needs; None: no right at all, "nobody": no right is enough."""


def test_every_message_has_a_line_in_the_table() -> None:
    tags = {message.__struct_config__.tag for message in s.ClientMessage.__args__} - {"join", "resume"}
    named = {name.split()[0] for name in DEMANDS} | {"set_muted"}
    assert tags <= named, "set_muted is `mute another`"


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_does_what_its_rights_say_and_nothing_else(tmp_path: Path, role: str) -> None:
    rights = RIGHTS.get(role, frozenset())
    async with house(tmp_path) as running, media_worker(running), running.joined("judge", name="Other") as other:
        await other.send(s.Publish(1, crlf(FFMPEG), [s.PublishedTrack("1", "camera")]))
        added = await other.wait(s.PublicationAdded)
        assert isinstance(added, s.PublicationAdded)
        them, theirs = added.publication.participant, added.publication.id
        await other.send(s.RaiseHand(True))
        await other.wait(s.ParticipantChanged)

        def message(action: str) -> s.ClientMessage:
            first, _, rest = action.partition(" ")
            if first == "publish":
                mid = "0" if rest in ("microphone", "screen_audio") else "1"
                return s.Publish(9, crlf(FFMPEG), [s.PublishedTrack(mid, rest)])  # type: ignore[arg-type]
            return {
                "chat": s.Chat("bonjour"),
                "raise_hand": s.RaiseHand(True),
                "lower another's hand": s.RaiseHand(False, them),
                "raise another's hand": s.RaiseHand(True, them),
                "mute another": s.SetMuted(theirs, True),
                "unmute another": s.SetMuted(theirs, False),
                "start_recording": s.StartRecording(9),
                "stop_recording": s.StopRecording(9),
                "remove_participant": s.RemoveParticipant(them),
                "end_visit": s.EndVisit(),
                "ping": s.Ping(9),
                "select_layer": s.SelectLayer(theirs, None),
                "subscriber_answer": s.SubscriberAnswer("somebody-else", 1, "v=0"),
                "leave": s.Leave(),
            }[action]

        allowed = [action for action, right in DEMANDS.items() if right is None or right in rights]
        refused = [action for action in DEMANDS if action not in allowed]
        async with running.joined(role, name="Somebody") as client:
            for action in refused:
                await client.send(message(action))
                error = await client.error()
                assert (error.code, error.fatal) == ("not_allowed", False), action
            await client.works()
            await other.works()
            assert running.signaling.rooms["visit"].publications[theirs].muted is False
        for action in allowed:
            if action in ("remove_participant", "end_visit"):
                continue  # these have tests of their own: they end what the others need
            async with running.joined(role, name="Somebody") as client:
                await client.send(message(action))
                if action == "leave":
                    await client.ended()
                    continue
                await client.works()
                codes = [m.code for m in client.messages if isinstance(m, s.Error)]
                assert "not_allowed" not in codes, action
                await client.send(s.Leave())


async def test_whoever_was_sent_out_can_do_nothing_more_and_not_come_back_as_before(tmp_path: Path) -> None:
    async with two(tmp_path) as (running, hostile, innocent):
        welcome = hostile.messages[0]
        assert isinstance(welcome, s.Welcome)
        await innocent.send(s.RemoveParticipant(welcome.participant))
        ended = await hostile.wait(s.Ended)
        assert isinstance(ended, s.Ended)
        assert ended.reason == "removed"
        await hostile.ended()
        async with running.connected() as again:
            await again.send(s.Resume(welcome.session, welcome.secret, welcome.n))
            assert (await again.error()).code == "resume_failed"


# --- taking a session up again --------------------------------------------------------------------------------------


async def test_a_session_is_not_taken_up_without_its_secret(tmp_path: Path) -> None:
    async with two(tmp_path) as (running, hostile, innocent):
        welcome, other = innocent.messages[0], hostile.messages[0]
        assert isinstance(welcome, s.Welcome)
        assert isinstance(other, s.Welcome)
        for secret in ("", "x", other.secret, welcome.secret[:-1], welcome.secret + "x", "é"):
            async with running.connected() as thief:
                await thief.send(s.Resume(welcome.session, secret, 1))
                error = await thief.error()
                assert (error.code, error.fatal) == ("resume_failed", True)
        await innocent.works()


async def test_of_two_sockets_that_resume_at_once_one_goes_on_and_the_other_is_told(tmp_path: Path) -> None:
    async with two(tmp_path) as (running, client, innocent):
        welcome = client.messages[0]
        assert isinstance(welcome, s.Welcome)
        async with running.connected() as first, running.connected() as second:
            resume = s.Resume(welcome.session, welcome.secret, welcome.n)
            await asyncio.gather(first.send(resume), second.send(resume))
            await asyncio.gather(first.wait(s.Resumed), second.wait(s.Resumed))
            ended = await client.wait(s.Ended)
            assert isinstance(ended, s.Ended)
            assert ended.reason == "replaced"
            await client.ended()
            loser, pending = await asyncio.wait(
                [asyncio.create_task(each.wait(s.Ended)) for each in (first, second)],
                return_when=asyncio.FIRST_COMPLETED,
                timeout=PATIENCE_S,
            )
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
            (told,) = [task.result() for task in loser]
            assert isinstance(told, s.Ended)
            assert told.reason == "replaced"
            assert len(running.signaling.rooms["visit"].sessions) == 2
        await innocent.works()


@pytest.mark.parametrize("last", [10_000, 9_007_199_254_740_991])
async def test_whoever_claims_to_have_heard_more_than_was_said_is_told_everything(tmp_path: Path, last: int) -> None:
    async with two(tmp_path) as (running, client, _):
        welcome = client.messages[0]
        assert isinstance(welcome, s.Welcome)
        async with running.connected() as again:
            await again.send(s.Resume(welcome.session, welcome.secret, last))
            told = await again.wait(s.Welcome)
            assert isinstance(told, s.Welcome)
            assert told.participant == welcome.participant
            await again.works()


async def test_a_session_that_was_away_for_too_long_is_gone_and_others_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signaling.room.RESUME_S", 0.0)
    async with house(tmp_path) as running, running.joined("clerk") as innocent:
        async with running.joined() as client:
            welcome = client.messages[0]
            assert isinstance(welcome, s.Welcome)
        left = await innocent.wait(s.ParticipantLeft)
        assert isinstance(left, s.ParticipantLeft)
        assert (left.participant, left.reason) == (welcome.participant, "lost")
        async with running.connected() as again:
            await again.send(s.Resume(welcome.session, welcome.secret, welcome.n))
            assert (await again.error()).code == "resume_failed"


# --- whatever it is -------------------------------------------------------------------------------------------------

TAGS = st.sampled_from(sorted(message.__struct_config__.tag for message in s.ClientMessage.__args__))
FIELDS = st.sampled_from(sorted({f for message in s.ClientMessage.__args__ for f in message.__struct_fields__}))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(FIELDS, VALUES, max_size=6), TAGS)
def test_any_object_is_a_message_or_a_decoding_error(fields: dict[str, object], tag: str) -> None:
    try:
        message = s.decode_client(json.dumps(fields | {"type": tag}))
    except msgspec.MsgspecError:
        return
    assert s.decode_client(s.encode(message)) == message


@given(st.text() | st.binary())
def test_any_text_or_bytes_are_a_message_or_a_decoding_error(data: str | bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        s.decode_client(data)
