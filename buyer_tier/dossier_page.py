"""A dossier for people: the same sections in the terminal and as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from html import escape
from typing import Any, Final

STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem;border-bottom:1px solid #ccc}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;"
    "padding:.2rem .8rem .2rem 0;border-bottom:1px solid #eee}td:last-child{overflow-wrap:anywhere}"
    "td:first-child{min-width:11rem}"
    ".bad{color:#a00;font-weight:600}.good{color:#070}pre{background:#f6f6f6;padding:.8rem;overflow:auto}"
)
GOOD: Final = ("passed", "holds", "auto_refund")
BAD: Final = ("FAILED", "DOES NOT HOLD")
OUTCOMES: Final = {
    "auto_refund": "Refunded at once (auto_refund)",
    "manual_review": "Not refunded at once, sent to the merchant's ordinary review (manual_review)",
}
NAMED: Final = {
    "score": "score, 300 to 900 points, more is better",
    "p_abuse": "p_abuse, the calibrated probability of abuse",
    "tenure_days": "tenure_days, since the first paid order",
    "shipped": "shipped, by the log",
    "refunded_fen": "refunded_fen, of this order before",
    "paid_amount_fen": "paid_amount_fen, by the log",
    "of_another_buyer": "of_another_buyer, the order",
}
"""What a reader does not guess from a field's name."""
SHANGHAI: Final = timezone(timedelta(hours=8))


UNRECORDED: Final = "A buyer without a record is new or eligible, as the history at each request decides."


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A heading, sentences, a table; ``text`` stands as it is."""

    title: str
    lines: Sequence[str] = ()
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    text: str | None = None


def sections(found: dict[str, Any]) -> Iterator[Section]:
    """Lay out a dossier (as JSON has it) in the order in which an auditor asks."""
    yield _why(found)
    yield Section(title="Request", rows=list(_pairs(found["request"])))
    rules = [
        (rule["code"], "passed" if rule["passed"] else "FAILED", rule["detail"]) for rule in found["rules"]
    ]
    yield Section(title="Rules", header=("rule", "", "what was found"), rows=rules)
    yield Section(
        title="Order, as the log and earlier decisions had it",
        lines=[f"Contradiction: {said}." for said in found["contradictions"]]
        or ["Nothing contradicted the request."],
        rows=_named(found["order_as_known"]),
    )
    yield _buyer(found)
    yield _standing(found["standing"])
    yield _caps(found["caps"])
    yield _reasons(found)
    yield Section(
        title="Features",
        header=("feature", "value", "meaning"),
        rows=[(one["name"], _plain(one["value"]), one["title"]["en"]) for one in found["features"]],
    )
    yield from _policy(found["policy"])
    yield _chain(found["chain"])


def _why(found: dict[str, Any]) -> Section:
    failed = [f"{rule['code']} ({rule['detail']})" for rule in found["rules"] if not rule["passed"]]
    count = len(found["rules"])
    because = (
        f"{len(failed)} of {count} rules failed: {'; '.join(failed)}"
        if failed
        else f"all {count} rules passed"
    )
    return Section(
        title="Why",
        lines=[
            f"{OUTCOMES[found['outcome']]}: {because}.",
            f"Asked for: {_yuan(found['request']['refund_amount_fen'])}. What the buyer was told:",
            found["message"]["zh"],
            found["message"]["en"],
            f"Asked {_instant(found['requested_at'])}, decided {_instant(found['decided_at'])}, "
            f"by model {found['model']['version']} and policy {found['policy']['version']}.",
            _by_chance(found["propensity"]),
        ],
    )


def _by_chance(propensity: float) -> str:
    if propensity == 1:
        return "Nothing was left to chance (propensity 1): the same again would come out the same."
    return (
        f"Chance took part: the policy takes this outcome here with probability {propensity:g} (propensity)."
    )


def _buyer(found: dict[str, Any]) -> Section:
    buyer = found["buyer"]
    before = buyer["tier_before"] or "none that this policy gave"
    rule = _pairs(buyer["tier_rule"] or {})
    return Section(
        title="Buyer",
        lines=[
            f"{buyer['buyer_id']}: {buyer['score']:.1f} points, tier {buyer['tier']}; tier before: {before}."
        ],
        rows=[*_named(buyer["evidence"]), *((f"tier rule: {name}", value) for name, value in rule)],
    )


def _standing(standing: dict[str, Any]) -> Section:
    rows = [
        (
            _instant(one["at"]),
            _moved(one),
            one["rule"],
            "; ".join(f"{name} {value}" for name, value in one["evidence"].items()) or "-",
            f"{one['actor']}, policy {one['policy_version']}",
            _instant(one["until"]) if one["until"] else "no date",
        )
        for one in standing["changes"]
    ]
    lines = [f"At this decision: {standing['state']}."]
    if not rows:
        lines.append(f"Nothing was on record. {UNRECORDED}")
    elif standing["changes"][0]["from_state"] == "new":
        lines.append(f"Before the first change below nothing was on record. {UNRECORDED}")
    if rows and (way := standing["changes"][-1]["way_back"]):
        lines += ["The way back, as the buyer is told:", way["zh"], way["en"]]
    header = ("when", "change", "rule", "evidence", "by", "until")
    return Section(title="Standing", lines=lines, header=header, rows=rows)


def _moved(change: dict[str, Any]) -> str:
    before, after = change["from_state"], change["to_state"]
    if before == after:
        return f"stays {after}"
    return (
        f"nothing on record → {after}"
        if change["version"] == 1 and before == "new"
        else f"{before} → {after}"
    )


def _caps(caps: dict[str, Any] | None) -> Section:
    if caps is None:
        return Section(title="Caps and budgets", lines=["The policy limited nothing."])
    before, after = dict(_pairs(caps["before"])), dict(_pairs(caps["after"]))
    rows = [(name, value, after[name]) for name, value in before.items()]
    return Section(title="Caps and budgets", header=("used", "before", "after"), rows=rows)


def _reasons(found: dict[str, Any]) -> Section:
    if found["reasons"] is None:
        return Section(title="Score", lines=["The registry has the model no more: no reasons can be given."])
    rows = [
        (one["code"], f"{one['contribution']:+.3f}", one["text"]["en"], one["text"]["zh"])
        for one in found["reasons"]
    ]
    return Section(
        title="Score",
        lines=["What weighed most, in log-odds of abuse: + raises the risk, - lowers it."],
        header=("reason", "log-odds", "what it looks at", "依据"),
        rows=rows,
    )


def _policy(policy: dict[str, Any]) -> Iterator[Section]:
    rows = [
        (
            _instant(act["made_at"]),
            act["action"],
            act["version"] or "the shipped policy",
            act["maker"],
            act["reason"],
        )
        for act in policy["acts"]
    ]
    changes = policy["changed_by_the_service"]
    made = f"changed by the service: {', '.join(changes)}" if changes else "as its text below says"
    by = f"; proposed by {policy['proposer']} at {policy['proposed_at']}" if policy.get("proposer") else ""
    yield Section(
        title="Policy",
        lines=[f"{policy['version']}, {made}{by}."],
        header=("when", "act", "policy", "by", "why"),
        rows=rows,
    )
    yield Section(
        title=f"Its text, SHA-256 {policy['content_id']}",
        text=policy["text"] or "not stored in this database",
    )


def _chain(chain: dict[str, Any]) -> Section:
    return Section(
        title="Chain",
        lines=[
            f"Place {chain['place']:,} of {chain['partition']}: the link "
            + ("holds" if chain["holds"] else "DOES NOT HOLD")
            + ". `buyer-tier audit verify` follows whole chains."
        ],
        rows=[(name, chain[name]) for name in ("hash_before", "digest", "hash")],
    )


def _pairs(values: dict[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _pairs(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", _yuan(value) if name.endswith("_fen") else _plain(value)


def _named(values: dict[str, Any]) -> list[tuple[str, str]]:
    return [(NAMED.get(name, name), value) for name, value in _pairs(values)]


def _yuan(fen: int | None) -> str:
    return "-" if fen is None else f"{fen:,} fen ({fen / 100:,.2f} yuan)"


def _instant(text: str) -> str:
    """Write an instant for people, to the second; JSON has it to the microsecond."""
    at = datetime.fromisoformat(text)
    here, there = at.astimezone(UTC), at.astimezone(SHANGHAI)
    return f"{here:%Y-%m-%d %H:%M:%S} UTC ({there:%m-%d %H:%M} Shanghai)"


def _plain(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def as_html(found: dict[str, Any]) -> str:
    """Write one page, everything in it."""
    title = f"Decision {found['decision_id']}"
    body = "\n".join(_section(one) for one in sections(found))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n"
        f"<h1>{escape(title)} of {escape(found['after_sale_id'])}</h1>\n{body}\n</body></html>\n"
    )


def _section(section: Section) -> str:
    parts = [f"<h2>{escape(section.title)}</h2>", *(f"<p>{_marked(line)}</p>" for line in section.lines)]
    if section.text is not None:
        parts.append(f"<pre>{escape(section.text)}</pre>")
    if section.rows:
        head = "".join(f"<th>{escape(cell)}</th>" for cell in section.header)
        rows = "".join(
            "<tr>" + "".join(f"<td>{_marked(cell)}</td>" for cell in row) + "</tr>" for row in section.rows
        )
        parts.append(f"<table><tr>{head}</tr>{rows}</table>")
    return "".join(parts)


def _marked(cell: str) -> str:
    kind = "bad" if any(word in cell for word in BAD) else "good" if cell in GOOD else ""
    return f'<span class="{kind}">{escape(cell)}</span>' if kind else escape(cell)
