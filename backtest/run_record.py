"""What a run is made of, written into its folder first: a later run there must be the same to go on."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from decisions.policy import NOTICE, Policy
from decisions.policy_file import content_id
from features.catalog import CATALOG
from features.content import fingerprints_before
from features.errors import BadInput
from features.files import LOCK, claimed, replacing
from features.scan import Log
from models.policy_files import read_policy

FILE: Final = "run.json"
DECIDED: Final = ("policies", "worlds")
"""Folders of a run that hold decisions; without either nothing was decided."""
_EVER: Final = np.array([np.iinfo(np.int64).max])


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """All that the decisions of a run follow from.

    Attributes
    ----------
    log : str
        Fingerprint of the events, whatever the order of their rows and files.
    policies : dict of str to str
        Content id by version.
    models : str
        How the scores come about: a version, or how models are trained.
    since, until : str or None
        Which requests.
    goods : str or None
        What orders hold of which the log does not say it.
    catalog : str
    """

    log: str
    policies: dict[str, str]
    models: str
    since: str | None
    until: str | None
    goods: str | None
    catalog: str = CATALOG.version


def inputs_of(
    log: Log,
    policies: Sequence[Policy],
    *,
    models: str,
    since: datetime | None,
    until: datetime | None,
    goods: str | None = None,
) -> Inputs:
    """Fingerprint what goes into a run."""
    return Inputs(
        log=fingerprints_before(log, _EVER)[0],
        policies=policies_of(policies),
        models=models,
        since=None if since is None else since.isoformat(),
        until=None if until is None else until.isoformat(),
        goods=None if goods is None else str(goods),
    )


def policies_of(policies: Sequence[Policy]) -> dict[str, str]:
    """Give the content of each policy by its version."""
    return {policy.version: content_id(policy) for policy in policies}


@contextmanager
def recorded(out: Path, inputs: Inputs) -> Iterator[None]:
    """Claim a run's folder and write the inputs down; refused before anything is decided, it is free again.

    A folder that is another's stays as it was.

    Raises
    ------
    BadInput
        Another run is writing there; the folder holds something else.
    """
    known = os.path.exists(out / LOCK)
    with claimed(out, result=out):
        try:
            _begin(out, inputs)
        except BadInput:
            if not known:
                (out / LOCK).unlink(missing_ok=True)
            raise
        try:
            yield
        except BadInput:
            if not any((out / name).exists() for name in DECIDED):
                _undo(out)
            raise


def _begin(out: Path, inputs: Inputs) -> None:
    """Write the inputs down, or find that an earlier run of the same began here."""
    path = out / FILE
    if path.exists():
        before = _read(path)
        if before != asdict(inputs):
            changed = ", ".join(k for k, v in asdict(inputs).items() if before.get(k) != v)
            raise BadInput(f"{out}: holds a run of other inputs ({changed}); name another folder")
        return
    if out.is_dir() and any(file for file in out.iterdir() if file.name[0] != "."):
        raise BadInput(f"{out}: holds something else than a backtest; name an empty or a new folder")
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(asdict(inputs), indent=1, ensure_ascii=False))


def _undo(out: Path) -> None:
    """Take back what a run makes before it decides, and the folder if nothing else is in it."""
    for name in (FILE, "features.parquet", LOCK):
        (out / name).unlink(missing_ok=True)
    shutil.rmtree(out / "models", ignore_errors=True)
    with suppress(OSError):
        out.rmdir()


def leaves_cut_off(policies: Sequence[Policy]) -> bool:
    """Tell whether a policy leaves the cut-off to its model, which then must prove one."""
    return any(policy.quality_score_min is None for policy in policies)


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        found["log"]  # of every run
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BadInput(f"{path}: is not the record of a backtest ({error}); name another folder") from None
    return found


def read_policies(paths: Sequence[Path]) -> list[Policy]:
    """Read policies, each of its own version; without any the shipped notice.

    Raises
    ------
    BadInput
        One cannot be read (see `read_policy`), or two have one version.
    """
    policies = [read_policy(str(path)) for path in paths] or [NOTICE]
    versions = [policy.version for policy in policies]
    if twice := next((v for v in versions if versions.count(v) > 1), None):
        raise BadInput(f"two policies have the version {twice}; give each a name of its own")
    return policies
