"""What ``buyer-tier backtest`` is asked of a history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from .train import date_of

if TYPE_CHECKING:
    from backtest.fitting import LogFacts
    from decisions.policy import Policy


class Task(StrEnum):
    """What the months' models learn."""

    abuse = "abuse"
    cancellation = "cancellation"


class Goods(StrEnum):
    """What orders hold of which the log does not say it."""

    physical = "physical"
    virtual = "virtual"
    customized = "customized"


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of a history, as the command line says it."""

    events: str
    policies: Sequence[Policy]
    out: Path | None
    since: str | None
    until: str | None
    model: str | None
    truth: Path | None
    loss_budget: float | None
    goods: Goods | None
    task: Task | None
    seed: int

    def span(self) -> tuple[datetime | None, datetime | None]:
        """Read the dates.

        Raises
        ------
        BadInput
            One cannot be read, or they are not in order.
        """
        from features.errors import BadInput

        begins, ends = (
            None if text is None else date_of(text, option=option)
            for text, option in ((self.since, "--since"), (self.until, "--until"))
        )
        if begins is not None and ends is not None and begins >= ends:
            raise BadInput(f"--since {self.since} is not before --until {self.until}")
        return begins, ends

    def learns(self, facts: LogFacts) -> Task:
        """Tell what is learned: what was asked for, else what the log can tell; a named model learned abuse.

        Raises
        ------
        BadInput
            A loss budget is asked of a log that is asked who cancels.
        """
        from features.errors import BadInput

        found = self.task or (Task.abuse if self.model is not None else Task(facts.task))
        if found == Task.cancellation and self.loss_budget is not None:
            raise BadInput(
                f"--loss-budget {self.loss_budget:g} cannot be judged: this log is asked who cancels again, "
                "and what a refund loses is not known; leave the option out and compare who is served"
            )
        return found

    def refuse(self) -> None:
        """See that the options go together and have values that can be.

        Raises
        ------
        BadInput
        """
        from features.errors import BadInput

        self.span()
        if self.loss_budget is not None and not 0 <= self.loss_budget <= 1:
            raise BadInput(
                f"--loss-budget is {self.loss_budget}, must be 0 to 1: a share of what is refunded"
            )
        if self.task is not None and self.model is not None:
            raise BadInput(
                "--task says what monthly models learn, --model names one that has learned; give one"
            )
