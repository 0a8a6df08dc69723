"""The media worker's pump: socket readable → engine, timer → engine. The only event-loop code on the media path."""

import asyncio
import time
from collections.abc import Callable

from control import messages as m
from sfu.aio.udp import UdpSocket
from sfu.rooms.engine import Engine

FLOWING_S = 0.05
"""While packets flow, timers are looked after together with a batch: a wake-up of its own costs as much."""
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
        self._ticked_at = 0.0

    def start(self) -> None:
        """Begin to receive and to keep time."""
        self._loop.add_reader(self._udp.fileno(), self._readable)
        self._timer = self._loop.call_later(FLOWING_S, self._tick)

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
        engine, receive, full = self._engine, self._udp.receive, self._udp.full
        now, at_s = time.monotonic(), time.time()
        taken = 0
        while taken < MAX_BATCH:
            datagrams = receive()
            for data, address in datagrams:
                engine.receive(data, address, now, at_s)
            taken += len(datagrams)
            if len(datagrams) < full:
                break
        engine.flush()
        self._look_after(now, at_s)
        if engine.patience_s < FLOWING_S:
            self._wake_at(now + engine.patience_s)
        self._tell()

    def _tick(self) -> None:
        now = time.monotonic()
        self._timer = None
        self._look_after(now, time.time())
        self._wake_at(now + self._engine.patience_s)
        self._tell()

    def _look_after(self, now: float, at_s: float) -> None:
        """Give the engine's timers their turn, if it is time."""
        if now - self._ticked_at >= min(FLOWING_S, self._engine.patience_s):
            self._ticked_at = now
            self._engine.handle_timeout(now, at_s)

    def _wake_at(self, at: float) -> None:
        """Have the timer fire at a time, or earlier."""
        timer = self._timer
        if timer is not None:
            if timer.when() <= at:
                return
            timer.cancel()
        self._timer = self._loop.call_at(at, self._tick)

    def _tell(self) -> None:
        for notice in self._engine.notices():
            self._notify(notice)
