from __future__ import annotations

import subprocess
import sys
import threading
import time
import warnings
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from features.errors import BadInput
from serving.errors import Unavailable
from serving.settings import Settings
from serving.store.database import _named
from serving.store.embedded import database
from serving.store.migrate import _sqlalchemy_url, migrate
from serving.store.tables import METADATA

USER = """
import sys, time
from pathlib import Path
from serving.settings import Settings
from serving.store.embedded import database
with database(Settings(home=Path(sys.argv[1]))) as url:
    print(url, flush=True)
    time.sleep(60)
"""


def servers(home: Path) -> int:
    found = 0
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] == "postgres" and str(home / "postgres") in (process.info["cmdline"] or ()):
            found += process.status() != psutil.STATUS_ZOMBIE
    return found


def user(home: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", USER, str(home)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("postgresql://")
    process.stdout.close()
    return process


def test_the_migrations_make_the_tables_that_the_code_declares(server_url: str) -> None:
    engine = sa.create_engine(_sqlalchemy_url(server_url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_many_may_migrate_at_once(home: Path) -> None:
    with database(Settings(home=home)) as url:
        failures: list[BaseException] = []

        def one() -> None:
            try:
                migrate(url)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=one) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []


def test_the_last_to_leave_stops_the_server(home: Path) -> None:
    settings = Settings(home=home)
    other = user(home)
    with database(settings) as mine, database(settings) as nested:
        assert mine == nested
        assert servers(home) == 1
    assert servers(home) == 1
    other.terminate()
    assert other.wait() == 128 + 15
    assert servers(home) == 0
    with database(settings):
        assert servers(home) == 1
    assert servers(home) == 0


def test_a_killed_user_does_not_keep_the_server_up_for_ever(home: Path) -> None:
    killed = user(home)
    killed.kill()
    killed.wait()
    assert servers(home) == 1
    with database(Settings(home=home)) as url:
        migrate(url)
    assert servers(home) == 0


def test_a_killed_server_is_started_again_for_those_who_use_it(home: Path) -> None:
    with database(Settings(home=home)) as url:
        engine = sa.create_engine(_sqlalchemy_url(url), poolclass=sa.NullPool)
        psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().split()[0])).kill()
        deadline, answer = time.monotonic() + 30, None
        while answer is None and time.monotonic() < deadline:
            time.sleep(0.2)
            with suppress(sa.exc.OperationalError), engine.connect() as connection:
                answer = connection.scalar(sa.text("SELECT 1"))
        assert answer == 1
    assert servers(home) == 0


def test_a_path_too_long_for_a_socket_works(home: Path) -> None:
    home = home / ("long" * 30)
    with warnings.catch_warnings(), database(Settings(home=home)) as url:
        migrate(url)
    assert servers(home) == 0


@pytest.mark.parametrize("name", ["with blank", "quo'te"])
def test_a_path_that_cannot_hold_a_server_is_refused_in_one_line(home: Path, name: str) -> None:
    with pytest.raises(BadInput, match="set BUYER_TIER_HOME"), database(Settings(home=home / name)):
        pass


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:1/x", "nonsense"])
def test_a_server_that_is_away_is_named(url: str) -> None:
    with pytest.raises(Unavailable, match="database"):
        migrate(url)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress"),
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        ConnectionResetError("reset"),
    ],
)
def test_whatever_a_lost_connection_raises_is_a_database_that_is_away(error: Exception) -> None:
    with pytest.raises(Unavailable, match="database"), _named():
        raise error
