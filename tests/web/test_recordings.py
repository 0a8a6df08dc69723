"""Recordings over HTTP: read by who holds a good link of that visit, whole or in parts, and by nobody else."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
from yarl import URL

from storage.recordings import Recording, Recordings, Track
from storage.transcripts import Segment, SegmentWord, Transcripts
from tests.signaling.house import House, house
from web.recordings import COOKIE, content_disposition

VISIT = "abcd-efgh-jkm"
OTHER = "abcd-efgh-jkn"
START = 1_795_000_000.0
DATA = bytes(range(256)) * 40
NAME = 'Zoé « L\'Écuyer » "Ann" <b> 日本 / ..'
CAMERA = Track("p1 caméra #1.webm", "p1-cam", "p1", NAME, "camera", "video", "vp8", 0.5, 60.0, len(DATA), True)
VOICE = Track("p1-mic.webm", "p1-mic", "p1", NAME, "microphone", "audio", "opus", 0.25, 61.0, 4, False)
SCREEN = Track("p1-screen.mkv", "p1-scr", "p1", NAME, "screen", "video", "h264", 10.0, 20.0, 4, True)
RECORDING = Recording("rec_1-A", VISIT, "failed", START, 62.0, "disk_full", (VOICE, CAMERA, SCREEN))
HELLO = Segment(
    "s1", VISIT, 1, "p1", "p1-mic", NAME, "Bonjour, <i>ça</i> va & vous ? --> oui", "fr", "base", START + 1.5,
    START + 3.25, (SegmentWord("Bonjour,", START + 1.5, START + 2, 0.75), SegmentWord("ça", START + 2, START + 3, 1)),
)  # fmt: skip


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[House]:
    """A house with one recording of a visit, its files and its transcript."""
    async with house(tmp_path) as it:
        await it.visits.create(VISIT, title="L'audience d'« Anaïs » & <fils>")
        await it.visits.create(OTHER)
        await Recordings(it.database).stopped(RECORDING)
        await Transcripts(it.database).add([HELLO])
        folder = tmp_path / "recordings" / RECORDING.id
        folder.mkdir(parents=True)
        (folder / CAMERA.file).write_bytes(DATA)
        (folder / SCREEN.file).write_bytes(b"mkv!")
        (folder / VOICE.file).write_bytes(b"opus")
        (folder / "manifest.json").write_text("{}")
        (folder.parent / "secret.webm").write_text("of somebody else")
        yield it


@pytest.fixture
async def reader(running: House) -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody who has come in by the host's link."""
    async with session(running) as http:
        assert await enter(http, running.token("social_worker", VISIT)) == (204, None)
        yield http


def session(running: House, **headers: str) -> aiohttp.ClientSession:
    jar = aiohttp.CookieJar(unsafe=True)  # a host that is an address
    return aiohttp.ClientSession(running.url, cookie_jar=jar, headers=headers)


async def enter(http: aiohttp.ClientSession, token: object, visit: str = VISIT) -> tuple[int, str | None]:
    async with http.post(f"/v/{visit}/enter", json={"link": token}) as answer:
        return answer.status, (await answer.json())["code"] if answer.status != 204 else None


def path(rest: str, visit: str = VISIT) -> str:
    return f"/v/{visit}/recordings/{RECORDING.id}/{rest}"


FILES = ["manifest.json", "transcript.vtt", "transcript.json", "tracks/p1-mic.webm"]


# --- the way in ------------------------------------------------------------------------------------------------------


async def test_a_good_link_becomes_a_cookie_of_this_visit_that_scripts_cannot_read(running: House) -> None:
    token = running.token("social_worker", VISIT)
    async with session(running) as http, http.post(f"/v/{VISIT}/enter", json={"link": token}) as answer:
        assert answer.status == 204
        cookie = SimpleCookie(answer.headers["Set-Cookie"])[COOKIE]
    assert (cookie.value, cookie["path"], cookie["samesite"]) == (token, f"/v/{VISIT}", "Strict")
    assert cookie["httponly"]
    assert not cookie["secure"], "the request came by plain HTTP"
    assert 3500 < int(cookie["max-age"]) <= 3600


@pytest.mark.parametrize("role", ["client", "observer", "public", "nobody"])
async def test_a_link_without_the_right_is_refused(running: House, role: str) -> None:
    async with session(running) as http:
        assert await enter(http, running.token(role, VISIT)) == (403, "not_allowed")
        async with http.get(path("manifest.json")) as answer:
            assert answer.status == 403


async def test_links_that_are_expired_forged_or_of_another_visit_are_refused(running: House) -> None:
    async with session(running) as http:
        assert await enter(http, running.token("judge", VISIT, expires_in_s=-1)) == (403, "link_expired")
        assert await enter(http, running.token("judge", OTHER)) == (403, "link_invalid")
        assert await enter(http, running.token("judge", VISIT)[:-2] + "AA") == (403, "link_invalid")
        assert await enter(http, "") == (403, "not_joined")


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"link": 7}', b'{"link": "a", "more": 1}', b"\xff", b'{"link'])
async def test_a_body_that_makes_no_sense_is_refused_in_the_readers_language(running: House, body: bytes) -> None:
    async with session(running, Cookie="language=en") as http:
        json_type = {"Content-Type": "application/json"}
        async with http.post(f"/v/{VISIT}/enter", data=body, headers=json_type) as answer:
            assert answer.status == 400
            assert await answer.json() == {"code": "malformed", "text": "The message received makes no sense."}
        async with http.post(f"/v/{VISIT}/enter", data=body) as answer:
            assert answer.status == 415, "a form of another site could be sent by a browser unasked"


@pytest.mark.parametrize("file", FILES)
async def test_without_a_good_cookie_no_file_is_given(running: House, file: str) -> None:
    expired = running.token("judge", VISIT, expires_in_s=-1)
    for token, code, text in (
        (None, "not_joined", "Il faut d'abord entrer dans la visite."),
        (expired, "link_expired", "Ce lien a expiré. Demandez-en un nouveau."),
        (running.token("judge", OTHER), "link_invalid", "Ce lien n'est pas valide."),
        (running.token("client", VISIT), "not_allowed", "Votre rôle ne le permet pas."),
    ):
        cookie = {"Cookie": f"{COOKIE}={token}"} if token else {}
        async with session(running, **cookie) as http, http.get(path(file)) as answer:
            assert answer.status == 403
            assert answer.content_type == "application/json"
            assert await answer.json() == {"code": code, "text": text}
            assert "no-store" in answer.headers["Cache-Control"]


async def test_the_right_for_one_visit_opens_nothing_of_another(running: House) -> None:
    async with session(running, Cookie=f"{COOKIE}={running.token('judge', OTHER)}") as http:
        for file in FILES:
            async with http.get(path(file, OTHER)) as answer:
                assert (answer.status, (await answer.json())["code"]) == (404, "not_found")
        async with http.get(f"/v/{OTHER}/recordings/{RECORDING.id}") as answer:
            assert answer.status == 404
            assert "Cette page n&#39;existe pas" in await answer.text()


# --- pages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["recordings", f"recordings/{RECORDING.id}", "recordings/unknown"])
async def test_who_has_no_cookie_gets_a_page_that_says_what_to_do_and_shows_nothing(running: House, page: str) -> None:
    async with session(running) as http, http.get(f"/v/{VISIT}/{page}") as answer:
        text = await answer.text()
        assert answer.status == 200
        assert "ouvrez le lien" in text
        assert "enter.js" in text
        assert "Anaïs" not in text
        assert RECORDING.id not in text.replace(f"/v/{VISIT}/{page}", "").replace(f"recordings%2F{RECORDING.id}", "")
    expired = running.token("judge", VISIT, expires_in_s=-1)
    cookie = f"{COOKIE}={expired}; language=en"
    async with session(running, Cookie=cookie) as http, http.get(f"/v/{VISIT}/{page}") as answer:
        assert "This link has expired" in await answer.text()


async def test_the_list_and_the_player_say_everything_in_both_languages(
    running: House, reader: aiohttp.ClientSession
) -> None:
    await Recordings(running.database).started("rec_2", VISIT, START + 1000)
    for language, expected, running_text in (
        ("fr", ["durée 1:02", "interrompu par une panne"], "Enregistrement en cours"),
        ("en", ["duration 1:02", "cut short by a fault"], "Recording"),
    ):
        reader.cookie_jar.update_cookies({"language": language})
        async with reader.get(f"/v/{VISIT}/recordings") as answer:
            text = await answer.text()
        assert "L&#39;audience d&#39;« Anaïs » &amp; &lt;fils&gt;" in text
        for words in [*expected, running_text, f"/v/{VISIT}/recordings/rec_1-A", "/recordings/rec_2"]:
            assert words in text
    reader.cookie_jar.update_cookies({"language": "fr"})
    async with reader.get(f"/v/{VISIT}/recordings/{RECORDING.id}") as answer:
        text = await answer.text()
        assert "no-store" in answer.headers["Cache-Control"]
    assert "Transcription automatique, non officielle" in text
    assert "Bonjour, &lt;i&gt;ça&lt;/i&gt; va &amp; vous ?" in text
    assert "<i>" not in text
    assert "il n&#39;y a plus de place" in text
    assert f'src="{path("tracks/p1%20cam%C3%A9ra%20%231.webm")}"' in text
    assert text.count("<video") == 2
    assert text.count("<audio") == 1
    async with reader.get(f"/v/{VISIT}/recordings/rec_2") as answer:
        assert "L&#39;enregistrement est en cours." in await answer.text()
    async with reader.get(f"/v/{VISIT}/recordings/unknown") as answer:
        assert answer.status == 404


async def test_a_visit_without_recordings_says_so(running: House) -> None:
    cookie = f"{COOKIE}={running.token('judge', OTHER)}"
    async with session(running, Cookie=cookie) as http, http.get(f"/v/{OTHER}/recordings") as answer:
        assert "Cette visite n&#39;a pas d&#39;enregistrement." in await answer.text()


# --- documents -------------------------------------------------------------------------------------------------------


async def test_the_manifest_has_tracks_and_words_with_offsets_from_the_start(reader: aiohttp.ClientSession) -> None:
    async with reader.get(path("manifest.json")) as answer:
        assert answer.content_type == "application/json"
        manifest = await answer.json()
    assert {name: value for name, value in manifest.items() if name not in ("notice", "tracks", "segments")} == {
        "id": RECORDING.id, "visit": VISIT, "title": "L'audience d'« Anaïs » & <fils>", "state": "failed",
        "started_at_s": START, "duration_s": 62.0, "problem": "disk_full",
    }  # fmt: skip
    assert manifest["notice"] == "Transcription automatique, non officielle"
    assert [track["file"] for track in manifest["tracks"]] == [VOICE.file, CAMERA.file, SCREEN.file]
    camera = manifest["tracks"][1]
    assert camera == {
        "file": CAMERA.file, "url": path("tracks/p1%20cam%C3%A9ra%20%231.webm"), "name": NAME, "participant": "p1",
        "publication": "p1-cam", "source": "camera", "kind": "video", "codec": "vp8", "start_s": 0.5,
        "duration_s": 60.0, "bytes": len(DATA), "complete": True,
    }  # fmt: skip
    assert manifest["segments"] == [
        {
            "id": "s1", "participant": "p1", "publication": "p1-mic", "speaker": NAME, "text": HELLO.text,
            "language": "fr", "start_s": 1.5, "end_s": 3.25,
            "words": [{"text": "Bonjour,", "start_s": 1.5, "end_s": 2.0, "probability": 0.75},
                      {"text": "ça", "start_s": 2.0, "end_s": 3.0, "probability": 1.0}],
        }
    ]  # fmt: skip
    async with reader.get(camera["url"]) as answer:
        assert await answer.read() == DATA


async def test_the_transcript_as_webvtt_names_speakers_and_says_that_it_is_automatic(
    reader: aiohttp.ClientSession,
) -> None:
    async with reader.get(path("transcript.vtt")) as answer:
        assert answer.content_type == "text/vtt"
        assert answer.charset == "utf-8"
        assert "attachment" in answer.headers["Content-Disposition"]
        text = await answer.text()
    assert text == (
        "WEBVTT - L'audience d'« Anaïs » & <fils>\n\n"
        "NOTE Transcription automatique, non officielle\n\n"
        "1\n00:00:01.500 --> 00:00:03.250\n"
        '<v Zoé « L\'Écuyer » "Ann" &lt;b&gt; 日本 / ..>Bonjour, &lt;i&gt;ça&lt;/i&gt; va &amp; vous ? → oui\n'
    )


async def test_the_transcript_as_json_has_its_words_and_says_that_it_is_automatic(
    reader: aiohttp.ClientSession,
) -> None:
    reader.cookie_jar.update_cookies({"language": "en"})
    async with reader.get(path("transcript.json")) as answer:
        assert "attachment" in answer.headers["Content-Disposition"]
        transcript = json.loads(await answer.read())
    assert transcript["notice"] == "Automatic transcription, not official"
    assert (transcript["recording"], transcript["started_at_s"]) == (RECORDING.id, START)
    assert [word["text"] for word in transcript["segments"][0]["words"]] == ["Bonjour,", "ça"]


async def test_what_was_said_outside_the_recording_is_not_in_its_transcript(
    running: House, reader: aiohttp.ClientSession
) -> None:
    words = [SegmentWord(word, START - 1 + n, START - 0.5 + n, 1.0) for n, word in enumerate(["avant", "pendant"])]
    before = replace(HELLO, id="s0", text="avant pendant", start_at_s=START - 1, end_at_s=START + 0.5,
                     words=tuple(words))  # fmt: skip
    no_words = replace(HELLO, id="s2", text="sans mots", start_at_s=START - 1, end_at_s=START + 0.5, words=())
    after = replace(HELLO, id="s3", text="après", start_at_s=START + 63, end_at_s=START + 64)
    await Transcripts(running.database).add([before, no_words, after])
    async with reader.get(path("manifest.json")) as answer:
        segments = (await answer.json())["segments"]
    assert [(segment["text"], segment["start_s"], segment["end_s"]) for segment in segments] == [
        ("pendant", 0.0, 0.5), (HELLO.text, 1.5, 3.25),
    ]  # fmt: skip


# --- files -----------------------------------------------------------------------------------------------------------


async def test_a_file_is_given_whole_or_in_the_part_that_is_asked_for(reader: aiohttp.ClientSession) -> None:
    url = path("tracks/p1%20cam%C3%A9ra%20%231.webm")
    async with reader.get(url) as answer:
        assert (answer.status, await answer.read()) == (200, DATA)
        assert answer.headers["Accept-Ranges"] == "bytes"
    size = len(DATA)
    for wanted, start, end in (
        ("0-0", 0, 1), ("1000-1999", 1000, 2000), ("-5", size - 5, size), ("10200-", 10200, size), ("9-99999", 9, size),
    ):  # fmt: skip
        async with reader.get(url, headers={"Range": f"bytes={wanted}"}) as answer:
            assert answer.status == 206
            assert await answer.read() == DATA[start:end]
            assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
            assert answer.content_type == "video/webm"
    async with reader.get(url, headers={"Range": f"bytes={len(DATA)}-"}) as answer:
        assert answer.status == 416
        assert answer.headers["Content-Range"] == f"bytes */{len(DATA)}"


async def test_each_file_has_its_media_type_and_a_name_that_people_understand(reader: aiohttp.ClientSession) -> None:
    for track, kind in ((CAMERA, "video/webm"), (VOICE, "audio/webm"), (SCREEN, "video/x-matroska")):
        async with reader.get(path(f"tracks/{quote(track.file)}")) as answer:
            assert answer.headers["Content-Type"] == kind
            assert answer.headers["Content-Disposition"].startswith("inline; filename=")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        async with reader.get(path(f"tracks/{quote(track.file)}"), params={"download": ""}) as answer:
            disposition = answer.content_disposition
            assert disposition is not None
            assert disposition.type == "attachment"
            assert disposition.filename is not None
            assert disposition.filename.startswith("Zoé « L'Écuyer » Ann b 日本 .. - ")


@pytest.mark.parametrize(
    "name",
    [
        "../secret.webm", "..%2Fsecret.webm", "%2e%2e%2fsecret.webm", "..%5Csecret.webm", "....//secret.webm",
        "%2Fetc%2Fpasswd", "/etc/passwd", "manifest.json", "unknown.webm", ".", "..", "%00", "p1-mic.webm%00.txt",
        "p1-mic.webm/", "P1-MIC.webm",
    ],
)  # fmt: skip
async def test_no_name_leads_to_a_file_that_is_no_track(reader: aiohttp.ClientSession, name: str) -> None:
    url = URL(str(reader._base_url).rstrip("/") + path(f"tracks/{name}"), encoded=True)
    async with reader.get(url) as answer:
        assert answer.status in (403, 404)
        assert b"somebody else" not in await answer.read()


async def test_a_track_whose_file_lies_elsewhere_or_is_gone_is_not_given(
    running: House, reader: aiohttp.ClientSession, tmp_path: Path
) -> None:
    folder = tmp_path / "recordings" / "rec_3"
    folder.mkdir()
    (folder / "link.webm").symlink_to(tmp_path / "secrets")
    (tmp_path / "secrets").write_text("secret")
    names = ["link.webm", "../secret.webm", "gone.webm"]
    tracks = tuple(replace(VOICE, file=name) for name in names)
    await Recordings(running.database).stopped(replace(RECORDING, id="rec_3", tracks=tracks))
    for name in ["link.webm", "..%2Fsecret.webm", "gone.webm"]:
        async with reader.get(f"/v/{VISIT}/recordings/rec_3/tracks/{name}") as answer:
            assert answer.status == 404


def test_a_file_name_with_any_characters_is_one_header_line() -> None:
    assert content_disposition("inline", 'a"b\r\nX: y/é.webm') == (
        "inline; filename=\"a b X y _.webm\"; filename*=UTF-8''a%20b%20X%20y%20%C3%A9.webm"
    )
    assert content_disposition("attachment", "../..") == "attachment; filename=\"parvis\"; filename*=UTF-8''parvis"


async def test_the_cookie_is_for_secure_connections_only_when_people_come_by_https(tmp_path: Path) -> None:
    async with house(tmp_path, public_url="https://visites.exemple.ca") as it:
        body = {"link": it.token("judge", VISIT)}
        async with session(it) as http, http.post(f"/v/{VISIT}/enter", json=body) as answer:
            assert "Secure" in answer.headers["Set-Cookie"]
