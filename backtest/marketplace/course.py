"""From people to events: what is ordered and asked for, and what comes of it under given answers.

Only the answers depend on a policy: nothing is drawn in ``asked`` or ``lived`` that depends on them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .aftermath import actual_course, follow
from .draws import Bools, Rng
from .everyday import shop_around
from .fulfilment import Parcels, fulfil
from .habits import Habits, take
from .investigation import Findings, before_closing, investigate, mistakes
from .journal import Rows, case_rows, order_rows
from .orders import Orders, discounted, joined, stacked
from .people import People
from .requests import Requests, ask
from .review import review
from .world import World


@dataclass(frozen=True)
class Asked:
    """Orders, their planned parcels, the requests in order of time, and the habits of who asks."""

    orders: Orders
    parcels: Parcels
    requests: Requests
    habits: Habits


def intended(people: People, world: World, rng: Rng) -> tuple[Orders, Findings]:
    """Collect everyday and scripted orders, and confirm abuse by the scripts."""
    everyday, wrong = shop_around(people, world, rng), mistakes(rng, people, world.end)
    orders, findings = scripted(people, world, rng)
    return _placed(people, rng, [everyday, *orders], stacked([wrong, *findings]))


def begun(people: People, world: World, rng: Rng) -> tuple[Orders, Findings]:
    """Collect the scripted orders of new accounts of abusers, and confirm abuse by them."""
    orders, findings = scripted(people, world, rng)
    return _placed(people, rng, orders, stacked(findings))


def scripted(people: People, world: World, rng: Rng) -> tuple[list[Orders], list[Findings]]:
    """Follow each archetype's script, and let investigators look into it."""
    orders, findings = [], []
    for archetype, cast in people.casts(world):
        if archetype.script is not None:
            own = archetype.script(cast, rng)
            orders.append(replace(own, scripted=np.ones(len(own), np.bool_)))
            findings.append(investigate(rng, archetype, cast, own))
    return orders, findings


def _placed(people: People, rng: Rng, orders: list[Orders], findings: Findings) -> tuple[Orders, Findings]:
    together = before_closing(people, findings, discounted(rng, joined(orders)))
    return together.pick(np.argsort(together.placed, kind="stable")), findings


def asked(world: World, rng: Rng, orders: Orders, habits: Habits) -> Asked:
    """Let shops plan the parcels and buyers ask for money; ``habits`` has one value per buyer."""
    parcels = fulfil(world, rng, orders)
    requests = ask(rng, orders, parcels, take(habits, orders.buyer))
    requests = requests.pick(np.argsort(requests.at, kind="stable"))
    return Asked(orders, parcels, requests, take(habits, orders.buyer[requests.order]))


def lived(world: World, rng: Rng, of: Asked, *, auto: Bools) -> list[Rows]:
    """Let the requests be answered, at once where ``auto``, and write the events of orders and cases."""
    answers = review(world, rng, of.orders, of.parcels, of.requests, auto=auto)
    sequels = follow(rng, of.orders, of.parcels, of.requests, answers, of.habits)
    course = actual_course(of.parcels, of.requests, answers)
    cases = case_rows(world, of.orders, of.requests, answers, sequels)
    return order_rows(world, rng, of.orders, course) + cases
