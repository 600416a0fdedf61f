from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.evaluate import Interval, ReliabilityBin
from training.figures import draw_bins, ends_of, reliability_by_slice
from training.slices import Slice

SOME = ReliabilityBin(100, 0.02, Interval(0.03, 0.01, 0.06))
NONE = ReliabilityBin(1000, 0.004, Interval(0.0, 0.0, 0.002))
HIGH = ReliabilityBin(20, 0.5, Interval(0.9, 0.6, 0.99))


def marks(panel: Axes) -> dict[str, list[tuple[float, float]]]:
    return {
        str(line.get_label()): [(float(x), float(y)) for x, y in np.transpose(line.get_data())]
        for line in panel.lines
    }


def test_a_bin_in_which_nothing_came_true_is_shown_and_not_lost_on_a_logarithmic_axis() -> None:
    panel = Figure().subplots()
    draw_bins(panel, [NONE, SOME], ends=(0.001, 0.1))
    assert marks(panel)["came true"] == [(0.02, 0.03)]
    assert marks(panel)["none, or below"] == [(0.004, 0.001)]


def test_the_axes_hold_every_bin_and_the_upper_end_of_every_interval() -> None:
    low, high = ends_of([NONE, SOME])
    assert low < 0.004
    assert 0.06 < high < 0.1
    assert ends_of([SOME, HIGH])[1] == 1.0


def test_slices_are_drawn_on_the_same_axes_so_that_they_can_be_compared() -> None:
    slices = [
        Slice(
            name=name, words=name, n=100, events=3, predicted=0.02, observed=SOME.observed, roc_auc=None,
            bins=bins, verdict="agrees",
        )
        for name, bins in (("all", (SOME,)), ("new", (NONE, HIGH)))
    ]  # fmt: skip
    panels = [panel for panel in reliability_by_slice(slices).axes if panel.axison]
    assert [panel.get_title(loc="left") for panel in panels] == ["all", "new"]
    assert len({(panel.get_xlim(), panel.get_ylim()) for panel in panels}) == 1
    assert "3 of 100 buyers: 3.00%\npredicted 2.00%: agrees" in [text.get_text() for text in panels[0].texts]
