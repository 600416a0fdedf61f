"""One page for whoever has to answer for it: whether a model may take over, and what would change."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jinja2 import Environment

from features.catalog import CATALOG

from .drift import Moved
from .gate_words import explained
from .gates import NOBODY, Gate, Verdict
from .gates_figure import as_text, gates_figure
from .judge import Case, Judgement
from .report import TrainingReport

TEMPLATE: Final = Path(__file__).with_name("gates.html.j2")
MARKS: Final = {
    "pass": "✓ passed",
    "fail": "✗ not passed",
    "ask": "? a person decides",
    "none": "– not asked",
}
MOST_MOVED: Final = 10
OTHER_FEATURES: Final = "the serving model reads other features"


@dataclass(frozen=True)
class _Tile:
    """One figure that a reader in a hurry takes away, in words and with its unit."""

    title: str
    figure: str
    words: str


def gates_page(case: Case, judgement: Judgement, report: TrainingReport) -> str:
    """Render the page; everything it shows is inside it."""
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    headline, chinese = _headlines(case, judgement)
    return template.render(
        headline=headline,
        headline_zh=chinese,
        promotes=judgement.promotes,
        only_asks=all(gate.verdict is Verdict.ask for gate in judgement.holding),
        serving=case.champion.version if case.champion else None,
        tiles=_tiles(case, judgement, report),
        holding=judgement.holding,
        gates=sorted(judgement.gates, key=_order),
        explained=explained,
        marks=MARKS,
        swapped=judgement.swapped,
        figure=as_text(gates_figure(case, judgement)),
        figure_text=_figure_text(judgement),
        rows=report.rows,
        snapshots=", ".join(report.rows.test_snapshots),
        complete_at=f"{case.lesson.window.complete_at:%Y-%m-%d}",
        label=case.lesson.label,
        policy=case.policy,
        quality=_quality(judgement, slack=case.policy.tier_hysteresis_points),
        compared=judgement.champion is not None,
        findings=report.findings,
        moved=_moved(judgement),
        psi_limit=case.limits.psi,
        silent="; ".join(f"{name} ({how})" for name, how in report.silent_features.items()),
        key=case.lesson.window.key,
        fingerprint=report.data_fingerprint,
        catalog=report.catalog_version,
        commit=report.git_commit or "unknown",
    )


def _order(gate: Gate) -> int:
    """What holds comes first, what could not be asked last."""
    return (Verdict.failed, Verdict.ask, Verdict.passed, Verdict.open).index(gate.verdict)


def _headlines(case: Case, judgement: Judgement) -> tuple[str, str]:
    number = case.champion.version if case.champion else ""
    serving = f"version {number}" if number else ""
    if judgement.promotes and not serving:
        return "The first buyer score takes charge", "首个买家评分模型上线"
    if judgement.promotes:
        return f"The retrained buyer score replaces {serving}", f"新模型通过全部检查，接替版本 {number}"
    n = len(judgement.holding)
    kept = f"{serving} stays in charge" if serving else "no model takes charge"
    stays = f"版本 {number} 继续服务" if number else "暂无模型上线"
    return (
        f"The retrained buyer score is held: {n} check{'s' if n > 1 else ''} not passed, {kept}",
        f"新模型暂不上线：{n} 项检查未通过，{stays}",
    )


def _tiles(case: Case, judgement: Judgement, report: TrainingReport) -> tuple[_Tile, ...]:
    counts = Counter(gate.verdict for gate in judgement.gates)
    held, auc, rows = len(judgement.holding), report.metrics["roc_auc"], report.rows
    alone = OTHER_FEATURES if case.champion else NOBODY
    not_asked = f", {counts[Verdict.open]} could not be asked" if counts[Verdict.open] else ""
    return (
        _Tile(
            "Checks",
            f"{held} not passed" if held else "none failed",
            f"{counts[Verdict.passed]} passed{not_asked}",
        ),
        _Tile(
            "Finds abusers",
            f"ROC-AUC {auc.value:.2f}",
            f"{auc.low:.2f} to {auc.high:.2f}; 0.5 is a coin toss, 1 never wrong. "
            f"{rows.test_positive:,} abusive of {rows.test:,} buyer-months",
        ),
        _changes(judgement, alone=alone),
        _money(judgement, alone=alone),
    )


def _changes(judgement: Judgement, *, alone: str) -> _Tile:
    title, swapped = "Quality tier", judgement.swapped
    if swapped is None:
        n = int(judgement.challenger.quality.sum())
        return _Tile(title, f"{n:,}", f"buyer-months have it; {alone}")
    return _Tile(
        title,
        f"+{swapped.gained:,} / −{swapped.lost:,}",
        f"buyer-months gain / lose it: {swapped.share:.1%} of the {swapped.kept + swapped.lost:,} with it",
    )


def _money(judgement: Judgement, *, alone: str) -> _Tile:
    title, gap = "Money to abusers", judgement.gaps.get("loss_share")
    if gap is None:
        return _Tile(title, "–", alone)
    return _Tile(
        title,
        f"{100 * gap.value:+.2f} fen per yuan".replace("-", "−"),
        f"asked back, new minus serving; {100 * gap.low:+.2f} to {100 * gap.high:+.2f}".replace("-", "−"),
    )


def _moved(judgement: Judgement) -> list[tuple[str, Moved]]:
    """Name what is compared with today's buyers as a person would; the score first, then what moved most."""
    found = []
    for one in judgement.moved[: MOST_MOVED + 1]:
        place = CATALOG.index.get(one.name)
        title = None if place is None else CATALOG.features[place].title
        found.append((one.name if title is None else f"{title.en} · {title.zh}", one))
    return found


def _quality(judgement: Judgement, *, slack: float) -> str:
    """Say who is a quality user; a policy may leave that to each model."""
    new, old = judgement.challenger.cut_off, judgement.champion
    said = (
        _edge(new) if old is None or old.cut_off == new else f"{_edge(new)} (serving: {_edge(old.cut_off)})"
    )
    kept = (
        f" Who is one stays one down to {slack:.0f} points less; counted here is who enters." if slack else ""
    )
    return f"A quality user has enough history and {said}.{kept}"


def _edge(cut_off: float | None) -> str:
    return "a proven cut-off, of which there is none" if cut_off is None else f"{cut_off:.0f} points or more"


def _figure_text(judgement: Judgement) -> str:
    compared = (
        "Differences of the two models, buyers who change tier, and whether " if judgement.champion else ""
    )
    return f"{compared or 'Whether '}predicted abuse comes true"
