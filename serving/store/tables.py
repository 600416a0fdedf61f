"""The tables. Text compares by bytes (collation C), as the features' sort order does."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

TEXT: Final = sa.Text(collation="C")
TIME: Final = sa.DateTime(timezone=True)
METADATA: Final = sa.MetaData()


def _text(name: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, TEXT, nullable=nullable)


def _time(name: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, TIME, nullable=options.pop("nullable", False), **options)


def _arrival() -> sa.Column[Any]:
    return sa.Column("arrival", sa.BigInteger, server_default=sa.text("(pg_current_xact_id()::text)::bigint"))


def _link() -> list[sa.Column[Any]]:
    """Give a chained row's place, see `CHAINS`."""
    numbers = [sa.Column(name, sa.BigInteger, nullable=False) for name in ("chain", "place")]
    return [*numbers, sa.Column("hash", postgresql.BYTEA, nullable=False)]


EVENTS: Final = sa.Table(
    "events",
    METADATA,
    sa.Column("event_id", TEXT, primary_key=True),
    _text("buyer_id", nullable=False),
    _text("kind", nullable=False),
    _time("occurred_at"),
    _time("recorded_at"),
    *(_text(n) for n in ("order_id", "after_sale_id", "shop_id", "category_id", "goods_type")),
    sa.Column("amount_fen", sa.BigInteger),
    *(_text(n) for n in ("stage", "fault", "outcome", "actor", "reason", "link_type", "link_value")),
    sa.Column("line_count", sa.Integer),
    _text("imputed"),
    _time("ingested_at", server_default=sa.func.now()),
    _arrival(),
    sa.Index("events_in_arrival", "arrival", postgresql_using="brin"),
    sa.Index("events_of_buyer", "buyer_id", "arrival"),
    sa.Index("events_of_order", "order_id"),
    sa.Index(
        "events_of_signals",
        "buyer_id",
        "arrival",
        postgresql_where=sa.text(
            "kind IN ('abuse_confirmed', 'abuse_cleared', 'dispute_closed', 'refund_found_shipped')"
        ),
    ),
    sa.Index("events_of_losses", "recorded_at", postgresql_where=sa.text("kind = 'refund_found_shipped'")),
    sa.Index(
        "events_of_abuse",
        "buyer_id",
        "arrival",
        postgresql_where=sa.text("kind IN ('abuse_confirmed', 'abuse_cleared')"),
    ),
)
"""The append-only log, the contract's columns; ``ingested_at`` is when this database learned of it.

``arrival`` is the transaction that brought a row. With a snapshot (which transactions were done) it tells
exactly what a reader could see, where times and sequences of transactions that overlap cannot. Null:
before all others.
"""

LINKS: Final = sa.Table(
    "links",
    METADATA,
    *(sa.Column(n, TEXT, primary_key=True) for n in ("link_type", "link_value", "buyer_id")),
    _time("first_recorded_at"),
    _text("event_id", nullable=False),
    _arrival(),
    sa.Index("links_in_order", "link_type", "link_value", "first_recorded_at", "buyer_id"),
    sa.Index("links_in_arrival", "link_type", "link_value", "arrival"),
)
"""Each account's first sight on each link, kept with every insert: the first 64 accounts of a link are
64 index entries, however many have come since and however often each was seen. ``arrival`` is the
transaction that last changed the row."""

PROFILES: Final = sa.Table(
    "buyer_profiles",
    METADATA,
    sa.Column("buyer_id", TEXT, primary_key=True),
    sa.Column("packed", postgresql.BYTEA),
    _text("seen"),
    sa.Column("seen_from", sa.BigInteger),
    *(sa.Column(n, sa.ARRAY(TEXT)) for n in ("link_types", "link_values", "peers")),
    _time("packed_at", nullable=True, server_default=sa.func.now()),
)
"""One row a buyer. ``packed`` is the history as `features.packed` has it, complete for the snapshot ``seen``
(``seen_from`` is its oldest running transaction); ``link_types`` and ``link_values`` are the buyer's links,
``peers`` the other first accounts on them. It is a copy: the log is the truth, and null or a doubt means to
read the log. It is stored out of line and not compressed, so that other columns can change without writing
it again: what caps and standing keep of a buyer belongs beside it."""

MADE_IN: Final = sa.Table("profiles_made_in", METADATA, sa.Column("database", TEXT, primary_key=True))
"""Which database's transactions ``seen`` counts in; after a restore into another one it means nothing."""

DECISIONS: Final = sa.Table(
    "decisions",
    METADATA,
    sa.Column("decision_id", TEXT, primary_key=True),
    sa.Column("after_sale_id", TEXT, nullable=False, unique=True),
    sa.Column("request_digest", postgresql.BYTEA, nullable=False),
    *(_text(n, nullable=False) for n in ("buyer_id", "order_id", "shop_id", "outcome")),
    sa.Column("refund_amount_fen", sa.BigInteger, nullable=False),
    sa.Column("score", sa.Double, nullable=False),
    sa.Column("p_abuse", sa.Double, nullable=False),
    *(
        _text(n, nullable=False)
        for n in ("tier", "standing", "model_version", "catalog_version", "policy_version")
    ),
    sa.Column("propensity", sa.Double, nullable=False),
    sa.Column("vector", postgresql.BYTEA, nullable=False),
    sa.Column("record", postgresql.BYTEA, nullable=False),
    sa.Column("answer", postgresql.BYTEA, nullable=False),
    _time("requested_at"),
    _time("decided_at"),
    _arrival(),
    sa.Column("seen", TEXT, server_default=sa.text("pg_current_snapshot()::text")),
    *_link(),
    sa.Index("decisions_in_chain", "chain", "place", unique=True),
    sa.Index("decisions_in_arrival", "arrival", postgresql_using="brin"),
    sa.Index("decisions_of_buyer", "buyer_id", "decision_id"),
    sa.Index("decisions_of_shop", "shop_id", "decision_id"),
    sa.Index("decisions_by_outcome", "outcome", "decision_id"),
    sa.Index("decisions_of_order", "order_id"),
)
"""Append-only. ``vector`` is little-endian float64; ``record`` the request and the evidence, ``answer``
what was answered, both as the bytes that they were. ``seen`` is the snapshot in which the row was stored."""

CHAINS: Final = sa.Table(
    "chains",
    METADATA,
    sa.Column("chain", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("place", sa.BigInteger, nullable=False),
    sa.Column("hash", postgresql.BYTEA, nullable=False),
)
"""The last place and hash of each chain (`serving.store.chains`). Rows of ``decisions``, ``policies``,
``policy_activations`` and ``standing_transitions`` have a place in one; a trigger moves this on as they come
in. The numbers of a month's chains are one range, by which those tables can be partitioned one day: a
partition then holds whole chains, and is checked against heads that stay here when it has gone."""

CATALOGS: Final = sa.Table(
    "catalogs",
    METADATA,
    sa.Column("catalog_version", TEXT, primary_key=True),
    sa.Column("features", sa.JSON, nullable=False),
)
"""What the columns of stored vectors were: ``[[name, meaning], …]`` of each catalog that has been in use."""

SKEW_CHECKS: Final = sa.Table(
    "skew_checks",
    METADATA,
    sa.Column("check_id", sa.BigInteger, sa.Identity(), primary_key=True),
    _time("checked_at", server_default=sa.func.now()),
    sa.Column("summary", sa.JSON, nullable=False),
)
"""What each run of ``features verify`` found, in short; the newest is exported as metrics."""

POLICIES: Final = sa.Table(
    "policies",
    METADATA,
    sa.Column("version", TEXT, primary_key=True),
    *(_text(n, nullable=False) for n in ("content_id", "text", "proposed_by", "proposer")),
    _time("proposed_at", server_default=sa.func.clock_timestamp()),
    *_link(),
    sa.Index("policies_in_chain", "chain", "place", unique=True),
)
"""Proposed policies, never changed: ``text`` is the canonical one, ``content_id`` its SHA-256;
``proposed_by`` is the key's id, ``proposer`` its name."""

POLICY_ACTIVATIONS: Final = sa.Table(
    "policy_activations",
    METADATA,
    sa.Column("activation_id", sa.BigInteger, sa.Identity(), primary_key=True),
    _text("action", nullable=False),
    sa.Column("version", TEXT, sa.ForeignKey("policies.version")),
    _time("starts_at", nullable=True),
    *(_text(n, nullable=False) for n in ("made_by", "maker")),
    _time("made_at", server_default=sa.func.clock_timestamp()),
    _text("reason", nullable=False),
    sa.CheckConstraint("action IN ('activate', 'rollback', 'stop', 'resume')", name="known_action"),
    *_link(),
    sa.Index("policy_activations_in_chain", "chain", "place", unique=True),
)
"""What was put in force, only added to. ``version`` null is the shipped policy; ``starts_at`` null is at
once, whatever the clocks say. Each row notifies the services that listen."""

STANDINGS: Final = sa.Table(
    "standings",
    METADATA,
    sa.Column("buyer_id", TEXT, primary_key=True),
    _text("state", nullable=False),
    _time("until", nullable=True),
    sa.Column("record", postgresql.BYTEA, nullable=False),
    _text("seen"),
    sa.Column("seen_from", sa.BigInteger),
)
"""One row a buyer of whom anything was heard: ``record`` is what `decisions.standing_events` writes, with
every signal in it that the snapshot ``seen`` shows. It is rebuilt from the transitions."""

STANDING_TRANSITIONS: Final = sa.Table(
    "standing_transitions",
    METADATA,
    sa.Column("buyer_id", TEXT, primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    _time("at"),
    _text("appeal"),
    sa.Column("event", postgresql.BYTEA, nullable=False),
    _time("written_at", server_default=sa.func.now()),
    *_link(),
    sa.Index("standing_transitions_in_chain", "chain", "place", unique=True),
    sa.Index(
        "standing_transitions_of_appeal",
        "appeal",
        unique=True,
        postgresql_where=sa.text("appeal IS NOT NULL"),
    ),
)
"""Every change of a standing, only added to; ``appeal`` where one was filed."""

SHOP_FIGURES: Final = sa.Table(
    "shop_figures",
    METADATA,
    sa.Column("shop_id", TEXT, primary_key=True),
    _time("measured_at"),
    sa.Column("orders", sa.BigInteger, nullable=False),
    *(sa.Column(n, sa.Double) for n in ("late_ship_rate", "tracking_lag_p90_hours", "dispute_rate")),
)
"""What the last sweep measured of each shop; null is not known. A copy, made anew from the log."""

SWEEPS: Final = sa.Table(
    "sweeps",
    METADATA,
    sa.Column("sweep_id", sa.BigInteger, sa.Identity(), primary_key=True),
    _time("started_at", server_default=sa.func.now()),
    _time("finished_at", nullable=True),
    sa.Column("changes", sa.JSON, nullable=False, server_default="[]"),
)
"""One row a sweep: ``changes`` is ``[[state before, state after, rule, how often], …]``, exact also of one
that was broken off, which has no end. Exported as metrics."""

API_KEYS: Final = sa.Table(
    "api_keys",
    METADATA,
    sa.Column("key_id", TEXT, primary_key=True),
    _text("name", nullable=False),
    sa.Column("key_hash", postgresql.BYTEA, nullable=False, unique=True),
    sa.Column("scopes", sa.ARRAY(TEXT), nullable=False),
    _time("created_at"),
    _time("expires_at", nullable=True),
    _time("revoked_at", nullable=True),
)
