"""``buyer-tier doctor``: look whether everything that the product needs is there and works."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from serving.settings import Settings

LIBRARIES = ("numpy", "pandas", "pyarrow", "numba", "scikit-learn", "lightgbm", "mlflow", "fastapi")


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Check Python, the compiled kernel, LightGBM, the database and the model registry.

    Exit code 1 when a check fails; each says what to do.

    Example: buyer-tier doctor
    """
    from rich.table import Table

    from buyer_tier.console import emit, err, out
    from serving.settings import Settings

    settings = Settings()
    found = []
    for name, check in CHECKS.items():
        with err.status(f"checking {name}"):
            found.append((name, *_answer(check, settings)))
    if as_json:
        emit([{"check": name, "ok": ok, "found": text} for name, ok, text in found])
    else:
        table = Table("check", "", "found", title="buyer-tier doctor")
        for name, ok, text in found:
            table.add_row(name, "[green]ok[/]" if ok else "[red]failed[/]", text)
        out.print(table)
    if not all(ok for _, ok, _ in found):
        sys.exit(1)


def _answer(check: Callable[[Settings], str], settings: Settings) -> tuple[bool, str]:
    try:
        return True, check(settings)
    except Exception as error:  # whatever is broken is the finding
        return False, " ".join(str(error).split())[:300]


def _python(_: Settings) -> str:
    if sys.version_info[:2] != (3, 11):
        raise RuntimeError(f"Python {sys.version.split()[0]}; buyer-tier is built for 3.11")
    return sys.version.split()[0]


def _libraries(_: Settings) -> str:
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)


def _openmp(_: Settings) -> str:
    try:
        import lightgbm
    except OSError as error:
        raise RuntimeError(f"LightGBM does not load ({error}); install OpenMP (Debian: libgomp1)") from error
    return f"LightGBM {lightgbm.__version__} loads"


def _kernel(_: Settings) -> str:
    from datetime import UTC, datetime

    from features.catalog import CATALOG
    from features.events import SCHEMA
    from features.online import buyer_vector

    vector = buyer_vector(SCHEMA.empty_table(), buyer_id="nobody", as_of=datetime(2026, 1, 1, tzinfo=UTC))
    return f"catalog {CATALOG.version}, {len(vector)} features"


def _database(settings: Settings) -> str:
    import asyncio

    import asyncpg

    from serving.store.embedded import database

    async def version(url: str) -> str:
        connection = await asyncpg.connect(url, timeout=settings.database_timeout_seconds)
        try:
            return str(await connection.fetchval("show server_version"))
        finally:
            await connection.close()

    with database(settings) as url:
        kind = "yours" if settings.database_url else "embedded"
        return f"PostgreSQL {asyncio.run(version(url))} ({kind})"


def _registry(settings: Settings) -> str:
    from models.registry import Registry

    champion = Registry(settings.tracking_uri).champion()
    if champion is None:
        return "reachable; no champion yet, train one (buyer-tier train --events DIR)"
    return f"champion is version {champion.version}, catalog {champion.catalog_version}"


CHECKS: dict[str, Callable[[Settings], str]] = {
    "Python": _python,
    "libraries": _libraries,
    "OpenMP": _openmp,
    "feature kernel": _kernel,
    "database": _database,
    "model registry": _registry,
}
