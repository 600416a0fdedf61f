"""An event log wherever it is, as files of this machine: what ``--events`` may name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from features.errors import BadInput
from features.parts import EVENTS_FILE
from features.scratch import Scratch

POSTGRESQL: Final = ("postgresql", "postgres")


@contextmanager
def local_log(events: str) -> Iterator[Path]:
    """Give the log's folder or file; what lies elsewhere is copied for as long as the block runs.

    Parameters
    ----------
    events : str
        A path, any URL that fsspec knows (``s3://…``, ``file://…``), or ``postgresql://…`` of a service's
        database. The copy goes to the folder for temporary files (``TMPDIR``), batch by batch.

    Raises
    ------
    BadInput
        There is nothing to read, or it cannot be reached. A password in the URL is never repeated.
    """
    if "://" not in events:
        yield Path(events)
        return
    copy = Scratch()
    try:
        yield _fetched(events, copy.path)
    except BadInput as error:  # the reader knows the URL, not our copy
        error.args = tuple(str(arg).replace(str(copy.path), shown(events)) for arg in error.args)
        raise
    finally:
        copy.remove()


def _fetched(events: str, folder: Path) -> Path:
    try:
        scheme = urlsplit(events).scheme.lower()
    except ValueError as error:
        raise BadInput(f"{shown(events)}: is not well formed ({error})") from None
    if scheme not in POSTGRESQL:
        from features.sources.remote import fetch

        return fetch(events, folder, shown=shown(events))
    from serving.errors import Unavailable
    from serving.export import spool_events

    try:
        spool_events(events, folder / "events.parquet")
    except Unavailable as error:
        raise BadInput(f"{shown(events)}: cannot be read ({error.reason})") from error
    except OSError as error:
        raise BadInput(f"{folder}: no room for the events ({error.strerror or error})") from error
    return folder


def refuse_inside(events: str, *targets: Path | None) -> None:
    """Raise `BadInput` for a target that is the log, or that its next reader would take for events."""
    log = Path(events).resolve()
    log = log / EVENTS_FILE if os.path.exists(log / EVENTS_FILE) else log
    for target in targets:
        if target is not None and "://" not in events and target.resolve().is_relative_to(log):
            raise BadInput(f"{target}: lies in the event log; name one outside of it")


def shown(url: str) -> str:
    """Write a URL without its password and its parameters, which may hold one.

    Of a URL that is not well formed only the scheme is shown: a password may be anywhere in it.
    """
    if "://" not in url:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"{url.partition('://')[0]}://…"
    user, _, host = parts.netloc.rpartition("@")
    name = user.partition(":")[0]
    try:
        sound = "@" not in f"{parts.path}{parts.query}{parts.fragment}" and parts.port != 0
    except ValueError:  # what stands for the port is no number
        sound = False
    return (
        f"{parts.scheme}://{name}{'@' if name else ''}{host}{parts.path}" if sound else f"{parts.scheme}://…"
    )
