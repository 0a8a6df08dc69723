"""Signaling as it runs, on a port of the system's choice, with media workers in the same process."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from accounts.links import JoinLink, LinkSigner
from configs.settings import Settings, WebSettings
from control import messages as m
from control.worker import Handle, WorkerConnection, hello
from recordings.library import Library
from sfu.aio.driver import Driver
from sfu.aio.udp import UdpSocket
from sfu.machines.certificate import Certificate
from sfu.rooms.engine import Engine
from sfu.rooms.roster import EngineOptions
from signaling import messages as s
from signaling.placement import Placement
from signaling.service import Signaling
from signaling.workers import WorkerHub
from storage.bus import MemoryBus
from storage.database import Database
from storage.directory import MemoryDirectory
from storage.recordings import Recordings
from storage.transcripts import Transcripts
from storage.visits import Visits
from web.app import create_app

TOKEN = "control token"
PATIENCE_S = 20.0


class Client:
    """One WebSocket to signaling, with everything that came over it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.messages: list[s.ServerMessage] = []
        self._read = 0

    async def send(self, message: s.ClientMessage) -> None:
        """Say something to the server."""
        await self.socket.send_str(s.encode(message))

    async def wait(self, *kinds: type[s.ServerMessage]) -> s.ServerMessage:
        """Return the next message of one of these kinds; others before it are kept in `messages` only."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                while self._read < len(self.messages):
                    self._read += 1
                    if isinstance(self.messages[self._read - 1], kinds):
                        return self.messages[self._read - 1]
                frame = await self.socket.receive()
                assert frame.type is aiohttp.WSMsgType.TEXT, f"the socket ended: {frame}"
                self.messages.append(s.decode_server(frame.data))

    async def error(self) -> s.Error:
        """Return the next error."""
        error = await self.wait(s.Error)
        assert isinstance(error, s.Error)
        return error

    async def ended(self) -> list[s.ServerMessage]:
        """Wait for the end of the socket and return what still came."""
        rest = []
        async with asyncio.timeout(PATIENCE_S):
            async for frame in self.socket:
                rest.append(s.decode_server(frame.data))
        return rest

    async def works(self) -> None:
        """Check that the session still answers."""
        number = secrets.randbits(30)
        await self.send(s.Ping(number))
        while True:
            pong = await self.wait(s.Pong)
            assert isinstance(pong, s.Pong)
            if pong.ping == number:
                return


class House:
    """A running signaling server."""

    def __init__(
        self,
        signaling: Signaling,
        signer: LinkSigner,
        http: aiohttp.ClientSession,
        url: str,
        database: Database,
        directory: MemoryDirectory,
        bus: MemoryBus,
    ) -> None:
        self.signaling = signaling
        self.signer = signer
        self.http = http
        self.url = url
        self.database = database
        self.visits = Visits(database)
        self.directory = directory
        self.bus = bus

    def token(self, role: str = "client", visit: str = "visit", *, expires_in_s: int = 3600) -> str:
        """Return the token of a join link."""
        now = int(time.time())
        return self.signer.sign(JoinLink(visit, role, None, now - 60, now + expires_in_s, secrets.token_hex(4)))

    @asynccontextmanager
    async def connected(self, **headers: str) -> AsyncIterator[Client]:
        """Open a socket that has not joined yet."""
        async with self.http.ws_connect(f"{self.url}/signal", headers=headers) as socket:
            yield Client(socket)

    @asynccontextmanager
    async def joined(self, role: str = "client", visit: str = "visit", name: str = "Anne") -> AsyncIterator[Client]:
        """Enter a visit."""
        async with self.connected() as client:
            await client.send(s.Join(self.token(role, visit), name, "en"))
            await client.wait(s.Welcome)
            yield client


@asynccontextmanager
async def media_worker(house: House) -> AsyncIterator[Engine]:
    """Connect a real media worker, of this process."""
    udp = UdpSocket("127.0.0.1", 0)
    engine = Engine(
        EngineOptions(Certificate.generate(), [("127.0.0.1", udp.port, "udp")], secrets.token_bytes),
        udp,
    )

    async def handle(command: m.Command) -> m.Result:
        return driver.execute(command)

    async with worker(house, handle) as connection:
        driver = Driver(engine, udp, connection.notify)
        driver.start()
        try:
            yield engine
        finally:
            driver.close()


@asynccontextmanager
async def worker(house: House, handle: Handle) -> AsyncIterator[WorkerConnection]:
    """Connect a media worker that does what `handle` does."""

    def load() -> m.Load:
        return m.Load(0, time.process_time())

    connection = WorkerConnection(f"{house.url}/control".replace("http", "ws", 1), hello("media", TOKEN), handle, load)
    running = asyncio.create_task(connection.run())
    try:
        yield connection
    finally:
        running.cancel()
        await asyncio.wait([running])


@asynccontextmanager
async def house(data: Path, *, public_url: str | None = None) -> AsyncIterator[House]:
    """Run signaling and the pages while the block lasts."""
    settings = Settings(data=data, web=WebSettings(port=0, public_url=public_url))
    hub = WorkerHub(TOKEN)
    signer = LinkSigner(b"link secret")
    database = await Database.open(settings.database_url)
    visits = Visits(database)
    directory, bus = MemoryDirectory(), MemoryBus()
    signaling = Signaling(
        hub=hub,
        links=signer,
        settings=settings,
        visits=visits,
        placement=Placement(directory, "this control plane"),
        tell_bus=bus.publish,
    )
    library = Library(Recordings(database), Transcripts(database), settings.recordings_folder)
    app = create_app(
        settings=settings, signaling=signaling, links=signer, visits=visits, library=library, admin_key="admin"
    )
    app.add_routes([web.get("/control", hub.handle)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    looking_after = asyncio.create_task(signaling.run())
    async with aiohttp.ClientSession() as http:
        try:
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield House(signaling, signer, http, url, database, directory, bus)
        finally:
            looking_after.cancel()
            await asyncio.wait([looking_after])
            await runner.cleanup()
            await database.close()
