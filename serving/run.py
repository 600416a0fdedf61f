"""Run the service until it is told to stop, and stop it without losing what is under way."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Callable

import uvicorn

from .app import create_app
from .errors import Unavailable
from .logs import configure_logs
from .session import connected, workspace
from .settings import Settings
from .store import keys

GRACE_SECONDS = 10


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
    with workspace(settings) as url, _listening(settings) as listener:
        has_keys = asyncio.run(_has_keys(settings, url))
        app = create_app(settings, database_url=url)
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # nobody asks who the client is, nor by which scheme it came
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        announce(f"http://{settings.host}:{listener.getsockname()[1]}", has_keys)
        gc.collect()
        gc.freeze()  # what is imported stays; to look through it again and again stops every request
        try:
            uvicorn.Server(config).run(sockets=[listener])
        except (KeyboardInterrupt, SystemExit):
            return  # uvicorn has answered what was under way and raises the signal again


def _listening(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        raise Unavailable(
            "port",
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; choose another --port",
        ) from error


async def _has_keys(settings: Settings, url: str) -> bool:
    async with connected(settings, url) as connection:
        return bool(await keys.every(connection))
