"""`parvis serve`: the control plane and, as child processes, one worker of each kind."""

import asyncio
import fcntl
import os
import signal
import ssl
import sys
from pathlib import Path

from aiohttp import web

from accounts.links import LinkSigner
from configs.settings import Settings
from parvis.addresses import outside
from parvis.children import keep_running
from parvis.errors import StartError
from parvis.greeting import greeting, other_machines, other_port
from parvis.https import Https
from parvis.listening import listen
from parvis.secrets import Secrets
from parvis.stores import Stores, open_stores
from recordings.archive import Archive
from recordings.library import Library
from signaling.placement import Placement
from signaling.service import Signaling
from signaling.workers import WorkerHub
from storage.recordings import Recordings
from storage.transcripts import Transcripts
from storage.visits import Visits
from web.app import create_app


async def serve(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM. Raises StartError for what the operator can mend."""
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        claim = claim_folder(settings.data)
        secrets = Secrets.load(settings.data)
    except OSError as error:
        raise StartError("data_folder", path=str(settings.data), reason=error.strerror or "") from error
    try:
        https = Https(settings.web, settings.data) if settings.web.tls else None
        async with open_stores(settings) as stores:
            await _serve(settings, secrets, stores, https)
    finally:
        os.close(claim)


async def _serve(settings: Settings, secrets: Secrets, stores: Stores, https: Https | None) -> None:
    wanted = settings.web
    token = settings.control_token or secrets.control_token
    hub = WorkerHub(token)
    links = LinkSigner(secrets.links)
    visits = Visits(stores.database)
    placement = Placement(stores.directory, stores.control)
    signaling = Signaling(
        hub=hub, links=links, settings=settings, visits=visits, placement=placement, tell_bus=stores.bus.publish
    )
    control = web.Application()
    control.add_routes([web.get("/control", hub.handle)])
    recordings, transcripts = Recordings(stores.database), Transcripts(stores.database)
    archive = Archive(
        bus=stores.bus,
        directory=stores.directory,
        recordings=recordings,
        transcripts=transcripts,
        folder=settings.recordings_folder,
    )
    library = Library(recordings, transcripts, settings.recordings_folder)
    pages = create_app(
        settings=settings,
        signaling=signaling,
        links=links,
        visits=visits,
        library=library,
        admin_key=secrets.admin_key,
    )
    # No access log: addresses of people and the secrets in paths are nobody's reading.
    runners = [web.AppRunner(control, access_log=None), web.AppRunner(pages, access_log=None)]
    for runner in runners:
        await runner.setup()
    settings.control_socket.unlink(missing_ok=True)
    await web.UnixSite(runners[0], str(settings.control_socket)).start()
    settings.control_socket.chmod(0o600)
    port = await _serve_on(runners[1], wanted.host, wanted.port, "web.", None, chosen="port" in wanted.model_fields_set)
    tls_port = 0
    if https is not None:
        chosen = "tls_port" in wanted.model_fields_set
        tls_port = await _serve_on(
            runners[1], wanted.tls_host, wanted.tls_port, "web.tls_", https.context, chosen=chosen
        )
    environment = {"PARVIS_CONTROL_TOKEN": token, "PARVIS_DATA": str(settings.data)}
    workers = ("media", "record", "transcribe") if settings.transcription.enabled else ("media", "record")
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        async with asyncio.TaskGroup() as tasks:
            listening = asyncio.Event()
            running = [tasks.create_task(archive.run(listening), name="archive")]
            await listening.wait()  # so that nothing is told to nobody
            running.append(tasks.create_task(signaling.run(), name="signaling"))
            running += [tasks.create_task(keep_running(name, environment), name=name) for name in workers]
            if https is not None:
                running.append(tasks.create_task(https.watch(), name="certificate"))
            path = f"/new/{secrets.admin_key}"
            print(greeting(path, port=port, public_url=wanted.public_url))
            if https is not None:
                seen = https.fingerprint if https.is_own else None
                print(other_machines(path, addresses=outside(wanted.tls_host), port=tls_port, fingerprint=seen))
            sys.stdout.flush()
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


def claim_folder(folder: Path) -> int:
    """Keep a second Parvis out of the data folder; return the descriptor that holds the claim. Raises StartError."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise StartError("data_in_use", path=str(folder)) from error
    return descriptor


async def _serve_on(
    runner: web.AppRunner, host: str, port: int, option: str, context: ssl.SSLContext | None, *, chosen: bool
) -> int:
    """Serve a runner on one more port and return it; say so when it is another than the default."""
    sockets = listen(host, port, option, chosen=chosen)
    for each in sockets:
        await web.SockSite(runner, each, ssl_context=context).start()
    got: int = sockets[0].getsockname()[1]
    if port not in (0, got):
        print(other_port(f"{option}port", port, got), file=sys.stderr, flush=True)
    return got
