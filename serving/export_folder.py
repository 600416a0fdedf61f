"""A folder of Parquet parts that grows run by run: each run's parts appear when all of them are whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from features.errors import BadInput
from features.files import replacing

from .store.readback import SNAPSHOT, Mark

MANIFEST: Final = "manifest.json"
PENDING: Final = ".pending"
LOCK: Final = ".lock"


@dataclass(frozen=True)
class Manifest:
    """What the folder holds: the database, the snapshot up to which it is complete, rows by file."""

    database: str
    snapshot: str
    parts: Mapping[str, int]

    @property
    def runs(self) -> int:
        """How many runs have written parts."""
        return max((int(Path(name).name[:6]) for name in self.parts), default=0)

    def rows(self, folder: str) -> int:
        """Count the rows of one folder's parts."""
        return sum(rows for name, rows in self.parts.items() if Path(name).parent.name == folder)


@dataclass(frozen=True)
class Folder:
    """A folder held for one run; new parts are written to ``pending`` under the names they will have."""

    path: Path
    before: Manifest | None

    @property
    def pending(self) -> Path:
        """Where no reader looks."""
        return self.path / PENDING

    def take_over(self, mark: Mark, new: Mapping[str, int]) -> Manifest:
        """Move the new parts in and write the manifest that knows them."""
        manifest = Manifest(
            mark.database, mark.snapshot, {**(self.before.parts if self.before else {}), **new}
        )
        for name in new:
            (self.path / name).parent.mkdir(exist_ok=True)
            (self.pending / name).replace(self.path / name)
        with replacing(self.path / MANIFEST) as temporary:
            temporary.write_text(json.dumps(asdict(manifest), indent=1, sort_keys=True) + "\n")
        return manifest


@contextmanager
def held(path: Path) -> Iterator[Folder]:
    """Hold a new, an empty or an earlier export's folder; whatever fails leaves it as it was.

    A run that was killed while it moved its parts in leaves whole ones that the manifest does not know; the
    next writes the same names again.

    Raises
    ------
    BadInput
        It holds something else or lacks a part, another run holds it, or it cannot be written.
    """
    new = not path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True)
        with FileLock(path / LOCK, timeout=0):
            folder = Folder(path, _read(path))
            shutil.rmtree(folder.pending, ignore_errors=True)
            folder.pending.mkdir()
            try:
                yield folder
            finally:
                shutil.rmtree(folder.pending, ignore_errors=True)
                if new and not (path / MANIFEST).exists():
                    shutil.rmtree(path, ignore_errors=True)
    except Timeout:
        raise BadInput(f"{path}: another export is writing to it; wait for it") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror or error})") from error


def _read(path: Path) -> Manifest | None:
    if not (path / MANIFEST).exists():
        strangers = sorted(p.name for p in path.iterdir() if p.name not in (LOCK, PENDING))
        if strangers:
            raise BadInput(f"{path}: holds {strangers[0]} and is no export; name a new or an empty folder")
        return None
    try:
        manifest = Manifest(**json.loads((path / MANIFEST).read_text()))
        known = SNAPSHOT.fullmatch(manifest.snapshot) and all(
            int(rows) >= 0 for rows in manifest.parts.values()
        )
    except (ValueError, TypeError, AttributeError):
        known = None
    if not known:
        raise BadInput(f"{path / MANIFEST}: is not an export's manifest; name another folder")
    gone = sorted(name for name in manifest.parts if not (path / name).is_file())
    if gone:
        raise BadInput(f"{path}: {gone[0]} is gone; export everything into a new folder")
    return manifest
