"""Real servers for storage tests: a private PostgreSQL cluster and a private redis-server.

Each has a folder of its own under /tmp, a Unix socket in it, no TCP port, and dies with the test process. PostgreSQL
refuses to run as root, so it runs as another user then.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import redis

START_S = 60


class Engine:
    """A server process that can be killed and started again."""

    def __init__(self, command: list[str], folder: Path, *, uid: int | None, quit_by: signal.Signals) -> None:
        self.folder = folder
        self._command = command
        self._uid = uid
        self._quit_by = quit_by
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run the server; it answers soon, not yet."""
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", self._quit_by.name.removeprefix("SIG"), *self._command],
            cwd=self.folder,
            user=self._uid,
            group=pwd.getpwuid(self._uid).pw_gid if self._uid is not None else None,
            extra_groups=[] if self._uid is not None else None,
            # Redis 8 does not start with a LANG that this machine has not generated (ssh brings such along).
            env=os.environ | {"LC_ALL": "C.UTF-8"},
            stdout=(self.folder / "log").open("ab"),
            stderr=subprocess.STDOUT,
        )

    def stop(self, by: int | None = None) -> None:
        """End the server, by the signal that it takes for an order to hurry unless another is given."""
        if self._process is not None:
            self._process.send_signal(by or self._quit_by)
            self._process.wait(START_S)
            self._process = None

    @property
    def runs(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What the server wrote."""
        return (self.folder / "log").read_text("utf-8", "replace")


@contextmanager
def _folder(uid: int | None) -> Iterator[Path]:
    # Not pytest's own folder: a Unix socket's path is short, and another user must get in.
    with tempfile.TemporaryDirectory(prefix="parvis-engine-", dir="/tmp") as name:
        if uid is not None:
            os.chown(name, uid, pwd.getpwuid(uid).pw_gid)
        yield Path(name)


class Postgres(Engine):
    """PostgreSQL."""

    _number = 0

    def start(self) -> None:
        """Run the server and wait until it answers."""
        super().start()
        ready = [_postgres_binaries() / "pg_isready", "-q", "-h", self.folder, "-U", "parvis"]
        _wait(self, lambda: subprocess.run(ready, check=False).returncode == 0)

    def socket_url(self, database: str) -> str:
        """Return the address of a database."""
        return f"postgresql://parvis@/{database}?host={self.folder}"

    async def new_database(self) -> str:
        """Make an empty database and return its address."""
        Postgres._number += 1
        name = f"test_{Postgres._number}"
        connection = await asyncpg.connect(user="parvis", database="postgres", host=str(self.folder))
        try:
            await connection.execute(f"create database {name} template template0")
        finally:
            await connection.close()
        return self.socket_url(name)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a PostgreSQL cluster while the block lasts."""
    uid = _other_user() if os.geteuid() == 0 else None
    with _folder(uid) as folder:
        binaries = _postgres_binaries()
        subprocess.run(
            [binaries / "initdb", "-D", folder / "data", "-U", "parvis", "-A", "trust", "-E", "UTF8", "-N",
             "--locale=C.UTF-8"],
            check=True, cwd=folder, user=uid, extra_groups=[] if uid is not None else None, capture_output=True,
        )  # fmt: skip
        options = ["listen_addresses=", f"unix_socket_directories={folder}", "fsync=off", "max_connections=50"]
        command = [str(binaries / "postgres"), "-D", str(folder / "data")]
        server = Postgres(
            command + [word for option in options for word in ("-c", option)], folder, uid=uid, quit_by=signal.SIGQUIT
        )
        server.start()
        try:
            yield server
        finally:
            server.stop()


class RedisServer(Engine):
    """redis-server."""

    @property
    def url(self) -> str:
        """Its address."""
        return f"unix://{self.folder}/redis.sock"

    def start(self) -> None:
        """Run the server and wait until it answers."""
        super().start()
        client = redis.Redis.from_url(self.url)

        def answers() -> bool:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

        _wait(self, answers)
        client.close()

    def empty(self) -> None:
        """Forget everything."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def drop_connections(self) -> None:
        """Break every connection to it."""
        with redis.Redis.from_url(self.url) as client:
            client.client_kill_filter(_type="normal", skipme=True)


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """Run a redis-server while the block lasts."""
    with _folder(None) as folder:
        command = [
            shutil.which("redis-server") or "redis-server", "--port", "0", "--unixsocket", f"{folder}/redis.sock",
            "--save", "", "--appendonly", "no", "--dir", str(folder),
        ]  # fmt: skip
        server = RedisServer(command, folder, uid=None, quit_by=signal.SIGKILL)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _other_user() -> int:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    raise LookupError("PostgreSQL refuses to run as root, and there is no other user")


def _postgres_binaries() -> Path:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if folders:
        return folders[-1]
    found = shutil.which("initdb")
    assert found is not None, "PostgreSQL is not installed"
    return Path(found).resolve().parent


def _wait(server: Engine, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_S
    while not ready():
        assert server.runs, server.log
        assert time.monotonic() < deadline, server.log
        time.sleep(0.02)
