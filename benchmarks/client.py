"""Many light WebRTC endpoints in one process of their own, so that their CPU time is counted apart from the server's.

`Clients` is the handle of the measuring program; the process runs one loop over one UDP socket per endpoint.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import socket
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Literal

from benchmarks import descriptions
from benchmarks.endpoint import Endpoint
from benchmarks.source import Source, TransportSequence
from sfu.errors import SfuError
from sfu.machines.certificate import Certificate
from sfu.machines.dtls import OUR_PROFILES

TICK_S = 0.02
POLL_S = 0.01
"""Sockets are read this often. To be woken by each datagram would be charged to the sender, on loopback."""
RECEIVE_BUFFER = 4 << 20
MAX_BATCH = 64
ANSWER_TIMEOUT_S = 30.0


@dataclass(slots=True, frozen=True)
class Totals:
    """What all endpoints of the process have done so far."""

    sent: int
    received: int
    expected: int
    """RTP packets that would have been received without loss."""
    octets: int
    verified: int
    refused: int
    streams: int
    """SSRCs of which something was received."""
    connected: int
    failed: list[str]
    profiles: list[str]
    cpu_s: float


@dataclass(slots=True, frozen=True)
class Plan:
    """What a publisher sends."""

    bitrate_bps: int
    frames_per_s: float = 30.0
    audio: bool = False
    paced: bool = True


class Clients:
    """A running process of endpoints. Raises SfuError when one of them cannot do what it is asked."""

    def __init__(self, profiles: tuple[bytes, ...] = OUR_PROFILES, *, feedback: bool = True) -> None:
        """`feedback`: whether receivers accept transport-wide sequence numbers and tell what arrived."""
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, profiles, feedback), daemon=True)
        self._process.start()
        theirs.close()
        self._lock = asyncio.Lock()

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid or 0

    async def publisher(self, name: str, plan: Plan, *, setup: str = "actpass") -> str:
        """Make a publishing endpoint; return its offer."""
        return str(await self._ask("publisher", name, plan, setup))

    async def answered(self, name: str, sdp: str) -> None:
        """Give a publisher the server's answer: it connects and sends."""
        await self._ask("answered", name, sdp)

    async def subscriber(self, name: str, sdp: str) -> str:
        """Give a subscriber (a new one, or a renewed offer) the server's offer; return its answer."""
        return str(await self._ask("subscriber", name, sdp))

    async def pace(self, paced: bool) -> None:
        """Have frames sent paced, or back to back, from now on."""
        await self._ask("pace", paced)

    async def totals(self) -> Totals:
        """Return the counts."""
        totals = await self._ask("totals")
        assert isinstance(totals, Totals)
        return totals

    async def wait(self, *, connected: int, streams: int = 0, timeout_s: float = 30.0) -> None:
        """Wait until so many endpoints have keys and so many streams arrive.

        Raises TimeoutError, or SfuError when an endpoint failed.
        """
        async with asyncio.timeout(timeout_s):
            while True:
                totals = await self.totals()
                if totals.failed:
                    raise SfuError(totals.failed[0])
                if totals.connected >= connected and totals.streams >= streams:
                    return
                await asyncio.sleep(0.05)

    async def close(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError, EOFError):
            await self._ask("end")
        await asyncio.to_thread(self._process.join, 5)
        if self._process.is_alive():
            self._process.kill()
            await asyncio.to_thread(self._process.join)
        self._connection.close()

    async def _ask(self, *question: object) -> Any:
        async with self._lock:
            return await asyncio.to_thread(self._ask_now, question)

    def _ask_now(self, question: tuple[object, ...]) -> Any:
        self._connection.send(question)
        if not self._connection.poll(ANSWER_TIMEOUT_S):
            raise SfuError("the client process does not answer")
        kind, answer = self._connection.recv()
        if kind == "error":
            raise SfuError(answer)
        return answer


class _Client:
    """An endpoint with its socket and what it sends."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self.sources: list[Source] = []

    def flush(self) -> None:
        """Send what the endpoint wants to say."""
        address = self.endpoint.address
        for datagram in self.endpoint.datagrams_to_send():
            if address is not None:
                self.send(datagram)

    def send(self, datagram: bytes) -> None:
        """Send one datagram; a full buffer loses it, as a network would."""
        with contextlib.suppress(OSError):
            self.socket.sendto(datagram, self.endpoint.address or ("", 0))


class _Loop:
    """The process."""

    def __init__(self, connection: Connection, profiles: tuple[bytes, ...], feedback: bool) -> None:
        self._connection = connection
        self._feedback = feedback
        self._profiles = profiles
        self._certificate = Certificate.generate()
        self._clients: dict[str, _Client] = {}
        self._publishers: list[_Client] = []
        self._running = True

    def run(self) -> None:
        """Serve until told to end or the other side is gone."""
        tick_at = 0.0
        poll_at = 0.0
        while self._running:
            wake_at = min(
                [tick_at, poll_at, *(s.next_at for c in self._publishers for s in c.sources if c.endpoint.connected)]
            )
            if self._connection.poll(max(0.0, wake_at - time.monotonic())):
                self._command()
            now = time.monotonic()
            if now >= poll_at:
                poll_at = now + POLL_S
                for client in self._clients.values():
                    self._receive(client)
            for client in self._publishers:
                self._publish(client, now)
            if now >= tick_at:
                tick_at = now + TICK_S
                for client in self._clients.values():
                    client.endpoint.handle_timeout(now)
                    client.flush()
        for client in self._clients.values():
            client.endpoint.close()
            client.flush()

    def _receive(self, client: _Client) -> None:
        receive, endpoint = client.socket.recv, client.endpoint
        now = time.monotonic()
        for _ in range(MAX_BATCH):
            try:
                data = receive(2048)
            except OSError:  # empty, or an ICMP error of an earlier send
                break
            endpoint.receive(data, now)
        client.flush()

    def _publish(self, client: _Client, now: float) -> None:
        endpoint = client.endpoint
        if endpoint.sender is None:
            return
        for source in client.sources:
            if not source.next_at:
                source.start(now)
            if endpoint.keyframe_wanted and source.kind == "video":
                endpoint.keyframe_wanted = False
                source.keyframe_wanted = True
            if source.next_at <= now:
                for datagram in source.due(endpoint.sender, now, time.time()):
                    client.send(datagram)

    def _command(self) -> None:
        try:
            word, *arguments = self._connection.recv()
        except EOFError:
            self._running = False
            return
        try:
            answer: tuple[Literal["ok", "error"], object] = "ok", getattr(self, f"_do_{word}")(*arguments)
        except SfuError as error:
            answer = "error", str(error)
        self._connection.send(answer)

    # --- commands -------------------------------------------------------------------------------------------------

    def _do_publisher(self, name: str, plan: Plan, setup: str) -> str:
        client = self._new(name)
        counter = TransportSequence()
        kinds = ["video", "audio"] if plan.audio else ["video"]
        tracks = []
        for mid, kind in enumerate(kinds):
            ssrc = 0x10000000 + len(self._publishers) * 16 + mid * 4
            rtx = ssrc + 1 if kind == "video" else None
            tracks.append(descriptions.OfferedTrack(str(mid), kind, ssrc, rtx))
            client.sources.append(
                Source(
                    kind,
                    str(mid),
                    ssrc,
                    counter,
                    bitrate_bps=plan.bitrate_bps,
                    frames_per_s=plan.frames_per_s,
                    paced=plan.paced,
                )
            )
        self._publishers.append(client)
        return descriptions.offer(self._local(client), tracks, setup=setup)

    def _do_answered(self, name: str, text: str) -> None:
        client = self._clients[name]
        client.endpoint.connect(descriptions.read(text), time.monotonic())
        client.flush()

    def _do_subscriber(self, name: str, text: str) -> str:
        client = self._clients.get(name) or self._new(name)
        client.endpoint.connect(descriptions.read(text), time.monotonic())
        client.flush()
        return descriptions.answer(self._local(client), text, feedback=self._feedback)

    def _do_pace(self, paced: bool) -> None:
        for client in self._publishers:
            for source in client.sources:
                source.paced = paced

    def _do_totals(self) -> Totals:
        endpoints = [client.endpoint for client in self._clients.values()]
        streams = [stream for endpoint in endpoints for stream in endpoint.streams.values()]
        return Totals(
            sent=sum(source.packets for client in self._publishers for source in client.sources),
            received=sum(stream.statistics.received for stream in streams),
            expected=sum(stream.statistics.expected for stream in streams),
            octets=sum(stream.statistics.bytes for stream in streams),
            verified=sum(stream.verified for stream in streams),
            refused=sum(stream.refused for stream in streams),
            streams=len(streams),
            connected=sum(endpoint.connected for endpoint in endpoints),
            failed=[endpoint.failed for endpoint in endpoints if endpoint.failed],
            profiles=sorted({endpoint.profile for endpoint in endpoints if endpoint.profile}),
            cpu_s=time.process_time(),
        )

    def _do_end(self) -> None:
        self._running = False

    def _new(self, name: str) -> _Client:
        client = _Client(Endpoint(self._certificate, profiles=self._profiles))
        self._clients[name] = client
        return client

    def _local(self, client: _Client) -> descriptions.LocalEnd:
        endpoint = client.endpoint
        return descriptions.LocalEnd(endpoint.ufrag, endpoint.password, self._certificate.fingerprint)


def _serve(connection: Connection, profiles: tuple[bytes, ...], feedback: bool) -> None:
    """The process's body."""
    _Loop(connection, profiles, feedback).run()
