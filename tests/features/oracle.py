"""The definition of every feature, written slowly and plainly: loops over events, no cleverness."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from features.declare import Count, DaysSince, Distinct, Family, Median, Ratio, Sum, Total, Where, features_of

Event = dict[str, Any]
NAN = float("nan")


def features_at(
    events: list[Event], buyer_id: str, as_of: datetime, families: tuple[Family, ...]
) -> list[float]:
    history = [e for e in history_of(events, buyer_id) if e["recorded_at"] < as_of]
    return [value(history, family, window, as_of) for family in families for _, window in features_of(family)]


def history_of(events: list[Event], buyer_id: str) -> list[Event]:
    own = [dict(e) for e in events if e["buyer_id"] == buyer_id] + peer_events(events, buyer_id)
    own.sort(key=lambda e: (e["recorded_at"], e["occurred_at"], e["event_id"]))
    for i, event in enumerate(own):
        event["paid"] = first_payment(own[: i + 1], event["order_id"])
        event["basket"] = event["order_id"] in basket_orders(own[: i + 1])
    return own


def first_payment(seen: list[Event], order_id: str | None) -> Event | None:
    paid = [
        e for e in seen if e["kind"] == "order_paid" and e["order_id"] == order_id and order_id is not None
    ]
    return paid[0] if paid else None


def basket_orders(seen: list[Event]) -> set[str]:
    firsts: dict[str, Event] = {}
    for e in seen:
        if e["kind"] == "order_paid" and e["order_id"] is not None:
            firsts.setdefault(e["order_id"], e)
    payments, together = list(firsts.values()), set()
    for one, next_one in pairwise(payments):
        if abs(one["occurred_at"] - next_one["occurred_at"]) <= timedelta(minutes=10):
            together |= {one["order_id"], next_one["order_id"]}
    return together


def peer_events(events: list[Event], buyer_id: str) -> list[Event]:
    links: dict[tuple[str, str], dict[str, datetime]] = {}
    for e in sorted(events, key=lambda e: (e["recorded_at"], e["buyer_id"])):
        if e["kind"] == "identity_linked":
            accounts = links.setdefault((e["link_type"], e["link_value"]), {})
            if len(accounts) < 64:
                accounts.setdefault(e["buyer_id"], e["recorded_at"])
    found = []
    for peer in {e["buyer_id"] for e in events} - {buyer_id}:
        since_by_type: dict[str, datetime] = {}
        for (link_type, _), accounts in links.items():
            if buyer_id in accounts and peer in accounts:
                both = max(accounts[buyer_id], accounts[peer])
                since_by_type[link_type] = min(both, since_by_type.get(link_type, both))
        for link_type, since in since_by_type.items():
            found.append(derived("peer_linked", since, peer, link_type))
        if since_by_type:
            found += verdicts_on(events, peer, min(since_by_type.values()))
    return found


def verdicts_on(events: list[Event], peer: str, since: datetime) -> list[Event]:
    verdicts = [
        e for e in events if e["buyer_id"] == peer and e["kind"] in ("abuse_confirmed", "abuse_cleared")
    ]
    verdicts.sort(key=lambda e: (e["recorded_at"], e["occurred_at"], e["event_id"]))
    told: dict[datetime, Event] = {}
    for e in verdicts:
        told[max(since, e["recorded_at"])] = e
    return [derived(f"peer_{e['kind']}", when, peer, None) for when, e in told.items()]


def derived(kind: str, when: datetime, peer: str, link_type: str | None) -> Event:
    nothing = dict.fromkeys(
        ("order_id", "category_id", "stage", "fault", "outcome", "actor", "amount_fen", "line_count")
    )
    times = {"recorded_at": when, "occurred_at": when, "event_id": f"{kind} {link_type} {peer}"}
    return {**nothing, **times, "buyer_id": "the same", "kind": kind, "shop_id": peer, "link_type": link_type}


def matches(e: Event, where: Where) -> bool:
    if e["kind"] not in where.kinds:
        return False
    for name in ("stage", "fault", "outcome", "actor", "link_type"):
        allowed = getattr(where, name)
        if allowed is not None and e[name] not in allowed:
            return False
    amount, paid = e["amount_fen"], e["paid"]
    if where.amount_fen and (amount is None or not where.amount_fen[0] <= amount < where.amount_fen[1]):
        return False
    if where.pay_lag and (paid is None or not where.pay_lag[0] <= pay_lag(e) < where.pay_lag[1]):
        return False
    if where.basket is not None and (e["order_id"] is None or e["basket"] != where.basket):
        return False
    if where.partial is not None:
        if paid is None or paid["amount_fen"] is None or amount is None:
            return False
        return (amount < paid["amount_fen"]) == where.partial
    return True


def pay_lag(e: Event) -> timedelta:
    return e["occurred_at"] - e["paid"]["occurred_at"]


def selected(history: list[Event], selection: Where | Distinct) -> list[Event]:
    if isinstance(selection, Where):
        return [e for e in history if matches(e, selection)]
    latest: dict[str, Event] = {}
    for e in history:
        names = {
            "party": e["shop_id"],
            "category": e["category_id"],
            "order": e["order_id"],
            "buyer": "the buyer",
        }
        entity = names[selection.of]
        if entity is None:
            continue
        if matches(e, selection.where):
            latest[entity] = e
        elif e["kind"] in selection.until:
            latest.pop(entity, None)
    return list(latest.values())


def within(events: list[Event], window: int | None, as_of: datetime) -> list[Event]:
    return [e for e in events if window is None or e["recorded_at"] >= as_of - timedelta(days=window)]


def number(e: Event, name: str) -> int | None:
    if name == "pay_lag":
        return None if e["paid"] is None else pay_lag(e) // timedelta(microseconds=1)
    return e[name]


def total(history: list[Event], t: Total, window: int | None, as_of: datetime) -> int:
    found = within(selected(history, t.over), window, as_of)
    return len(found) if t.value is None else sum(number(e, t.value) or 0 for e in found)


def value(history: list[Event], family: Family, window: int | None, as_of: datetime) -> float:
    match family:
        case Count():
            return total(history, Total(over=family.where), window, as_of)
        case Sum():
            return total(history, Total(over=family.where, value=family.value), window, as_of)
        case Ratio():
            part, whole = (total(history, t, window, as_of) for t in (family.part, family.whole))
            return (part + family.weight * family.prior) / (whole + family.weight)
        case Median():
            found = within(selected(history, family.where), window, as_of)
            values = [v for e in found if (v := number(e, family.value)) is not None]
            return median(values) / (60e6 if family.value == "pay_lag" else 1.0) if values else NAN
        case DaysSince():
            found = selected(history, family.where)
            if not found:
                return NAN
            chosen = found[-1] if family.which == "last" else found[0]
            return (as_of - chosen["recorded_at"]) / timedelta(microseconds=1) / 86_400_000_000
