"""Run the service until it is told to stop, and stop it without losing what is under way."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from .connections import Connection
from .errors import Unavailable
from .logs import configure_logs
from .session import connected, workspace
from .settings import Settings
from .store import keys
from .workers import (
    BACKLOG,
    GRACE_SECONDS,
    Worker,
    family_of,
    keep_up,
    leave,
    port_for_all,
    share_of,
    stop_with_parent,
)

if TYPE_CHECKING:
    from fastapi import FastAPI

    from .champion import Models


def run(settings: Settings, *, announce: Callable[[str, bool], None]) -> None:
    """Serve until SIGINT or SIGTERM.

    Parameters
    ----------
    settings : Settings
    announce : callable
        Told the address and whether there is any API key, when the port is open.

    Raises
    ------
    Unavailable
        The port is taken, or the database is away.
    """
    configure_logs()
    if settings.workers == 1:  # who only keeps workers up needs none of what answers, which is long to import
        from .app import create_app
    with workspace(settings) as url, _listening(settings) as listener:
        has_keys = asyncio.run(_has_keys(settings, url))
        port = listener.getsockname()[1]
        announce(f"http://{settings.host}:{port}", has_keys)
        try:
            if settings.workers == 1:
                _serve(create_app(settings, database_url=url), listener, lambda _server: None)
            else:
                with tempfile.TemporaryDirectory(prefix="buyer-tier-") as folder:
                    own = partial(work, settings.model_copy(update={"port": port}), url)
                    keep_up(own, count=settings.workers, folder=Path(folder))
        except (KeyboardInterrupt, SystemExit):
            return  # what was under way is answered; uvicorn raises the signal again


def work(settings: Settings, url: str, worker: Worker, *, models: Models | None = None) -> None:
    """Serve as one of several workers."""
    from .app import create_app

    signal.signal(signal.SIGTERM, leave)
    configure_logs()
    app = create_app(settings, database_url=url, models=models)
    app.state.metrics.share(worker)
    with share_of(settings.host, settings.port) as listener:
        try:
            _serve(app, listener, stop_with_parent)
        except (KeyboardInterrupt, SystemExit):
            return


def _serve(app: FastAPI, listener: socket.socket, begun: Callable[[uvicorn.Server], None]) -> None:
    server = server_of(app)
    begun(server)
    gc.collect()
    gc.freeze()  # what is imported stays; to look through it again and again stops every request
    server.run(sockets=[listener])


def server_of(app: FastAPI) -> uvicorn.Server:
    """Make the server of an application, as it is run."""
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=Connection,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nobody asks who the client is, nor by which scheme it came
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return uvicorn.Server(config)


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """Take the port; the socket listens itself unless workers do."""
    address = (settings.host, settings.port)
    try:
        if settings.workers > 1:
            listener = port_for_all(*address)
        else:
            listener = socket.create_server(address, family=family_of(settings.host), backlog=BACKLOG)
    except OSError as error:
        raise Unavailable(
            "port",
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; choose another --port",
        ) from error
    with listener:
        yield listener


async def _has_keys(settings: Settings, url: str) -> bool:
    async with connected(settings, url) as connection:
        return bool(await keys.every(connection))
