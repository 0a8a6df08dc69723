"""`parvis serve`: the control plane and, as child processes, one worker of each kind."""

import asyncio
import signal

from aiohttp import web

from accounts.links import LinkSigner
from configs.settings import Settings
from parvis.children import keep_running
from parvis.errors import StartError
from parvis.secrets import Secrets
from parvis.stores import Stores, open_stores
from signaling.placement import Placement
from signaling.service import Signaling
from signaling.workers import WorkerHub
from storage.visits import Visits
from web.app import create_app


async def serve(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM. Raises StartError for what the operator can mend."""
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        secrets = Secrets.load(settings.data)
    except OSError as error:
        raise StartError("data_folder", path=str(settings.data), reason=error.strerror or "") from error
    async with open_stores(settings) as stores:
        await _serve(settings, secrets, stores)


async def _serve(settings: Settings, secrets: Secrets, stores: Stores) -> None:
    token = settings.control_token or secrets.control_token
    hub = WorkerHub(token)
    links = LinkSigner(secrets.links)
    visits = Visits(stores.database)
    placement = Placement(stores.directory, stores.control)
    signaling = Signaling(hub=hub, links=links, settings=settings, visits=visits, placement=placement)
    control = web.Application()
    control.add_routes([web.get("/control", hub.handle)])
    pages = create_app(settings=settings, signaling=signaling, links=links, visits=visits, admin_key=secrets.admin_key)
    # No access log: addresses of people and the secrets in paths are nobody's reading.
    runners = [web.AppRunner(control, access_log=None), web.AppRunner(pages, access_log=None)]
    for runner in runners:
        await runner.setup()
    settings.control_socket.unlink(missing_ok=True)
    await web.UnixSite(runners[0], str(settings.control_socket)).start()
    settings.control_socket.chmod(0o600)
    site = web.TCPSite(runners[1], settings.web.host, settings.web.port)
    try:
        await site.start()
    except OSError as error:
        raise StartError.of_socket(error, "web", settings.web.host, settings.web.port) from error
    port = runners[1].addresses[0][1]
    environment = {"PARVIS_CONTROL_TOKEN": token, "PARVIS_DATA": str(settings.data)}
    workers = ("media", "transcribe") if settings.transcription.enabled else ("media",)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(signaling.run(), name="signaling")]
            running += [tasks.create_task(keep_running(name, environment), name=name) for name in workers]
            print(f"Parvis: http://localhost:{port}/new/{secrets.admin_key}", flush=True)
            await stop.wait()
            for task in running:
                task.cancel()
    except ExceptionGroup as group:
        unable = group.subgroup(StartError)
        if unable is None:
            raise
        raise unable.exceptions[0] from None
    finally:
        for runner in reversed(runners):
            await runner.cleanup()
