"""Janus' videoroom under the same load, to compare with (Debian's package `janus`; its WebSocket API)."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.servers import START_S, ServerError
from control.process import end

ROOM = 1234
PLUGIN = "janus.plugin.videoroom"

GENERAL = """
general: {{
  configs_folder = "{folder}"
  plugins_folder = "{plugins}"
  transports_folder = "{transports}"
  debug_level = 2
  session_timeout = 0
}}
nat: {{ ice_lite = true }}
media: {{ rtp_port_range = "20000-40000" }}
plugins: {{ disable = "{disabled}" }}
transports: {{ disable = "{transports_disabled}" }}
"""
ROOMS = """
room-1234: {
  description = "bench"
  publishers = 50
  bitrate = 0
  fir_freq = 0
  audiocodec = "opus"
  videocodec = "vp8"
  require_pvtid = false
  notify_joining = false
}
"""
WEBSOCKETS = """
general: {{ ws = true, ws_ip = "127.0.0.1", ws_port = {port}, ws_logging = 0 }}
"""


class Janus:
    """A running Janus."""

    name = "janus"

    def __init__(self, pid: int, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self.pid = pid
        self._socket = websocket
        self._session = 0
        self._handles: dict[str, int] = {}
        self._feeds: list[int] = []
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._media: set[int] = set()
        self._changed = asyncio.Event()

    async def listen(self) -> None:
        """Read what Janus says until the socket ends."""
        async for frame in self._socket:
            message = frame.json()
            if message["janus"] == "media" and message.get("receiving"):
                self._media.add(message["sender"])
                self._changed.set()
            waiting = self._waiting.get(message.get("transaction", ""))
            # A plugin's real answer follows its "ack".
            if waiting is not None and message["janus"] != "ack" and not waiting.done():
                waiting.set_result(message)

    async def open(self) -> None:
        """Begin a session."""
        self._session = (await self._ask({"janus": "create"}))["data"]["id"]

    async def publish(self, name: str, offer: str) -> str:
        """Join the room as a publisher."""
        await self._attach(name)
        body: dict[str, Any] = {"request": "joinandconfigure", "ptype": "publisher", "room": ROOM, "display": name}
        answer = await self._message(name, body, {"type": "offer", "sdp": offer})
        self._feeds.append(answer["plugindata"]["data"]["id"])
        return str(answer["jsep"]["sdp"])

    async def published(self, count: int) -> None:
        """Wait until media arrived from every publisher."""
        del count
        async with asyncio.timeout(START_S):
            while len(self._media) < len(self._feeds):
                self._changed.clear()
                await self._changed.wait()

    async def subscribe(self, name: str) -> str:
        """Join as a subscriber of everybody; return the offer."""
        await self._attach(name)
        streams = [{"feed": feed} for feed in self._feeds]
        joined = await self._message(name, {"request": "join", "ptype": "subscriber", "room": ROOM, "streams": streams})
        return str(joined["jsep"]["sdp"])

    async def answer(self, name: str, sdp: str) -> None:
        """Start the subscription."""
        await self._message(name, {"request": "start"}, {"type": "answer", "sdp": sdp})

    def gauges(self) -> dict[str, float]:
        """Janus does not count its system calls."""
        return {}

    async def _attach(self, name: str) -> None:
        attached = await self._ask({"janus": "attach", "session_id": self._session, "plugin": PLUGIN})
        self._handles[name] = attached["data"]["id"]

    async def _message(self, name: str, body: dict[str, Any], jsep: dict[str, str] | None = None) -> dict[str, Any]:
        message: dict[str, Any] = {
            "janus": "message",
            "session_id": self._session,
            "handle_id": self._handles[name],
            "body": body,
        }
        if jsep is not None:
            message["jsep"] = jsep
        answer = await self._ask(message)
        problem = answer.get("plugindata", {}).get("data", {}).get("error")
        if problem:
            raise ServerError(f"Janus: {problem}")
        return answer

    async def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        transaction = secrets.token_hex(8)
        waiting = self._waiting[transaction] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(START_S):
                await self._socket.send_json(message | {"transaction": transaction})
                answer = await waiting
        finally:
            del self._waiting[transaction]
        if answer["janus"] == "error":
            raise ServerError(f"Janus: {answer['error'].get('reason', 'an error')}")
        return dict(answer)


@asynccontextmanager
async def janus() -> AsyncIterator[Janus]:
    """Run Janus while the block lasts, with a configuration of its own in a folder of its own."""
    program = shutil.which("janus")
    if program is None:
        raise ServerError("Janus is not installed (apt install janus)")
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="parvis-janus-")))
        port = _free_port()
        _configure(folder, port)
        process = await asyncio.create_subprocess_exec(
            program, "-F", str(folder), "-C", str(folder / "janus.jcfg"), stdout=asyncio.subprocess.DEVNULL
        )
        stack.push_async_callback(end, process)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        websocket = await _connect(session, port, process)
        server = Janus(process.pid, websocket)
        listening = asyncio.create_task(server.listen(), name="janus")
        try:
            await server.open()
            yield server
        finally:
            await websocket.close()
            await listening


async def _connect(
    session: aiohttp.ClientSession, port: int, process: asyncio.subprocess.Process
) -> aiohttp.ClientWebSocketResponse:
    """Try until Janus listens."""
    async with asyncio.timeout(START_S):
        while True:
            try:
                return await session.ws_connect(f"ws://127.0.0.1:{port}", protocols=["janus-protocol"])
            except aiohttp.ClientError:
                if process.returncode is not None:
                    raise ServerError(f"Janus ended with status {process.returncode}") from None
                await asyncio.sleep(0.1)


def _configure(folder: Path, port: int) -> None:
    """Write the three files that are needed; every plugin but the videoroom stays out."""
    libraries = next((p.parent for p in Path("/usr/lib").rglob("libjanus_videoroom.so")), None)
    if libraries is None:
        raise ServerError("Janus' videoroom plugin is not installed")
    transports = libraries.parent / "transports"
    general = GENERAL.format(
        folder=folder,
        plugins=libraries,
        transports=transports,
        disabled=",".join(p.name for p in libraries.glob("libjanus_*.so") if p.name != "libjanus_videoroom.so"),
        transports_disabled=",".join(
            p.name for p in transports.glob("libjanus_*.so") if p.name != "libjanus_websockets.so"
        ),
    )
    (folder / "janus.jcfg").write_text(general, encoding="utf-8")
    (folder / f"{PLUGIN}.jcfg").write_text(ROOMS, encoding="utf-8")
    (folder / "janus.transport.websockets.jcfg").write_text(WEBSOCKETS.format(port=port), encoding="utf-8")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
