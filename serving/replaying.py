"""Decide again what was decided, from what was stored, and compare the bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from decisions.policy import Policy
from decisions.standing import Standing
from decisions.standing_events import rebuild
from features.errors import BadInput
from models.buyer_score import BuyerScore
from models.deciding import path, record
from models.deciding.row import DecisionRow
from models.evidence import assess_vector
from models.mlflow_store import RegistryUnavailable

from .champion import Champion
from .errors import ModelGone, Unavailable
from .policies import made_by
from .store import dossiers
from .store.decisions import NAMES

if TYPE_CHECKING:
    from .store.database import Connection

DOCUMENTS = ("record", "answer")


@dataclass(frozen=True, slots=True)
class Difference:
    """A field in which the recomputed decision differs: as ``record.order_evidence.shipped``."""

    field: str
    stored: Any
    recomputed: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """All that a stored decision is made again from."""

    row: DecisionRow
    score: BuyerScore
    policy: Policy
    standing: Standing | None
    columns: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Columns:
    index: Mapping[str, int]


class Replayer:
    """Replays stored decisions by the very engine that made them.

    Parameters
    ----------
    champion : Champion
        Loads the models that made them.
    """

    def __init__(self, champion: Champion) -> None:
        self._champion = champion
        self._policies: dict[str, Policy] = {}
        self._columns: dict[str, Mapping[str, int]] = {}

    async def replay(self, connection: Connection, row: DecisionRow) -> list[Difference]:
        """Make a decision again; what differs, nothing if every byte is the same.

        Raises
        ------
        ModelGone
            The registry has its model no more.
        BadInput
            Its policy or its catalog is not stored.
        Unavailable
            The registry is away.
        """
        inputs = Inputs(
            row=row,
            score=self._score(row.model_version),
            policy=await self._policy(connection, row),
            standing=await _standing(connection, row),
            columns=await self._columns_of(connection, row.catalog_version),
        )
        return list(differences(row, again(inputs)))

    def _score(self, version: str) -> BuyerScore:
        try:
            return self._champion.score_of(version)
        except LookupError as error:
            raise ModelGone(version) from error
        except RegistryUnavailable as error:
            raise Unavailable("model", str(error)) from error

    async def _policy(self, connection: Connection, row: DecisionRow) -> Policy:
        version = row.policy_version
        if version not in self._policies:
            found = await made_by(connection, version)
            if found is None:
                raise BadInput(f"policy {version} of this decision is not stored here")
            self._policies[version] = found
        return record.policy_of(row.record, version=version, base=self._policies[version])

    async def _columns_of(self, connection: Connection, version: str) -> Mapping[str, int]:
        if version not in self._columns:
            found = await dossiers.catalog_columns(connection, version)
            if found is None:
                raise BadInput(f"catalog {version} of this decision is not known here")
            self._columns[version] = {name: i for i, (name, _) in enumerate(found)}
        return self._columns[version]


async def _standing(connection: Connection, row: DecisionRow) -> Standing | None:
    kept = record.standing_of(row.record)
    if kept is None:
        return None
    return rebuild(await dossiers.transitions_until(connection, row, kept.version))


def again(inputs: Inputs) -> DecisionRow:
    """Decide by the stored vector and evidence, and write it as it would be stored."""
    row = inputs.row
    request = record.request_of(row.record)
    buyer = assess_vector(
        np.frombuffer(row.vector, dtype="<f8").astype(np.float64),
        buyer_id=request.buyer_id,
        as_of=request.requested_at,
        score=inputs.score,
        catalog=_Columns(inputs.columns),
    )
    case = record.Case(
        request=request,
        buyer=buyer,
        order=record.order_of(row.record),
        previous_tier=record.previous_tier_of(row.record),
        model_version=row.model_version,
        catalog_version=row.catalog_version,
        policy=inputs.policy,
        decided_at=row.decided_at,
        usage=record.usage_of(row.record),
        shop=record.shop_of(row.record),
        standing=inputs.standing,
    )
    digests = [record.digest(request, dated=dated) for dated in (True, False)]
    digest = row.request_digest if row.request_digest in digests else digests[0]
    return record.row_of(case, path.decide_case(case), digest=digest, named=row.decision_id)


def differences(stored: DecisionRow, recomputed: DecisionRow) -> Iterator[Difference]:
    """Compare two rows, column by column, and inside record and answer field by field."""
    for name in NAMES:
        before, after = getattr(stored, name), getattr(recomputed, name)
        if before == after:
            continue
        if name not in DOCUMENTS:
            yield Difference(name, _shown(before), _shown(after))
            continue
        inside = list(_inside(name, _decoded(before), _decoded(after)))
        yield from inside or [Difference(name, "the same values", "spelt otherwise")]


def _decoded(document: bytes) -> Any:
    try:
        return msgspec.json.decode(document)
    except msgspec.MsgspecError:
        return document.hex()


def _inside(path: str, before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**before, **after}:
            yield from _inside(f"{path}.{key}", before.get(key), after.get(key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for i, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _inside(f"{path}[{i}]", one, other)
    elif before != after or type(before) is not type(after):
        yield Difference(path, before, after)


def _shown(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value
