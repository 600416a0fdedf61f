"""What ours is measured beside: constants, and the variant that anybody would write first.

``python -m benchmarks.serving_others raw|ceiling|naive PORT`` serves one of them with uvicorn, the way that
ours is served.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
import uvicorn
from fastapi import FastAPI
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from decisions.engine import MESSAGES, decide
from decisions.policy import NOTICE
from decisions.rules import RULES
from models.evidence import assess_buyer, order_evidence
from models.registry import Registry
from serving.api.schemas import BuyerScoreOut, RefundDecision, RefundDecisionIn
from serving.settings import Settings
from serving.store.ids import new_id

WHEN: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
DECISION: Final = RefundDecision(
    decision_id="019c9f5a-7c00-7000-8000-000000000000",
    after_sale_id="AS-1",
    outcome="manual_review",
    message={"zh": MESSAGES["manual_review"].zh, "en": MESSAGES["manual_review"].en},  # type: ignore[arg-type]
    rules=[{"code": code, "passed": True, "detail": "unshipped, must be unshipped"} for code in RULES],  # type: ignore[misc]
    buyer={"score": 742.5, "tier": "quality", "standing": "eligible", "reasons": None},  # type: ignore[arg-type]
    model_version="1",
    policy_version=NOTICE.version,
    decided_at=WHEN,
)
REASON: Final = {"code": "refunds", "text": {"zh": "退款多", "en": "many refunds"}, "contribution": 0.25}
SCORE: Final = BuyerScoreOut(
    buyer_id="B-1",
    score=742.5,
    p_abuse=0.01,
    tier="quality",
    reasons=[REASON] * 3,  # type: ignore[list-item]
    as_of=WHEN,
    model_version="1",
    catalog_version="0123456789abcdef",
)


def ceiling() -> FastAPI:
    """Make FastAPI with pydantic, the request and the answer of ours, and nothing between them."""
    app = FastAPI()

    @app.post("/v1/refund-decisions", status_code=201)
    async def create(sent: RefundDecisionIn) -> RefundDecision:
        return DECISION

    @app.get("/v1/buyers/{buyer_id}/score")
    async def score(buyer_id: str) -> BuyerScoreOut:
        return SCORE

    return app


async def raw(scope: Any, receive: Any, send: Any) -> None:
    """Answer a constant with no framework at all: what server and client can do."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    body = RAW
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 201, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


RAW: Final = DECISION.model_dump_json().encode()


class Base(DeclarativeBase):
    """The naive variant's tables."""


class Event(Base):
    """The service's own log, read through the ORM."""

    __tablename__ = "events"
    event_id: Mapped[str] = mapped_column(primary_key=True)
    buyer_id: Mapped[str]
    kind: Mapped[str]
    occurred_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    recorded_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    order_id: Mapped[str | None]
    shop_id: Mapped[str | None]
    category_id: Mapped[str | None]
    amount_fen: Mapped[int | None] = mapped_column(sa.BigInteger)
    stage: Mapped[str | None]
    fault: Mapped[str | None]
    outcome: Mapped[str | None]
    actor: Mapped[str | None]
    link_type: Mapped[str | None]
    link_value: Mapped[str | None]
    line_count: Mapped[int | None]


class NaiveDecision(Base):
    """A decision; the answer as JSON."""

    __tablename__ = "naive_decisions"
    decision_id: Mapped[str] = mapped_column(primary_key=True)
    after_sale_id: Mapped[str] = mapped_column(unique=True)
    buyer_id: Mapped[str] = mapped_column(index=True)
    answer: Mapped[dict[str, Any]] = mapped_column(sa.JSON)


def naive() -> FastAPI:
    """Make the service that keeps no history and groups nothing: one transaction a request through the ORM.

    It does less than ours: no accounts behind links, no other decisions of the order, no lock.
    """
    settings = Settings()
    url = sa.make_url(settings.database_url or "").set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, pool_size=20)
    Base.metadata.tables["naive_decisions"].create(engine, checkfirst=True)
    sessions, app, registry = sessionmaker(engine), FastAPI(), Registry(settings.tracking_uri)
    model = registry.load(registry.champion_version() or "")

    @app.post("/v1/refund-decisions", status_code=201)
    def create(sent: RefundDecisionIn) -> RefundDecision:
        with sessions() as db:
            return decided(db, sent)

    def decided(db: Session, sent: RefundDecisionIn) -> RefundDecision:
        now = datetime.now(UTC)
        request = sent.request(now)
        known = db.scalar(sa.select(NaiveDecision).filter_by(after_sale_id=request.after_sale_id))
        if known is not None:
            return RefundDecision.model_validate(known.answer)
        found = db.scalars(sa.select(Event).filter_by(buyer_id=request.buyer_id))
        rows = [{name: getattr(row, name) for name in COLUMNS} for row in found]
        buyer = assess_buyer(rows, buyer_id=request.buyer_id, as_of=now, score=model.score)
        order = order_evidence(rows, buyer_id=request.buyer_id, order_id=request.order.order_id, as_of=now)
        made = decide(request, buyer=buyer.evidence, order=order, policy=NOTICE, decided_at=now)
        answer = DECISION.model_copy(
            update={
                "decision_id": new_id(now),
                "after_sale_id": request.after_sale_id,
                "outcome": made.outcome,
                "rules": [{"code": v.code, "passed": v.passed, "detail": v.detail} for v in made.rules],
                "buyer": {
                    "score": buyer.evidence.score,
                    "tier": made.tier,
                    "standing": made.standing,
                    "reasons": None,
                },
            }
        )
        answer = RefundDecision.model_validate(answer.model_dump())
        db.add(
            NaiveDecision(
                decision_id=answer.decision_id,
                after_sale_id=request.after_sale_id,
                buyer_id=request.buyer_id,
                answer=answer.model_dump(mode="json"),
            )
        )
        db.commit()
        return answer

    return app


COLUMNS: Final = tuple(Event.__table__.columns.keys())
APPS: Final = {"raw": lambda: raw, "ceiling": ceiling, "naive": naive}

if __name__ == "__main__":
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    uvicorn.run(
        APPS[sys.argv[1]](),
        port=int(sys.argv[2]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        lifespan="off",
    )
