"""The one path of a decision, for HTTP and the command line: history, assessment, rules, record."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from decisions.engine import decide
from decisions.policy import NOTICE, Policy, with_guarantee
from decisions.request import OrderEvidence, RefundRequest
from models.evidence import assess_buyer, order_evidence
from models.registry import LoadedModel

from . import record
from .champion import Champion
from .errors import AfterSaleConflict
from .store import decisions as decision_store
from .store import events as event_store
from .store.database import Database
from .store.decisions import DecisionRow, Granted, Page
from .store.ids import new_id

if TYPE_CHECKING:
    from .store.database import Connection

Observe = Callable[[str, float], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """A stored decision; ``created`` is False when it had been made before."""

    row: DecisionRow
    created: bool


class DecisionService:
    """Decides refunds and keeps the decisions.

    Parameters
    ----------
    database : Database
    champion : Champion
    policy : Policy
        One that leaves the cut-off to the model is completed with each model's guaranteed one.
    observe : callable
        Told the name and the seconds of each stage of a decision.
    """

    def __init__(
        self,
        *,
        database: Database,
        champion: Champion,
        policy: Policy = NOTICE,
        observe: Observe = lambda _stage, _seconds: None,
    ) -> None:
        self.database, self.champion, self.policy, self._observe = database, champion, policy, observe

    async def decide(self, request: RefundRequest, *, digest: bytes, decided_at: datetime) -> Decided:
        """Decide once: the first call of an after-sale id stores what every later one gets.

        Everything happens in one transaction, in turn with others of the same buyer or order, so that two
        requests for one order cannot both be granted its money.

        Raises
        ------
        AfterSaleConflict
            The after-sale id was decided for another digest.
        Unavailable
            The database or the model is away; nothing was decided.
        """
        async with self.database.transaction() as connection:
            with self._stage("turn"):
                await decision_store.take_turn(
                    connection, buyer_id=request.buyer_id, order_id=request.order.order_id
                )
                known = await decision_store.of_after_sale(connection, request.after_sale_id)
            if known is None:
                row = await self._row(connection, request, digest=digest, decided_at=decided_at)
                with self._stage("store"):
                    if await decision_store.add(connection, row):
                        return Decided(row=row, created=True)
                known = await decision_store.of_after_sale(connection, request.after_sale_id)
        if known is None or known.request_digest != digest:
            raise AfterSaleConflict(request.after_sale_id)
        return Decided(row=known, created=False)

    async def _row(
        self, connection: Connection, request: RefundRequest, *, digest: bytes, decided_at: datetime
    ) -> DecisionRow:
        model = self.champion.current()
        with self._stage("history"):
            rows = await event_store.rows(connection, request.buyer_id, request.requested_at)
            order_id, buyer_id = request.order.order_id, request.buyer_id
            granted = await decision_store.granted(
                connection, order_id=order_id, buyer_id=buyer_id, as_of=request.requested_at
            )
            foreign = await event_store.has_other_buyer(
                connection, order_id=order_id, buyer_id=buyer_id, as_of=request.requested_at
            )
            previous = await decision_store.latest_tier(connection, buyer_id)
        with self._stage("assess"):
            buyer = assess_buyer(rows, buyer_id=buyer_id, as_of=request.requested_at, score=model.score)
            heard = order_evidence(rows, buyer_id=buyer_id, order_id=order_id, as_of=request.requested_at)
            order = replace(_with(granted, heard), of_another_buyer=foreign)
            policy = self.in_force(model)
            made = decide(
                request,
                buyer=buyer.evidence,
                order=order,
                policy=policy,
                decided_at=decided_at,
                previous_tier=previous,
            )
            points, version = buyer.evidence.score, model.version
            self.champion.saw(request.after_sale_id, buyer.vector, points=points, version=version)
            case = record.Case(
                decision_id=new_id(decided_at),
                request=request,
                decision=made,
                buyer=buyer,
                order=order,
                previous_tier=previous,
                model_version=model.version,
                catalog_version=str(model.catalog_version),
                policy=policy,
                decided_at=decided_at,
            )
            return record.row_of(case, digest=digest)

    def in_force(self, model: LoadedModel) -> Policy:
        """Give the policy as it is with a model."""
        return with_guarantee(self.policy, model.guaranteed_cut_off)

    async def explain(self, rows: list[DecisionRow]) -> list[bytes]:
        """Give the answers of stored decisions with their reasons, by the models that made them."""
        return await asyncio.to_thread(self._explained, rows)

    def _explained(self, rows: list[DecisionRow]) -> list[bytes]:
        answers = []
        for row in rows:
            reasons = self.champion.reasons(row.model_version, [row.vector])
            answers.append(record.with_reasons(row.answer, reasons[0]) if reasons else row.answer)
        return answers

    async def find(self, decision_id: str) -> DecisionRow | None:
        """Find a decision by its id."""
        async with self.database.connection() as connection:
            return await decision_store.by_id(connection, decision_id)

    async def listed(self, page: Page) -> list[DecisionRow]:
        """List decisions, newest first, one more than the limit if there is more."""
        async with self.database.connection() as connection:
            return await decision_store.listed(connection, page)

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self._observe(name, time.perf_counter() - started)


def _with(granted: Granted, heard: OrderEvidence) -> OrderEvidence:
    """Add what earlier decisions say of the order; of what was paid, the log's word goes first."""
    return replace(
        heard,
        refunded_fen=heard.refunded_fen + granted.unheard_fen,
        paid_amount_fen=granted.paid_amount_fen if heard.paid_amount_fen is None else heard.paid_amount_fen,
    )
