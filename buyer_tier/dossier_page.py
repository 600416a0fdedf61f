"""A dossier for people: the same sections in the terminal and as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem;border-bottom:1px solid #ccc}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;"
    "padding:.2rem .8rem .2rem 0;border-bottom:1px solid #eee}td:last-child{overflow-wrap:anywhere}"
    ".bad{color:#a00;font-weight:600}.good{color:#070}pre{background:#f6f6f6;padding:.8rem;overflow:auto}"
)
GOOD: Final = ("passed", "holds", "auto_refund")
BAD: Final = ("FAILED", "DOES NOT HOLD")


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
        rows=list(_pairs(found["order_as_known"])),
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
    failed = ", ".join(found["failed"])
    because = f"it failed {failed}" if failed else f"all {len(found['rules'])} rules passed"
    amount = found["request"]["refund_amount_fen"]
    return Section(
        title="Why",
        lines=[
            f"{found['outcome']}: {because}. {amount / 100:,.2f} yuan were asked for.",
            found["message"]["zh"],
            found["message"]["en"],
            f"Asked {found['requested_at']}, decided {found['decided_at']} "
            f"by model {found['model']['version']} and policy {found['policy']['version']}, "
            f"which takes this outcome here with probability {found['propensity']:g}.",
        ],
    )


def _buyer(found: dict[str, Any]) -> Section:
    buyer = found["buyer"]
    before = buyer["tier_before"] or "none"
    rule = _pairs(buyer["tier_rule"] or {})
    return Section(
        title="Buyer",
        lines=[
            f"{buyer['buyer_id']}: {buyer['score']:.1f} points, p_abuse {buyer['p_abuse']:.4f}, tier "
            f"{buyer['tier']}, tier before {before}."
        ],
        rows=[*_pairs(buyer["evidence"]), *((f"tier rule: {name}", value) for name, value in rule)],
    )


def _standing(standing: dict[str, Any]) -> Section:
    rows = [
        (
            str(one["at"]),
            f"{one['from_state']} to {one['to_state']}",
            one["rule"],
            "; ".join(f"{name} {value}" for name, value in one["evidence"].items()),
            f"{one['actor']}, policy {one['policy_version']}, until {one['until'] or 'further notice'}",
        )
        for one in standing["changes"]
    ]
    lines = [f"Judged as {standing['state']}."] + ([] if rows else ["No change of it was known."])
    return Section(
        title="Standing", lines=lines, header=("when", "change", "rule", "evidence", "by"), rows=rows
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
    return Section(title="Score", header=("reason", "log-odds", "", ""), rows=rows)


def _policy(policy: dict[str, Any]) -> Iterator[Section]:
    rows = [
        (
            str(act["made_at"]),
            act["action"],
            act["version"] or "the shipped policy",
            act["maker"],
            act["reason"],
        )
        for act in policy["acts"]
    ]
    changes = ", ".join(policy["changed_by_the_service"]) or "nothing"
    by = f"; proposed by {policy['proposer']} at {policy['proposed_at']}" if policy.get("proposer") else ""
    yield Section(
        title="Policy",
        lines=[f"{policy['version']}, of which the service changed {changes}{by}."],
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
            yield f"{above}{name}", _plain(value)


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
