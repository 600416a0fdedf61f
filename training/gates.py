"""The gates between a challenger and the alias: each a figure, a limit and a verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .clean_process import Tried
from .evaluate import Floats, Interval, Ranked, roc_auc
from .limits import Limits
from .swap import Mask, SwapSet

CHANCE: Final = 0.5
NOBODY: Final = "no model is in charge to compare with"


class Verdict(StrEnum):
    """What a gate says; `ask` and `fail` both keep the alias where it is."""

    passed = "pass"
    failed = "fail"
    ask = "ask"
    open = "none"

    @classmethod
    def of(cls, passes: bool | np.bool_) -> Verdict:
        """Pass or fail."""
        return cls.passed if passes else cls.failed


@dataclass(frozen=True)
class Gate:
    """One gate.

    Attributes
    ----------
    name : str
        For machines.
    title, figure, limit : str
        For people: what is asked, what was found, what is allowed.
    value : float
        The figure as a number; NaN where there is none.
    """

    name: str
    title: str
    figure: str
    limit: str
    verdict: Verdict
    value: float = float("nan")

    @property
    def holds(self) -> bool:
        """Whether this gate keeps the challenger out."""
        return self.verdict in (Verdict.failed, Verdict.ask)


@dataclass(frozen=True)
class Views:
    """How one model sees the rows: probabilities, who is a quality user, and from how many points on.

    Attributes
    ----------
    order : ndarray, optional
        What ranks the rows, where it is not the probabilities.
    """

    p: Floats
    quality: Mask
    cut_off: float | None = None
    order: Floats | None = None

    @property
    def ranked(self) -> Floats:
        """What ranks the rows."""
        return self.p if self.order is None else self.order


def chance_gate(auc: Interval) -> Gate:
    """Ask that the ranking is no accident, also of the first model, which nothing else is compared with."""
    figure = f"{auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f})"
    title = "it tells abusers from honest buyers better than a coin (ROC-AUC)"
    return Gate("chance", title, figure, "whole interval above 0.5", Verdict.of(auc.low > CHANCE), auc.value)


def ranking_gates(gaps: Mapping[str, Interval] | None, limits: Limits) -> Iterator[Gate]:
    """Ask that ranking is not lost: the interval's lower end of the paired difference."""
    asked = (
        ("roc_auc", "it sorts buyers no worse than the serving model (ROC-AUC)", limits.roc_auc_loss),
        (
            "average_precision",
            "its riskiest buyers are abusers no less often than the serving model's (average precision)",
            limits.average_precision_loss,
        ),
    )
    for name, title, margin in asked:
        limit = f"whole interval from {-margin:+.3f} up"
        yield _gap_gate(name, title, gaps, limit=limit, passes=partial(_not_below, -margin))


def money_gate(gaps: Mapping[str, Interval] | None, limits: Limits, *, approves: bool = True) -> Gate:
    """Ask that no more money goes to abusers: the upper end of the paired difference.

    A serving model that approves nobody loses nothing; whether to begin again is a person's decision.
    """
    rise = limits.loss_share_rise
    title = "no more money goes to abusers (fen of each yuan asked back)"
    limit = f"whole interval up to {100 * rise:+.2f} fen"
    gate = _gap_gate(
        "loss_share", title, gaps, limit=limit, passes=lambda gap: gap.high <= rise, said=_in_fen
    )
    if approves or gate.verdict is not Verdict.failed:
        return gate
    figure = f"{gate.figure}; the serving model approves nobody"
    return replace(gate, figure=figure, limit=f"{limit}, or a person's approval", verdict=Verdict.ask)


@dataclass(frozen=True)
class Calibration:
    """How far probabilities are off: on average over bins, and abuse found per abuse expected."""

    error: Interval
    ratio: Interval


def calibration_gates(
    challenger: Calibration, champion: Calibration | None, limits: Limits
) -> Iterator[Gate]:
    """Ask that probabilities mean what they say on later rows, or are off by no more than the champion's.

    A model that is off, but less so than the one in charge, is no reason to keep that one.
    """
    error, ratio, most = challenger.error, challenger.ratio, limits.calibration_ratio
    serving = champion.error.value if champion else -1.0
    yield Gate(
        "calibration_error",
        "when it says 2 in 100, about 2 in 100 turn out abusive (calibration error)",
        f"{error.value:.4f}" + (f", serving {serving:.4f}" if champion else ""),
        f"at most {limits.calibration_error:.3f}, or no worse",
        Verdict.of(error.value <= max(limits.calibration_error, serving)),
        error.value,
    )
    off = abs(np.log(max(champion.ratio.value, 1e-9))) if champion else -1.0
    inside = ratio.low <= most and ratio.high >= 1 / most
    yield Gate(
        "calibration_ratio",
        "it expects as much abuse as there is (found for each expected)",
        f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
        + (f", serving {champion.ratio.value:.2f}" if champion else ""),
        f"some of the interval within {1 / most:.2f} to {most:.2f}, or no worse",
        Verdict.of(inside or abs(np.log(max(ratio.value, 1e-9))) <= off),
        ratio.value,
    )


def swap_gate(swapped: SwapSet | None, limits: Limits) -> Gate:
    """Ask that few buyers change tier; more than that is a person's decision."""
    title = "few buyers gain or lose the quality tier (swap set)"
    if swapped is None:
        return Gate("swap_set", title, NOBODY, f"at most {limits.swap_share:.0%}", Verdict.open)
    before = swapped.kept + swapped.lost
    share = f"{swapped.share:.1%} of {before:,}" if before else "the serving model approves nobody"
    figure = (
        f"{share}: {swapped.gained:,} gain "
        f"({swapped.gained_fen / 100:,.0f} yuan), {swapped.lost:,} lose ({swapped.lost_fen / 100:,.0f} yuan)"
    )
    verdict = Verdict.passed if swapped.share <= limits.swap_share else Verdict.ask
    limit = f"at most {limits.swap_share:.0%}, or a person's approval"
    return Gate("swap_set", title, figure, limit, verdict, swapped.share)


def drift_gate(score_psi: float, features: Mapping[str, float], limits: Limits) -> Gate:
    """Ask that today's buyers are like those learned from.

    The score's own index is shown, not judged: it moves with lifetime features, which grow with the history.
    """
    moved = {name: value for name, value in features.items() if value > limits.psi}
    worst = ", ".join(f"{name} {value:.2f}" for name, value in (moved or _first(features)).items())
    return Gate(
        "drift",
        "today's buyers are like those learned from (PSI)",
        f"{worst or 'no feature to compare'}; score {score_psi:.2f}",
        f"at most {limits.psi:.2f} for each feature in use",
        Verdict.of(not moved),
        max([0.0, *features.values()]),
    )


def same_features_gate(
    names: Sequence[str], champion: Sequence[str] | None, *, versions: str, damage: str = ""
) -> Gate:
    """Ask that the model reads what the serving model reads, as the same catalog defines it.

    A serving model that cannot be read cannot be compared with; a person decides then.
    """
    title = "it looks at the same facts about buyers as the serving model"
    if damage:
        return Gate("same_features", title, damage, "the same list, or a person's approval", Verdict.ask)
    if champion is None:
        return Gate("same_features", title, NOBODY, "the same list", Verdict.open)
    added = [n for n in names if n not in set(champion)]
    gone = [n for n in champion if n not in set(names)]
    parts = [f"added {_listed(added)}"] * bool(added) + [f"missing {_listed(gone)}"] * bool(gone)
    if not parts and list(names) != list(champion):
        parts = ["the same in another order"]
    if versions:
        parts.append(f"defined otherwise: {versions}")
    verdict = Verdict.of(not parts)
    return Gate(
        "same_features", title, "; ".join(parts) or f"the same {len(names)}", "the same list", verdict
    )


def information_gate(silent: Mapping[str, str], *, known: set[str] | None) -> Gate:
    """Ask that no feature fell silent: constant or all missing now, though the serving model learned from it.

    Features that were silent before are named and nothing more: a small market has many. The page and the
    report name every one.
    """
    title = "no fact about buyers has gone blank"
    fallen = {name: how for name, how in silent.items() if known is not None and name in known}
    shown = fallen or silent
    named = _listed([f"{name} {how}" for name, how in shown.items()])
    figure = f"{len(shown)}: {named}" if silent else "none is constant or missing"
    if silent and not fallen:
        figure = f"no more than before ({figure})" if known is not None else f"{NOBODY} ({figure})"
    verdict = Verdict.failed if fallen else Verdict.open if known is None and silent else Verdict.passed
    return Gate("information", title, figure, "none that the champion knew", verdict, float(len(fallen)))


def unseen_gate(first_judged: str, champion_learned_until: str | None) -> Gate:
    """Ask that the rows judged on are news to the champion too, or the comparison flatters it."""
    title = "neither model knew the outcomes it is judged on"
    if not champion_learned_until:
        return Gate("unseen", title, NOBODY, "", Verdict.open)
    figure = f"the serving model learned until {champion_learned_until[:10]}, judged from {first_judged[:10]}"
    verdict = Verdict.of(champion_learned_until <= first_judged)
    return Gate("unseen", title, figure, "learned before judged", verdict)


def clean_process_gate(tried: Tried, limits: Limits) -> Gate:
    """Ask that the model loads and answers, with the same answers, where nothing else of ours is."""
    title = "it starts and answers on its own, in time and unchanged"
    limit = f"up to {limits.load_seconds:.0f} s to start, {limits.answer_seconds * 1000:.0f} ms to answer"
    if tried.problem:
        return Gate("clean_process", title, tried.problem, limit, Verdict.failed)
    good = tried.load_seconds <= limits.load_seconds and tried.answer_seconds <= limits.answer_seconds
    figure = f"{tried.load_seconds:.1f} s to start, {tried.answer_seconds * 1000:.1f} ms to answer"
    same = tried.gap <= 1e-9
    verdict = Verdict.of(good and same)
    return Gate(
        "clean_process", title, figure if same else f"answers differ by {tried.gap:.3g}", limit, verdict
    )


def roc_auc_gap(y: NDArray[np.int64], champion: Floats, challenger: Floats) -> Callable[[Floats], float]:
    """Give the paired difference of ROC-AUC as a function of weights."""
    old, new = Ranked.of(y, champion), Ranked.of(y, challenger)
    return lambda weight: roc_auc(new, weight) - roc_auc(old, weight)


def _plain(gap: Interval) -> str:
    return f"{gap.value:+.4f} ({gap.low:+.4f} to {gap.high:+.4f})"


def _in_fen(gap: Interval) -> str:
    return f"{100 * gap.value:+.2f} fen ({100 * gap.low:+.2f} to {100 * gap.high:+.2f})"


def _gap_gate(
    name: str,
    title: str,
    gaps: Mapping[str, Interval] | None,
    *,
    limit: str,
    passes: Callable[[Interval], bool],
    said: Callable[[Interval], str] = _plain,
) -> Gate:
    if gaps is None:
        return Gate(name, title, NOBODY, limit, Verdict.open)
    gap = gaps[name]
    return Gate(name, title, said(gap), limit, Verdict.of(passes(gap)), gap.value)


def _not_below(least: float, gap: Interval) -> bool:
    return gap.low >= least


def _first(found: Mapping[str, object], n: int = 3) -> dict[str, object]:
    return dict(list(found.items())[:n])


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
