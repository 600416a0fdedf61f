"""Bring the database's schema to the newest version, and tell it of the catalog that this code computes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from features.catalog import CATALOG
from features.skew import meanings

from ..errors import Unavailable

LOCK: Final = 7_236_115
"""Any constant will do: it names this migration among the server's advisory locks."""
REMEMBER: Final = sa.text(
    "INSERT INTO catalogs (catalog_version, features) VALUES (:version, cast(:features AS json)) "
    "ON CONFLICT DO NOTHING"
)
FORGET: Final = sa.text("""
WITH here AS (
    SELECT (SELECT system_identifier::text FROM pg_control_system()) || ' ' || current_database()
        || ' ' || 'buyer_profiles'::regclass::oid AS database
), new AS (INSERT INTO profiles_made_in SELECT database FROM here ON CONFLICT DO NOTHING RETURNING 1),
others AS (
    DELETE FROM profiles_made_in AS m USING here WHERE m.database <> here.database RETURNING 1
), unheard AS (
    UPDATE standings SET seen = NULL, seen_from = NULL
    WHERE seen IS NOT NULL AND (EXISTS (SELECT FROM new) OR EXISTS (SELECT FROM others))
)
UPDATE buyer_profiles SET packed = NULL, seen = NULL, seen_from = NULL
WHERE packed IS NOT NULL AND (EXISTS (SELECT FROM new) OR EXISTS (SELECT FROM others))
""")
"""A profile's snapshot counts in the transactions of the database that made it. In another one, after a
restore, it would hide events: so there every history is packed anew, and standings are told their signals
again, which changes nothing in them. Rows restored into tables that were migrated before bring the name of
the database that they come from, and count as such."""


def migrate(url: str) -> None:
    """Apply the missing migrations in one transaction; callers at the same time wait for one another.

    Raises
    ------
    Unavailable
        The database cannot be reached.
    """
    engine = sa.create_engine(_sqlalchemy_url(url), poolclass=sa.NullPool)
    try:
        with engine.begin() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            features = json.dumps(meanings(CATALOG))
            connection.execute(REMEMBER, {"version": CATALOG.version, "features": features})
            connection.execute(FORGET)
    except sa.exc.OperationalError as error:
        raise Unavailable("database", _first_line(error)) from error


def newest_version() -> str:
    """Return the revision that this code works with."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _sqlalchemy_url(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise Unavailable("database", "BUYER_TIER_DATABASE_URL is not postgresql://USER@HOST/NAME") from error
    return parsed.set(drivername="postgresql+psycopg")


def _first_line(error: sa.exc.OperationalError) -> str:
    return (str(error.orig).splitlines() or ["no answer"])[0]
