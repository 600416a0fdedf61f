"""Decisions, standings' transitions, policies and acts on them are chained, and refuse to be changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from decisions.chain import digest, genesis, link

revision = "0008"
down_revision = "0007"

CHAINED: Final = {
    "policies": ("version", "content_id", "text", "proposed_by", "proposer", "proposed_at"),
    "policy_activations": (
        *("activation_id", "action", "version", "starts_at", "made_by", "maker", "made_at", "reason"),
    ),
    "standing_transitions": ("buyer_id", "version", "at", "appeal", "event"),
    "decisions": (
        *("decision_id", "after_sale_id", "request_digest", "buyer_id", "order_id", "shop_id", "outcome"),
        *("refund_amount_fen", "score", "p_abuse", "tier", "standing", "model_version", "catalog_version"),
        *("policy_version", "propensity", "vector", "record", "answer", "requested_at", "decided_at"),
    ),
}
KEYS: Final = {
    "policies": ("version",),
    "policy_activations": ("activation_id",),
    "standing_transitions": ("buyer_id", "version"),
    "decisions": ("decision_id",),
}
GUARDED: Final = ("policies", "policy_activations", "standing_transitions")
"""What refuses to be changed already."""
REFUSE: Final = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('buyer_tier.erasing', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'rows of % are never changed nor deleted: % is refused', TG_TABLE_NAME, TG_OP
        USING HINT = 'Retention and erasure set buyer_tier.erasing to on for their transaction, '
            'see docs/audit.md; `buyer-tier audit verify` shows what they took away.';
END $$
"""
REFUSE_BEFORE: Final = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'rows of % are never changed nor deleted', TG_TABLE_NAME; END $$
"""
FOLLOW: Final = """
CREATE FUNCTION follow_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended bigint;
    moved bigint;
BEGIN
    SELECT count(DISTINCT chain) INTO ended FROM added;
    UPDATE chains AS c SET place = e.last, hash = a.hash
    FROM (
        SELECT chain, min(place) AS first, max(place) AS last, count(*) AS n FROM added GROUP BY chain
    ) AS e JOIN added AS a ON a.chain = e.chain AND a.place = e.last
    WHERE c.chain = e.chain AND e.first = c.place + 1 AND e.n = e.last - c.place;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> ended THEN
        RAISE EXCEPTION 'rows of % do not follow the head of their chain', TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    """Chain what is stored, in one chain of its own; from now on every row follows a head."""
    op.create_table(
        "chains",
        sa.Column("chain", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("hash", postgresql.BYTEA(), nullable=False),
        sa.PrimaryKeyConstraint("chain"),
    )
    op.execute("ALTER TABLE chains SET (fillfactor = 50)")
    for table in CHAINED:
        op.add_column(table, sa.Column("chain", sa.BigInteger()))
        op.add_column(table, sa.Column("place", sa.BigInteger()))
        op.add_column(table, sa.Column("hash", postgresql.BYTEA()))
    for table in GUARDED:
        op.execute(f"ALTER TABLE {table} DISABLE TRIGGER append_only")
    _seal(op.get_bind())
    for table in GUARDED:
        op.execute(f"ALTER TABLE {table} ENABLE TRIGGER append_only")
    op.execute(REFUSE)
    op.execute(FOLLOW)
    for table in CHAINED:
        for column in ("chain", "place", "hash"):
            op.alter_column(table, column, nullable=False)
        op.create_index(f"{table}_in_chain", table, ["chain", "place"], unique=True)
        op.execute(
            f"CREATE TRIGGER follow_chain AFTER INSERT ON {table} REFERENCING NEW TABLE AS added "
            "FOR EACH STATEMENT EXECUTE FUNCTION follow_chain()"
        )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON decisions "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    """Go back; no record is lost, but their chains are."""
    for table in CHAINED:
        op.execute(f"DROP TRIGGER follow_chain ON {table}")
        for column in ("hash", "place", "chain"):
            op.drop_column(table, column)
    op.execute("DROP TRIGGER append_only ON decisions")
    op.execute("DROP FUNCTION follow_chain")
    op.execute(REFUSE_BEFORE)
    op.drop_table("chains")


def _seal(connection: sa.Connection) -> None:
    """Chain the rows of before, as lane 0 of this month; whether they were altered until now is not shown."""
    now = datetime.now(UTC)
    chain, place = (now.year * 100 + now.month) * 10_000, 0
    hash = genesis(f"{now:%Y-%m}/0")
    for table, columns in CHAINED.items():
        keys = KEYS[table]
        rows: list[tuple[Any, ...]] = []
        for row in connection.execute(
            sa.text(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {', '.join(keys)}"),
            execution_options={"yield_per": 1000},
        ):
            place += 1
            hash = link(hash, digest(msgspec.msgpack.encode((table, *_plain(row)))), place=place)
            rows.append((*(getattr(row, key) for key in keys), place, hash))
        _write(connection, table, keys, chain, rows)
    if place:
        insert = sa.text("INSERT INTO chains (chain, place, hash) VALUES (:chain, :place, :hash)")
        connection.execute(insert, {"chain": chain, "place": place, "hash": hash})


def _write(
    connection: sa.Connection, table: str, keys: tuple[str, ...], chain: int, rows: list[tuple[Any, ...]]
) -> None:
    names = (*keys, "place", "hash")
    where = " AND ".join(f"{key} = :{key}" for key in keys)
    update = sa.text(f"UPDATE {table} SET chain = {chain}, place = :place, hash = :hash WHERE {where}")
    for start in range(0, len(rows), 1000):
        some = [dict(zip(names, row, strict=True)) for row in rows[start : start + 1000]]
        connection.execute(update, some)


def _plain(row: Any) -> list[Any]:
    return [bytes(value) if isinstance(value, memoryview) else value for value in row]
