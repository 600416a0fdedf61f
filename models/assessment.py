"""What the service needs of one buyer: the margin, the probability, the points."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Assessment:
    """One buyer's score. Not frozen: freezing takes longer than making it.

    Attributes
    ----------
    margin : float
        The raw score of the trees, in log-odds before calibration; reasons add up to it.
    p_abuse : float
        Calibrated probability of abuse within the label's window.
    points : float
        The same on the scale of 300 to 900, higher is better.
    """

    margin: float
    p_abuse: float
    points: float
