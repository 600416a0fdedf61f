"""``buyer-tier explain``: why a stored decision came out as it did, in the words of whoever asks."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from rich.table import Table


SHOWN: Final = 3
"""Features shown of each reason; --json has all."""


class Audience(StrEnum):
    """Who is to understand it."""

    buyer = "buyer"
    merchant = "merchant"
    operator = "operator"


def explain(
    decision: Annotated[
        str, typer.Argument(metavar="DECISION_ID", help="Of the decision or the after-sale.")
    ],
    audience: Annotated[
        Audience, typer.Option("--for", help="In whose words: nothing private for buyer and merchant.")
    ] = Audience.operator,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines, both languages.")] = False,
) -> None:
    """Explain a stored decision by the vector, the model and the policy that made it.

    Example: buyer-tier explain 019ca8a1-7b00-7c0e-9d3b-2f6f0e1b7a55

    Example: buyer-tier explain AS-20260301-0001 --for buyer
    """
    import msgspec

    from buyer_tier.console import emit
    from serving.logs import configure_logs

    configure_logs(quiet=True)
    told = msgspec.to_builtins(_told(decision, audience))
    if as_json:
        emit(told)
    elif audience is Audience.operator:
        _print_all(told)
    else:
        _print_words(told)


def _told(decision: str, audience: Audience) -> dict[str, Any]:
    from features.errors import BadInput
    from serving.direct import explaining
    from serving.session import run
    from serving.store.decisions import no_such

    told: dict[str, Any] | None = run(
        explaining, lambda explainer: explainer.explanation(decision, audience.value)
    )
    if told is None:
        raise BadInput(no_such(decision))
    return told


def _print_words(told: dict[str, Any]) -> None:
    """Print Chinese and English, as they may be sent."""
    from buyer_tier.console import out

    for language in ("zh", "en"):
        lines = [told["message"][language], *(text[language] for text in told["because"])]
        if "summary" in told:
            lines.append(told["summary"][language])
        for reason in told.get("reasons", ()):
            change = f" {reason['change'][language]}" if reason["change"] else ""
            lines.append(f"{'+' if reason['helps'] else '-'} {reason['what'][language]}{change}")
        out.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True, end="\n\n")


def _print_all(told: dict[str, Any]) -> None:
    from buyer_tier.console import out

    for line in (
        f"{told['outcome']}: buyer {told['buyer_id']}, {told['points']:.1f} points, tier {told['tier']}, "
        f"standing {told['standing']}",
        *(f"not passed: {rule['code']}: {rule['detail']}" for rule in told["rules"] if not rule["passed"]),
    ):
        out.print(line, highlight=False, markup=False, soft_wrap=True)
    out.print(_reasons(told))
    for line in _below(told):
        out.print(line, highlight=False, markup=False, soft_wrap=True)


def _reasons(told: dict[str, Any]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table("reason, feature", title="What counted (+ raises the risk)", title_justify="left")
    table.add_column("value", justify="right")
    table.add_column("log-odds", justify="right")
    for reason in told["reasons"]:
        table.add_row(
            escape(f"{reason['text']['en']} ({reason['code']})"),
            "",
            f"{reason['contribution']:+.3f}",
            style="bold",
        )
        for feature in reason["features"][:SHOWN]:
            value = "undefined" if feature["value"] is None else f"{feature['value']:,.6g}"
            table.add_row(escape(f"  {feature['title']['en']}"), value, f"{feature['contribution']:+.3f}")
        rest = [feature["contribution"] for feature in reason["features"][SHOWN:]]
        if rest:
            table.add_row(f"  {len(rest)} more", "", f"{sum(rest):+.3f}", style="dim")
    table.add_row("base", "", f"{told['base']:+.3f}", style="bold")
    table.add_row("raw score, the sum", "", f"{told['margin']:+.3f}", style="bold")
    return table


def _below(told: dict[str, Any]) -> list[str]:
    edge = told["quality_score_min"]
    kept = told["quality_kept_from"]
    start = (
        "nobody is one: no cut-off is proven"
        if edge is None
        else f"from {edge:.1f} points, kept down to {kept:.1f}"
    )
    before = f", tier before {told['previous_tier']}" if told["previous_tier"] else ""
    lines = [
        f"calibrated: {told['slope']:.3f} x raw score {told['intercept']:+.3f} = log-odds of p_abuse "
        f"{told['p_abuse']:.4f}; quality user {start}{before}",
        *(one["text"]["en"] + f" ({one['points']:.1f} points)" for one in told["would_be_quality"]),
    ]
    if told["history_as_decided"] is False:
        lines.append("the log has changed since: counterfactuals are of the history as it is known now")
    known = f"model {told['model_version']}, policy {told['policy_version']}, asked {told['requested_at']}"
    return [*lines, f"decision {told['decision_id']} of {told['after_sale_id']}: {known}"]
