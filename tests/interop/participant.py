"""A participant that nobody here wrote the WebRTC of: aiortc over the real client protocol."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from fractions import Fraction
from urllib.parse import urldefrag, urljoin

import aiohttp
import av
import numpy as np
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamTrack, VideoStreamTrack

from signaling import messages as s

AUDIO_RATE = 48_000
PATIENCE_S = 30.0


class Colour(VideoStreamTrack):
    """A camera that looks at one colour, 320 x 240, 30 pictures/s."""

    def __init__(self, red: int, green: int, blue: int) -> None:
        super().__init__()
        self._picture = np.full((240, 320, 3), (red, green, blue), np.uint8)

    async def recv(self) -> av.VideoFrame:
        """Return the next picture when it is time."""
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame.from_ndarray(self._picture, format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = pts, time_base
        return frame


class Voice(AudioStreamTrack):
    """A microphone that hears a sound (int16[n], 48 kHz) over and over."""

    def __init__(self, samples: np.ndarray) -> None:
        super().__init__()
        self._samples = samples
        self._at = 0

    async def recv(self) -> av.AudioFrame:
        """Return the next 20 ms when it is time."""
        await super().recv()  # keeps the time
        count = AUDIO_RATE // 50
        samples = self._samples.take(range(self._at, self._at + count), mode="wrap")[np.newaxis]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.pts, frame.sample_rate, frame.time_base = self._at, AUDIO_RATE, Fraction(1, AUDIO_RATE)
        self._at += count
        return frame


class Tone(Voice):
    """A microphone that hears one tone."""

    def __init__(self, frequency_hz: int) -> None:
        phase = 2 * np.pi * frequency_hz * np.arange(AUDIO_RATE) / AUDIO_RATE  # one second: whole periods
        super().__init__((np.sin(phase) * 10_000).astype(np.int16))


class Participant:
    """One person in a room. `received` holds aiortc's tracks by publication."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.welcome: s.Welcome | None = None
        self.messages: list[s.ServerMessage] = []
        self.received: dict[str, MediaStreamTrack] = {}
        self._changed = asyncio.Condition()
        self._publisher: RTCPeerConnection | None = None
        self._subscriber: RTCPeerConnection | None = None
        self._subscriber_peer = ""
        self._generation = 0

    async def send(self, message: s.ClientMessage) -> None:
        """Say something to the server."""
        await self._socket.send_str(s.encode(message))

    async def publish(self, **tracks: MediaStreamTrack) -> list[str]:
        """Publish tracks by source (`camera`, `microphone`, …); return the names of the publications."""
        publisher = self._publisher = RTCPeerConnection()
        sources = {track: source for source, track in tracks.items()}
        for track in tracks.values():
            publisher.addTransceiver(track, direction="sendonly")
        await publisher.setLocalDescription(await publisher.createOffer())
        published = [
            s.PublishedTrack(transceiver.mid, sources[transceiver.sender.track])
            for transceiver in publisher.getTransceivers()
        ]
        self._generation += 1
        number = self._generation
        sdp = publisher.localDescription.sdp
        await self.send(s.Publish(number, sdp, published, self._generation))
        answer = await self.wait(lambda m: isinstance(m, s.PublishAnswer | s.Error) and m.id == number)
        assert isinstance(answer, s.PublishAnswer), answer
        await publisher.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))
        return answer.publications

    async def wait(self, wanted: Callable[[s.ServerMessage], bool]) -> s.ServerMessage:
        """Return the first message, past or to come, that is wanted."""
        async with asyncio.timeout(PATIENCE_S), self._changed:
            while True:
                for message in self.messages:
                    if wanted(message):
                        return message
                await self._changed.wait()

    async def track(self, publication: str) -> MediaStreamTrack:
        """Return the track of a publication once it is being received."""
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(lambda: publication in self.received)
        return self.received[publication]

    async def listen(self) -> None:
        """Read until the socket ends."""
        async for frame in self._socket:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                continue
            message = s.decode_server(frame.data)
            if isinstance(message, s.Welcome):
                self.welcome = message
            elif isinstance(message, s.SubscriberOffer):
                await self._answer(message)
            async with self._changed:
                self.messages.append(message)
                self._changed.notify_all()

    async def close(self) -> None:
        """Close both peer connections."""
        for peer in (self._publisher, self._subscriber):
            if peer is not None:
                await peer.close()

    async def _answer(self, offer: s.SubscriberOffer) -> None:
        if offer.peer != self._subscriber_peer:
            self._subscriber = RTCPeerConnection()
            self._subscriber_peer = offer.peer
        subscriber = self._subscriber
        assert subscriber is not None
        await subscriber.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
        await subscriber.setLocalDescription(await subscriber.createAnswer())
        await self.send(s.SubscriberAnswer(offer.peer, offer.revision, subscriber.localDescription.sdp))
        by_mid = {transceiver.mid: transceiver for transceiver in subscriber.getTransceivers()}
        for track in offer.tracks:
            self.received[track.publication] = by_mid[track.mid].receiver.track


@asynccontextmanager
async def entered(link: str, name: str) -> AsyncIterator[Participant]:
    """Enter a visit by a link (`…/v/VISIT#TOKEN`), or by the link that creates one; be in it while the block lasts."""
    async with aiohttp.ClientSession() as session:
        if "/new/" in link:
            async with session.get(link, allow_redirects=False) as response:
                assert response.status == 303
                link = urljoin(link, response.headers["Location"])
        page, token = urldefrag(link)
        async with session.ws_connect(urljoin(page, "/signal")) as socket:
            participant = Participant(socket)
            listening = asyncio.create_task(participant.listen(), name=f"{name} listens")
            try:
                await participant.send(s.Join(token, name))
                await participant.wait(lambda message: isinstance(message, s.Welcome))
                yield participant
                with contextlib.suppress(ConnectionError):  # whose visit was ended has left already
                    await participant.send(s.Leave())
            finally:
                # First stop listening: the offers that follow others' leaving must not meet a closed peer connection.
                # What went wrong while the block lasted is not hidden by that.
                if listening.done():
                    failure = listening.exception()
                else:
                    failure = None
                    listening.cancel()
                    await asyncio.wait([listening])
                await participant.close()
                await socket.close()
                if failure is not None:
                    raise failure
