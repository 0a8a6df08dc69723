"""The media worker's pump: socket readable → engine, timer → engine. The only event-loop code on the media path."""

import asyncio
import time
from collections.abc import Callable

from control import messages as m
from sfu.aio.udp import UdpSocket
from sfu.rooms.engine import Engine

TICK_S = 0.02
MAX_BATCH = 256
"""Datagrams taken in one go before timers and the control channel get their turn."""


class Driver:
    """Runs one engine on one socket until closed."""

    def __init__(
        self, engine: Engine, udp: UdpSocket, notify: Callable[[m.Notice], None], coalesce_s: float = 0.0
    ) -> None:
        self._engine = engine
        self._udp = udp
        self._notify = notify
        self._coalesce_s = coalesce_s
        self._coalescing = False
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to receive and to keep time."""
        self._loop.add_reader(self._udp.fileno(), self._readable)
        self._timer = self._loop.call_later(TICK_S, self._tick)

    def close(self) -> None:
        """Stop."""
        self._loop.remove_reader(self._udp.fileno())
        if self._timer is not None:
            self._timer.cancel()
        self._udp.close()

    def execute(self, command: m.Command) -> m.Result:
        """Carry out a command of the control plane at once."""
        result = self._engine.execute(command, time.monotonic())
        self._tell()
        return result

    def _readable(self) -> None:
        if self._coalesce_s and not self._coalescing:
            # Let the rest of a paced burst arrive: one segmented send then takes it all.
            self._coalescing = True
            self._loop.remove_reader(self._udp.fileno())
            self._loop.call_later(self._coalesce_s, self._resume)
            return
        self._take()

    def _resume(self) -> None:
        if self._udp.fileno() < 0:
            return
        self._take()
        self._coalescing = False
        self._loop.add_reader(self._udp.fileno(), self._readable)

    def _take(self) -> None:
        engine, receive = self._engine, self._udp.receive
        now, at_s = time.monotonic(), time.time()
        for _ in range(MAX_BATCH):
            datagram = receive()
            if datagram is None:
                break
            engine.receive(datagram[0], datagram[1], now, at_s)
        engine.flush()
        self._tell()

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_S, self._tick)
        self._engine.handle_timeout(time.monotonic(), time.time())
        self._tell()

    def _tell(self) -> None:
        for notice in self._engine.notices():
            self._notify(notice)
