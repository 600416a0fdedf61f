"""The ladder of standing as a day-by-day loop: slow, plain, for signals at whole days of UTC."""

from __future__ import annotations

from dataclasses import dataclass, field

from decisions.standing import Signal
from decisions.standing_policy import StandingPolicy

from .standing_scenes import DAY, START


def day_of(signal: Signal) -> int:
    return round((signal.at - START) / DAY)


@dataclass
class Naive:
    """One buyer, known well, without people's actions and links."""

    policy: StandingPolicy
    state: str = "eligible"
    until: int | None = None
    warned: int | None = None
    abuse: bool = False
    held: tuple[str, int | None] = ("eligible", None)
    strikes: list[tuple[int, str, int]] = field(default_factory=list)

    def total(self, day: int) -> float:
        points = 0.0
        for at, _, weight in self.strikes:
            age = day - at
            if self.policy.strike_expires_days is not None and age >= self.policy.strike_expires_days:
                continue
            if self.policy.strike_half_life_days is not None:
                halvings = age // int(self.policy.strike_half_life_days)
                weight = 0 if halvings >= 10 else weight * 0.5**halvings  # type: ignore[assignment]
            points += weight
        return points

    def end_terms(self, day: int) -> None:
        watch = self.policy.watch_points or 10**9
        while not self.abuse and self.until is not None and day >= self.until:
            if self.state == "watch" and self.total(day) >= watch:
                return
            if self.state == "revoked":
                self.move("probation", day, self.policy.probation_days)
            elif self.state == "restricted" and self.total(day) >= watch:
                self.move("watch", day, self.policy.watch_days)
            else:
                self.move("eligible", day, None)

    def move(self, state: str, day: int, lasts: float | None) -> None:
        if state == "watch" and self.state != "watch":
            self.warned = day
        self.state, self.until = state, None if lasts is None else day + int(lasts)

    def hear(self, signal: Signal, day: int) -> None:
        if signal.kind == "abuse_confirmed" and not self.abuse:
            self.held, self.abuse = (self.state, self.until), True
            self.state, self.until = "revoked", None
        elif signal.kind == "abuse_cleared" and self.abuse:
            self.abuse = False
            self.state, self.until = self.held
            self.warned = day
        elif signal.kind in ("dispute_lost", "found_shipped", "cap_hit"):
            self.strike(signal, day)

    def strike(self, signal: Signal, day: int) -> None:
        weight = getattr(self.policy.points, signal.kind)
        if weight == 0 or (signal.kind == "cap_hit" and (day, "cap_hit", weight) in self.strikes):
            return
        self.strikes.append((day, signal.kind, weight))
        if self.abuse or self.state == "revoked":
            return
        if self.state == "probation":
            self.move("revoked", day, self.policy.revoke_days)
            return
        total, policy = self.total(day), self.policy
        grace = policy.warning_grace_hours
        may_lose = (
            grace is None
            or self.state == "restricted"
            or (self.state == "watch" and self.warned is not None and (day - self.warned) * 24 >= grace)
        )
        never = 10**9
        if may_lose and total >= (policy.revoke_points or never):
            self.move("revoked", day, policy.revoke_days)
        elif may_lose and total >= (policy.restrict_points or never):
            longer = day + int(policy.restrict_days)
            if self.state == "restricted" and self.until is not None:
                self.until = max(self.until, longer)
            else:
                self.move("restricted", day, policy.restrict_days)
        elif self.state == "eligible":
            thresholds = (policy.watch_points, policy.restrict_points, policy.revoke_points)
            if any(total >= t for t in thresholds if t is not None):
                self.move("watch", day, policy.watch_days)
