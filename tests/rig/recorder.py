"""A recorder process of our own, with a control plane and a media worker's end of pipes around it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from struct import pack

from aiohttp import web

from control import messages as m
from control.ids import ParticipantId, PipeId, PublicationId, RecordingId, RoomId
from control.pipes import PipeSpec
from control.tracks import Codec, TrackSource
from sfu.machines.srtp import AEAD_AES_128_GCM, SrtpReceiver, SrtpSender
from sfu.units import Address, ntp_from_unix
from sfu.wire import rtcp
from signaling.workers import Worker, WorkerHub
from tests.rig import encoded
from tests.rig.encoded import Encoded

TOKEN = "token"
PATIENCE_S = 30.0
ROOM = RoomId("visit")


class Sender:
    """The media worker's end of one pipe: real SRTP over UDP, with the clock that the test wants."""

    def __init__(self, codec: Codec, address: Address, source: TrackSource) -> None:
        audio = codec == "opus"
        self.rate = 48_000 if audio else 90_000
        name = secrets.token_hex(4)
        self.spec = PipeSpec(
            PipeId(f"pipe-{name}"), PublicationId(f"pub-{name}"), codec, self.rate, 96, secrets.randbits(32) or 1,
            secrets.token_bytes(16), secrets.token_bytes(12), 2 if audio else 1,
        )  # fmt: skip
        self.source = source
        self._keyframes_asked = 0
        self._sender = SrtpSender(AEAD_AES_128_GCM, self.spec.key, self.spec.salt)
        self._receiver = SrtpReceiver(AEAD_AES_128_GCM, self.spec.key, self.spec.salt)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(address)
        self._socket.setblocking(False)
        self._seq = 100
        self._sent: dict[int, bytes] = {}

    def report(self, timestamp: int, at_s: float) -> None:
        """Send a sender report."""
        report = rtcp.SenderReport(self.spec.ssrc, ntp_from_unix(at_s), timestamp & 0xFFFFFFFF, 1, 1)
        self._socket.send(self._sender.protect_rtcp(report.serialize()))

    def frame(self, frame: Encoded, number: int, timestamp: int, lose: Sequence[int] = ()) -> None:
        """Send a frame's packets but those of the given positions."""
        cut = encoded.payloads(self.spec.codec, frame, number)
        for position, payload in enumerate(cut):
            self._seq += 1
            marker = 0x80 if position == len(cut) - 1 else 0
            header = pack("!BBHII", 0x80, marker | 96, self._seq & 0xFFFF, timestamp & 0xFFFFFFFF, self.spec.ssrc)
            buffer = bytearray(len(payload) + 60)
            length = self._sender.stream(self.spec.ssrc).seal_into(buffer, 0, header, payload, self._seq)
            if position not in lose:
                self._socket.send(buffer[:length])

    def wants_keyframe(self) -> bool:
        """Return whether the recorder has asked for a keyframe."""
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while True:
                data = self._socket.recv(2048)
                for packet in rtcp.parse(self._receiver.unprotect_rtcp(data)):
                    self._keyframes_asked += isinstance(packet, rtcp.Pli)
        return self._keyframes_asked > 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class Control:
    """The control plane as a recorder sees it."""

    def __init__(self, socket_path: Path, environment: Mapping[str, str]) -> None:
        self.hub = WorkerHub(TOKEN)
        self.notices: list[m.Notice] = []
        self._environment = environment
        self._socket_path = socket_path
        self._changed = asyncio.Condition()
        self._processes: list[asyncio.subprocess.Process] = []
        self.hub.on_notice = lambda _worker, notice: self._noticed(notice)
        self.hub.on_connected = lambda _worker: self._noticed(None)
        self.hub.on_lost = lambda _worker: self._noticed(None)

    def _noticed(self, notice: m.Notice | None) -> None:
        if notice is not None:
            self.notices.append(notice)
        asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(self._wake()))

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, question: Callable[[], object]) -> None:
        """Wait until a question about this control plane is answered with yes."""
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(lambda: bool(question()))

    async def recorder(self, prefix: Sequence[str] = (), **settings: str) -> Worker:
        """Start a recorder process and return it as a worker."""
        known = set(self.hub.workers)
        process = await asyncio.create_subprocess_exec(
            *prefix, sys.executable, "-m", "parvis", "record", env=os.environ | self._environment | settings
        )
        self._processes.append(process)
        await self.until(lambda: set(self.hub.workers) - known)
        (name,) = set(self.hub.workers) - known
        return self.hub.workers[name]

    async def kill(self, number: int = signal.SIGKILL) -> None:
        """End the newest recorder by a signal and wait for it."""
        process = self._processes[-1]
        process.send_signal(number)
        await process.wait()
        await self.until(lambda: not self.hub.workers)

    async def close(self) -> None:
        """End every process."""
        for process in self._processes:
            if process.returncode is None:
                process.kill()
                await process.wait()


@asynccontextmanager
async def control(data: Path) -> AsyncIterator[Control]:
    """Serve a control plane in a data folder while the block lasts."""
    environment = {"PARVIS_DATA": str(data), "PARVIS_CONTROL_TOKEN": TOKEN, "PARVIS_RECORDING__MINIMUM_FREE_MB": "1"}
    made = Control(data / "control.sock", environment)
    application = web.Application()
    application.add_routes([web.get("/control", made.hub.handle)])
    runner = web.AppRunner(application)
    await runner.setup()
    await web.UnixSite(runner, str(data / "control.sock")).start()
    try:
        yield made
    finally:
        await made.close()
        await runner.cleanup()


async def begin(worker: Worker, recording: RecordingId, at_s: float, *, resume: bool = False) -> None:
    """Start a recording."""
    await worker.request(m.StartRecording(recording, ROOM, at_s, resume))


async def track(worker: Worker, recording: RecordingId, codec: Codec, name: str = "Anne Roy") -> Sender:
    """Add a track to a recording and return the end of its pipe."""
    assert worker.pipe_address is not None
    sender = Sender(codec, worker.pipe_address, "microphone" if codec == "opus" else "camera")
    await worker.request(m.RecordTrack(recording, ParticipantId("anne"), name, sender.source, sender.spec))
    return sender
