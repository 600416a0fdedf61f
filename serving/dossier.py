"""One decision's dossier: all that it was made from and by, for whoever asks a year later why."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from decisions.caps import Usage
from decisions.caps import after as used_after
from decisions.chain import link
from decisions.policy import SHIPPED
from decisions.policy_file import canonical, content_id
from features.skew import Meaning
from models.deciding import record
from models.deciding.row import DecisionRow
from models.explanations import title_of

from .champion import Champion
from .store import chains, dossiers
from .store import decisions as decision_store
from .store.database import Database
from .store.dossiers import Place
from .store.policies import Activation, Proposed
from .store.policies import activations as acts
from .timeline import begun

if TYPE_CHECKING:
    from .store.database import Connection

OTHERS: Final = ("linked_abuse", "link_cleared")
"""Signals that name another buyer's account: the dossier says that there was one, not whose."""
HIDDEN: Final = "another account"
CHANGE: Final = (
    "version",
    "at",
    "from_state",
    "to_state",
    "rule",
    "kind",
    "actor",
    "policy_version",
    "until",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """What the store has of a decision."""

    row: DecisionRow
    place: Place
    before: bytes
    columns: Sequence[Meaning] | None
    policy: Proposed | None
    acts: Sequence[Activation]
    transitions: Sequence[Mapping[str, Any]]


class Dossiers:
    """Lays decisions open.

    Parameters
    ----------
    database : Database
    champion : Champion
        Loads the models that made them, for the reasons.
    """

    def __init__(self, *, database: Database, champion: Champion) -> None:
        self.database, self.champion = database, champion

    async def dossier(self, decision_id: str) -> dict[str, Any] | None:
        """Give the dossier of a decision, found by its id or by its after-sale's; None if there is none."""
        async with (
            self.database.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            row = await decision_store.find(connection, decision_id)
            if row is None:
                return None
            sources = await _sources(connection, row)
        told = await asyncio.to_thread(self.champion.reasons, row.model_version, [row.vector])
        reasons = None if told is None else [asdict(reason) for reason in told[0]]
        return laid_open(sources) | {"reasons": reasons}


async def _sources(connection: Connection, row: DecisionRow) -> Sources:
    standing, place = record.standing_of(row.record), await dossiers.place_of(connection, row)
    return Sources(
        row=row,
        place=place,
        before=await chains.hash_before(connection, place.chain, place.place),
        columns=await dossiers.catalog_columns(connection, row.catalog_version),
        policy=await dossiers.policy_text(connection, row.policy_version),
        acts=[act for act in begun(await acts(connection), row.decided_at) if act.made_at <= row.decided_at],
        transitions=await dossiers.transitions_until(
            connection, row, None if standing is None else standing.version
        ),
    )


def laid_open(sources: Sources) -> dict[str, Any]:
    """Put the dossier together, but for the reasons, which the model gives."""
    row, kept = sources.row, msgspec.json.decode(sources.row.record)
    rules = record.rules_of(row.answer)
    contradiction = next((r.detail for r in rules if r.code == "agrees_with_history" and not r.passed), None)
    return {
        "decision_id": row.decision_id,
        "after_sale_id": row.after_sale_id,
        "outcome": row.outcome,
        "message": msgspec.json.decode(row.answer)["message"],
        "requested_at": row.requested_at,
        "decided_at": row.decided_at,
        "request": kept["request"],
        "rules": [asdict(rule) for rule in rules],
        "failed": [rule.code for rule in rules if not rule.passed],
        "order_as_known": kept["order_evidence"],
        "contradictions": [] if contradiction is None else contradiction.split("; "),
        "buyer": {
            "buyer_id": row.buyer_id,
            "score": row.score,
            "p_abuse": row.p_abuse,
            "tier": row.tier,
            "tier_before": kept.get("previous_tier"),
            "tier_rule": kept.get("tier_rule"),
            "evidence": kept["buyer_evidence"],
        },
        "standing": {"state": row.standing, "changes": [_change(t) for t in sources.transitions]},
        "caps": _caps(row),
        "features": _features(row, sources.columns),
        "model": {"version": row.model_version, "catalog_version": row.catalog_version},
        "policy": _policy(sources),
        "propensity": row.propensity,
        "chain": _chain(sources),
    }


def _change(transition: Mapping[str, Any]) -> dict[str, Any]:
    """Show a standing's change without what would tell of another buyer."""
    evidence = dict(transition["evidence"])
    if transition["kind"] in OTHERS and "reference" in evidence:
        evidence["reference"] = HIDDEN
    return {name: transition[name] for name in CHANGE} | {
        "evidence": evidence,
        "way_back": transition["way_back"],
    }


def _caps(row: DecisionRow) -> dict[str, Any] | None:
    """Tell what was used before and after; None where the policy limited nothing."""
    before: Usage | None = record.usage_of(row.record)
    if before is None:
        return None
    granted = row.outcome == "auto_refund"
    after = used_after(before, row.refund_amount_fen) if granted else before
    return {"before": asdict(before), "after": asdict(after)}


def _features(row: DecisionRow, columns: Sequence[Meaning] | None) -> list[dict[str, Any]]:
    values = np.frombuffer(row.vector, dtype="<f8").tolist()
    names = [f"column {i}" for i in range(len(values))] if columns is None else [name for name, _ in columns]
    return [
        {"name": name, "title": title_of(name), "value": None if value != value else value}
        for name, value in zip(names, values, strict=True)
    ]


def _policy(sources: Sources) -> dict[str, Any]:
    """Give the policy's text as it is kept; in force is what the version says beside it."""
    name, *changes = sources.row.policy_version.split("+")
    found, shipped = sources.policy, SHIPPED.get(name)
    stored = {} if found is None else {"proposer": found.proposer, "proposed_at": found.proposed_at}
    text, content = (found.text, found.content_id) if found is not None else (None, None)
    if found is None and shipped is not None:
        text, content = canonical(shipped), content_id(shipped)
    return {
        "version": sources.row.policy_version,
        "changed_by_the_service": changes,
        "content_id": content,
        "text": text,
        **stored,
        "acts": [
            {
                "action": act.action,
                "version": act.version,
                "starts_at": act.starts_at,
                "made_at": act.made_at,
                "maker": act.maker,
                "reason": act.reason,
            }
            for act in sources.acts
        ],
    }


def _chain(sources: Sources) -> dict[str, Any]:
    place = sources.place
    return {
        "partition": chains.name_of(place.chain),
        "place": place.place,
        "digest": place.digest.hex(),
        "hash_before": sources.before.hex(),
        "hash": place.hash.hex(),
        "holds": place.hash == link(sources.before, place.digest, place=place.place),
    }
