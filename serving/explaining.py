"""Why a stored decision came out as it did, told to the buyer, to the merchant or to the operator.

Each hears of the decision as it was made: by the stored vector, tier and rule, and by the model of then. What
buyer and merchant hear holds no number of the model, no reason code and no id of the buyer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal, cast

import numpy as np

from decisions.engine import Outcome
from decisions.policy import Policy
from decisions.tiers import Tier, quality_edge
from features.catalog import CATALOG
from features.online import rows_vector
from features.rows import Row
from models.buyer_score import BuyerScore
from models.deciding import record
from models.deciding.row import DecisionRow
from models.explanations import ORDER_FAULTS, for_buyer, for_merchant, for_operator
from models.mlflow_store import RegistryUnavailable

from .champion import Champion
from .errors import ModelGone, Unavailable
from .policies import made_by
from .store import decisions as decision_store
from .store import events as event_store
from .store.database import Database

Audience = Literal["buyer", "merchant", "operator"]


class Explainer:
    """Explains stored decisions.

    Parameters
    ----------
    database : Database
    champion : Champion
        Loads the models that older decisions were made with.
    policy : Policy
        The shipped one, for decisions by a policy that is stored nowhere.
    """

    def __init__(self, *, database: Database, champion: Champion, policy: Policy) -> None:
        self.database, self.champion, self.policy = database, champion, policy

    async def explanation(self, decision_id: str, audience: Audience) -> dict[str, Any] | None:
        """Explain a decision, found by its id or by its after-sale's; None if there is none.

        Raises
        ------
        ModelGone
            The model that made it has been deleted.
        Unavailable
            The database or the registry is away.
        """
        rows: Sequence[Row] = ()
        async with self.database.connection() as connection:
            row = await decision_store.find(connection, decision_id)
            if row is None:
                return None
            if audience == "operator":
                rows = await event_store.rows(connection, row.buyer_id, row.requested_at)
            base = await made_by(connection, row.policy_version, shipped=self.policy) or self.policy
        head = {"decision_id": row.decision_id, "after_sale_id": row.after_sale_id, "for": audience}
        if audience == "merchant":
            return head | _merchants(row)
        policy = record.policy_of(row.record, version=row.policy_version, base=base)
        return head | await asyncio.to_thread(self._by_model, row, rows, audience, policy)

    def _by_model(
        self, row: DecisionRow, rows: Sequence[Row], audience: Audience, policy: Policy
    ) -> dict[str, Any]:
        try:
            score = self.champion.score_of(row.model_version)
        except LookupError as error:
            raise ModelGone(row.model_version) from error
        except RegistryUnavailable as error:
            raise Unavailable("model", str(error)) from error
        if audience == "buyer":
            return _buyers(row, score, policy)
        return _operators(row, rows, score, policy)


def _merchants(row: DecisionRow) -> dict[str, Any]:
    told = for_merchant(cast(Outcome, row.outcome), record.rules_of(row.answer))
    return {"outcome": row.outcome} | asdict(told)


def _buyers(row: DecisionRow, score: BuyerScore, policy: Policy) -> dict[str, Any]:
    """Leave out the tier's and the reasons' inner names: `links` would tell of other accounts."""
    rules = record.rules_of(row.answer)
    evidence, tier = record.evidence_of(row.record), cast(Tier, row.tier)
    told = for_buyer(_vector(row), score=score, policy=policy, evidence=evidence, tier=tier)
    return {
        "outcome": row.outcome,
        "message": for_merchant(cast(Outcome, row.outcome), rules).message,
        "because": [ORDER_FAULTS[r.code] for r in rules if not r.passed and r.code in ORDER_FAULTS],
        "summary": told.summary,
        "reasons": [{"helps": r.helps, "what": r.what, "change": r.change} for r in told.reasons],
    }


def _operators(row: DecisionRow, rows: Sequence[Row], score: BuyerScore, policy: Policy) -> dict[str, Any]:
    vector, as_of = _vector(row), row.requested_at
    same = None
    if row.catalog_version == CATALOG.version:
        now = rows_vector(rows, buyer_id=row.buyer_id, as_of=as_of)
        same = bool(np.array_equal(now, vector, equal_nan=True))
    told = for_operator(
        rows,
        buyer_id=row.buyer_id,
        as_of=as_of,
        score=score,
        policy=policy,
        vector=vector,
        tier=cast(Tier, row.tier),
    )
    return {
        "buyer_id": row.buyer_id,
        "outcome": row.outcome,
        "rules": [asdict(verdict) for verdict in record.rules_of(row.answer)],
        "standing": row.standing,
        "previous_tier": record.previous_tier_of(row.record),
        "quality_score_min": policy.quality_score_min,
        "quality_kept_from": quality_edge(policy, previous="quality"),
        "model_version": row.model_version,
        "policy_version": row.policy_version,
        "requested_at": as_of,
        "decided_at": row.decided_at,
        "history_as_decided": same,
    } | asdict(told)


def _vector(row: DecisionRow) -> np.ndarray:
    return np.frombuffer(row.vector, dtype="<f8").astype(np.float64)
