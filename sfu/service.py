"""The media worker as a process: settings in, a connection to the control plane, rooms until it ends."""

import gc
import secrets
import time

from configs.settings import Settings
from control import messages as m
from control.worker import WorkerConnection, hello
from sfu.aio.addresses import local_addresses
from sfu.aio.driver import Driver
from sfu.aio.udp import UdpSocket
from sfu.machines.certificate import Certificate
from sfu.rooms.engine import Engine
from sfu.rooms.roster import EngineOptions

GARBAGE_THRESHOLD = 10_000
"""Containers made before the collector looks; packets live shorter, and nothing on their way is a cycle."""


async def run(settings: Settings) -> None:
    """Run a media worker until cancelled. Raises OSError when its port is in use."""
    media = settings.media
    udp = UdpSocket(media.host, media.port)
    reachable = local_addresses() if media.host in ("0.0.0.0", "::") else [media.host]
    addresses = media.advertised_addresses or reachable
    engine = Engine(
        EngineOptions(
            certificate=Certificate.generate(),
            candidates=[(address, udp.port, "udp") for address in addresses],
            random_bytes=secrets.token_bytes,
            consent_timeout_s=media.consent_timeout_s,
        ),
        udp,
    )

    async def handle(command: m.Command) -> m.Result:
        return driver.execute(command)

    def load() -> m.Load:
        gauges = engine.counts | udp.counts
        return m.Load(int(engine.counts["rooms"]), time.process_time(), gauges)

    connection = WorkerConnection(settings.control_socket, hello("media", settings.control_token), handle, load)
    driver = Driver(engine, udp, connection.notify, media.coalesce_ms / 1000)
    gc.collect()
    gc.freeze()  # what is here now stays; searching it for garbage would cost milliseconds in the middle of a frame
    gc.set_threshold(GARBAGE_THRESHOLD, 20, 50)
    driver.start()
    try:
        await connection.run()
    finally:
        driver.close()
