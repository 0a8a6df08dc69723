"""Database, bus and directory of a running Parvis, opened by the settings and closed together."""

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256

from configs.settings import Settings
from parvis.errors import StartError
from storage.bus import Bus, open_bus
from storage.database import Database
from storage.directory import Directory, open_directory
from storage.errors import StorageError


@dataclass(slots=True, frozen=True)
class Stores:
    """What is kept and told."""

    database: Database
    bus: Bus
    directory: Directory
    control: str
    """This control plane's name in the directory: that of its machine and data folder, so the same after a restart."""


@asynccontextmanager
async def open_stores(settings: Settings) -> AsyncIterator[Stores]:
    """Open all three while the block lasts, the tables brought up to date; raises StartError."""
    async with AsyncExitStack() as stack:
        try:
            database = await Database.open(settings.database_url)
            stack.push_async_callback(database.close)
            bus = await open_bus(settings.storage.bus)
            stack.push_async_callback(bus.close)
            directory = await open_directory(settings.storage.bus)
            stack.push_async_callback(directory.close)
        except StorageError as error:
            raise StartError(error.code, url=error.url, reason=error.reason) from error
        place = f"{socket.gethostname()}:{settings.data.resolve()}"
        yield Stores(database, bus, directory, sha256(place.encode()).hexdigest()[:16])
