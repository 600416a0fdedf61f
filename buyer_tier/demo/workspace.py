"""The demo's corner of the workspace: its own log, key and notes, and a database that starts empty."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from features.errors import BadInput
from serving.session import connected, workspace
from serving.settings import Settings


@dataclass(frozen=True)
class Corner:
    """Where the demo keeps what it makes, below the workspace ``home``."""

    home: Path

    @property
    def folder(self) -> Path:
        """Everything of the demo but the database and the model registry."""
        return self.home / "demo"

    @property
    def market(self) -> Path:
        """The simulated log."""
        return self.folder / "market"

    @property
    def key_file(self) -> Path:
        """The API key with every scope, readable by its owner alone."""
        return self.folder / "api-key"

    @property
    def log_file(self) -> Path:
        """What the service wrote."""
        return self.folder / "serve.log"

    @property
    def _note(self) -> Path:
        return self.folder / "rows.json"

    def keep_key(self, key: str) -> None:
        """Write the key file."""
        self.key_file.unlink(missing_ok=True)
        with os.fdopen(os.open(self.key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(key + "\n")

    def note_rows(self, rows: dict[str, int]) -> None:
        """Remember how many rows the demo itself has put into the database."""
        self._note.write_text(json.dumps(rows))

    def noted_rows(self) -> dict[str, int] | None:
        """Return what `note_rows` wrote, None without."""
        return json.loads(self._note.read_text()) if self._note.exists() else None


def start_empty(settings: Settings, corner: Corner) -> Path | None:
    """Make way for an empty embedded database.

    One that holds nothing but an earlier demo's rows is removed; any other is set aside.

    Returns
    -------
    Path or None
        Where the earlier database now is, if it was set aside.

    Raises
    ------
    BadInput
        A service is running in this workspace.
    """
    data = settings.home.absolute() / "postgres"
    if not data.exists():
        return None
    noted = corner.noted_rows()
    with _alone(settings):
        pass
    if noted is not None and noted == count_rows(settings):
        with _alone(settings):
            shutil.rmtree(data)
        return None
    aside = data.with_name(f"postgres.{datetime.now(UTC):%Y%m%dT%H%M%S}")
    with _alone(settings):
        data.rename(aside)
    return aside


def count_rows(settings: Settings) -> dict[str, int]:
    """Count the events and decisions in the workspace's database."""
    with workspace(settings) as url:
        return asyncio.run(_count(settings, url))


async def _count(settings: Settings, url: str) -> dict[str, int]:
    async with connected(settings, url) as connection:
        row = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM events) AS events, (SELECT count(*) FROM decisions) AS decisions"
        )
    return dict(row)


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    with (settings.home / "postgres.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(
                f"the workspace {settings.home} is in use (a running service?); "
                "stop it, or set BUYER_TIER_HOME to another folder"
            ) from None
        yield
