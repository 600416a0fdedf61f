"""One page for whoever decides on a policy: what it would have done, and what history cannot tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, Template

from .in_short import in_short
from .pictures import COLORS, pictures
from .rows import ALONE, rows_of
from .wording import FILTERS

TEMPLATE: Final = "report.html.j2"
MOST_OPEN: Final = 2
"""With more policies the tables of each but the first are folded."""
SUMMARY: Final = (
    ("auto_share_in_scope", "requests before shipment refunded at once", "share"),
    ("good_served", "… of honest buyers", "share"),
    ("abuser_served", "… of active abusers", "share"),
    ("not_again_served", "… of buyers who do not cancel again", "share"),
    ("hours_saved", "hours of waiting saved", "count"),
    ("reviews_saved", "merchant reviews saved", "count"),
    ("loss_rate", "known to be lost of each yuan so refunded", "share"),
    ("worst_loss_rate", "… lost at worst", "share"),
    ("again_of_auto", "buyers who cancel again, of those refunded at once", "share"),
    ("again_of_review", "… of those left to a person", "share"),
    ("caught_by_rules", "abusers stopped by its own rules", "count"),
)
"""What is said of a policy first."""
COMPARED: Final = (
    "auto_share",
    "good_served",
    "abuser_served",
    "worst_loss_rate",
    "caught_by_rules_share",
    "again_of_auto",
    "not_again_served",
)


def page_of(report: dict[str, Any]) -> str:
    """Render the page; everything it shows is inside it."""
    told = report["policies"][0]["gaps"] or report["policies"][-1]["gaps"]
    return rendered(
        TEMPLATE,
        report,
        rows=rows_of(report),
        summary=_told_in(report, SUMMARY),
        gaps=[name for name in COMPARED if name in told],
        words=ALONE,
        pictures=pictures(report),
    )


def rendered(template: str, report: dict[str, Any], **shown: Any) -> str:
    """Render a report by a template, with what every page shows."""
    return _template_of(template).render(
        **report, **shown, in_short=in_short(report), colors=COLORS, most_open=MOST_OPEN
    )


def _told_in(report: dict[str, Any], rows: Any) -> list[tuple[str, str, str]]:
    """Leave out what the log does not tell of any policy: with nothing known, no loss and no waiting."""
    history, silent = report["history"], set()
    if not history["knows_shipping"]:
        silent |= {"loss_rate", "worst_loss_rate"}
    if not history["knows_waiting"]:
        silent |= {"hours_saved"}
    told = report["policies"][0]["figures"]
    return [row for row in rows if row[0] in told and row[0] not in silent]


def _template_of(name: str) -> Template:
    """Read a page's template; those beside each other include each other."""
    folder = Path(__file__).parent
    loader = FileSystemLoader([folder, folder / "world"])
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, loader=loader)
    environment.filters |= FILTERS
    return environment.get_template(name)
