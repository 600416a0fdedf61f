"""Scores of buyers, one or many, by the features that a decision would see."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from decisions.policy import Policy, with_guarantee
from decisions.request import BuyerEvidence
from decisions.tiers import Given, Tier, counted, tier_of
from features.batch import feature_table
from features.catalog import CATALOG
from features.errors import BadInput
from features.events import TIMESTAMP
from models.deciding.many import buyer_evidences
from models.reasons import Reason
from models.registry import LoadedModel

from .champion import Champion
from .errors import Unavailable
from .gathering import WAITING, Gathering
from .histories import Known, known_of
from .policies import Policies
from .store import decisions as decision_store
from .store import events as event_store
from .store import profiles
from .store.database import Database

BUYERS_AT_ONCE: Final = 200


@dataclass(kw_only=True, slots=True)
class BuyerScored:
    """A buyer's score at an instant; ``reasons`` is None unless asked for. Not frozen: it lives briefly."""

    buyer_id: str
    as_of: datetime
    evidence: BuyerEvidence
    tier: Tier
    reasons: list[Reason] | None
    model_version: str
    catalog_version: str


@dataclass(slots=True)
class _Ask:
    buyer_id: str
    as_of: datetime
    explain: bool


class ScoringService:
    """Scores buyers.

    Parameters
    ----------
    database : Database
    champion : Champion
    policies : Policies
        The policy in force gives the tiers; the one before is of each buyer's latest decision, if it counts.
    waiting : int
        How many lookups may wait for their group.
    """

    def __init__(
        self,
        *,
        database: Database,
        champion: Champion,
        policies: Policies | None = None,
        waiting: int = WAITING,
    ) -> None:
        self.database, self.champion, self.policies = database, champion, policies or Policies()
        self._lookups = Gathering[_Ask, BuyerScored](self._look, limit=waiting)

    async def score(self, buyer_id: str, *, as_of: datetime, explain: bool) -> BuyerScored:
        """Score one buyer by what was known before ``as_of``, the way that a decision does."""
        return await self._lookups.ask(_Ask(buyer_id, as_of, explain))

    def _policy(self, model: LoadedModel, as_of: datetime) -> Policy:
        return with_guarantee(self.policies.at(as_of), model.guaranteed_cut_off)

    async def _look(self, asks: Sequence[_Ask]) -> list[BuyerScored | BadInput]:
        """Look buyers up together; a history that was behind is kept, where the database lets us."""
        model, asked = self.champion.current(), [(ask.buyer_id, ask.as_of) for ask in asks]
        buyer_ids, instants = zip(*asked, strict=True)
        async with self.database.connection() as connection:
            seen = await decision_store.look(connection, buyer_ids, instants)
            known = await known_of(connection, asked, [profile for _, profile in seen])
        keep = [one.keep for one in known if isinstance(one, Known) and one.keep is not None]
        if keep:
            with suppress(Unavailable):
                async with self.database.transaction() as connection:
                    await profiles.save(connection, keep)
        vectors = [one.vector for one in known if isinstance(one, Known)]
        evidences = iter(buyer_evidences(np.array(vectors), score=model.score))
        return [
            one
            if isinstance(one, BadInput)
            else _scored(ask, one.vector, next(evidences), tier, model, self._policy(model, ask.as_of))
            for ask, one, (tier, _) in zip(asks, known, seen, strict=True)
        ]

    async def scores(self, buyer_ids: Sequence[str], *, as_of: datetime, explain: bool) -> list[BuyerScored]:
        """Score buyers by what was known before ``as_of``, in the order of the ids."""
        if len(buyer_ids) == 1:
            return [await self.score(buyer_ids[0], as_of=as_of, explain=explain)]
        model, scored = self.champion.current(), []
        policy = self._policy(model, as_of)
        for start in range(0, len(buyer_ids), BUYERS_AT_ONCE):
            some = buyer_ids[start : start + BUYERS_AT_ONCE]
            async with self.database.connection() as connection:
                events = await event_store.history(connection, list(set(some)), as_of)
                tiers = await decision_store.tiers_before(connection, some, [as_of] * len(some))
            scored += await asyncio.to_thread(
                _all_scored,
                events,
                some,
                as_of=as_of,
                model=model,
                policy=policy,
                explain=explain,
                before=tiers,
            )
        return scored


def _all_scored(
    events: pa.Table,
    buyer_ids: Sequence[str],
    *,
    as_of: datetime,
    model: LoadedModel,
    policy: Policy,
    explain: bool,
    before: Sequence[Given | None],
) -> list[BuyerScored]:
    spine = pa.table({"buyer_id": buyer_ids, "as_of": pa.repeat(pa.scalar(as_of, TIMESTAMP), len(buyer_ids))})
    features = feature_table(events, spine)
    vectors = np.column_stack([features[name].to_numpy() for name in CATALOG.names])
    evidences = buyer_evidences(vectors, score=model.score)
    return [
        _scored(_Ask(buyer_id, as_of, explain), vector, evidence, tier, model, policy)
        for buyer_id, vector, evidence, tier in zip(buyer_ids, vectors, evidences, before, strict=True)
    ]


def _scored(
    ask: _Ask,
    vector: npt.NDArray[np.float64],
    evidence: BuyerEvidence,
    previous: Given | None,
    model: LoadedModel,
    policy: Policy,
) -> BuyerScored:
    return BuyerScored(
        buyer_id=ask.buyer_id,
        as_of=ask.as_of,
        evidence=evidence,
        tier=tier_of(evidence, policy, previous=counted(previous, policy)),
        reasons=model.score.explain(vector) if ask.explain else None,
        model_version=model.version,
        catalog_version=str(model.catalog_version),
    )
