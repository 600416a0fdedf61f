"""The report of a backtest as plain values: what the page, the JSON file and the MLflow run all show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from decisions.policy import Policy
from decisions.policy_file import difference

from .archetypes import by_archetype
from .compare import front, swapped
from .figures import Scene
from .gaming import gaming
from .history import History
from .instants import instant
from .replay import Run
from .slices import by_slice, over_time


def report_of(run: Run, scene: Scene, *, inputs: dict[str, Any], caveats: Sequence[str]) -> dict[str, Any]:
    """Gather everything that there is to say of a run.

    Parameters
    ----------
    inputs : dict
        What went in, see `run_record.Inputs`.
    caveats : sequence of str
        What this history cannot tell.
    """
    history, outcomes = run.history, scene.outcomes
    policies = [_policy(run, scene, n, scene.figures(n)) for n in range(len(scene.judged))]
    found: dict[str, Any] = plain(
        {
            **beside(policies, served=scene.served, cost=scene.cost, inputs=inputs),
            "history": {
                "events": history.events,
                "first": history.first.isoformat(),
                "last": history.last.isoformat(),
                "requests": len(history.requests),
                **asked_in(history),
                "incomplete": history.incomplete,
                "repeated": history.repeated,
                "before_shipment": int(outcomes.before.sum()),
                "auto": int((outcomes.before & outcomes.auto).sum()),
                "found_shipped": int((outcomes.before & outcomes.found_shipped).sum()),
                "knows_shipping": outcomes.knows_shipping,
                "knows_waiting": outcomes.knows_waiting,
            },
            "has_truth": scene.buyers.truth is not None,
            "swaps": [swapped(scene, n) for n in range(1, len(scene.judged))],
            "caveats": list(caveats),
        }
    )
    return found


def _policy(run: Run, scene: Scene, n: int, figures: dict[str, Any]) -> dict[str, Any]:
    return {
        "figures": figures,
        "gaps": scene.gaps(n) if n else {},
        "over_time": over_time(scene, n),
        **told_of(run, scene, n, first=scene.judged[0].policy),
    }


def told_of(run: Run, scene: Scene, n: int, *, first: Policy) -> dict[str, Any]:
    """Tell what every report tells of a policy: what its file changes, and of kinds and slices."""
    policy = scene.judged[n].policy
    return {
        "version": policy.version,
        "changes": [asdict(d) for d in difference(first, policy) if d.setting != "version"],
        "by_archetype": by_archetype(scene, n),
        "slices": by_slice(scene, n),
        "gaming": gaming(run, scene, n),
    }


def beside(
    policies: Sequence[dict[str, Any]], *, served: str, cost: str, inputs: dict[str, Any]
) -> dict[str, Any]:
    """Put policies beside each other as every report does: the front, and kinds in one order, the first's."""
    order = [row["archetype"] for row in policies[0]["by_archetype"]]
    for policy in policies[1:]:
        policy["by_archetype"].sort(key=lambda row: _place(order, row["archetype"]))
    points = [(one["version"], one["figures"][served], one["figures"][cost]) for one in policies]
    return {
        "inputs": inputs,
        "served_is": served,
        "cost_is": cost,
        "policies": policies,
        "front": front(
            points, nobody={one["version"] for one in policies if not one["figures"]["auto"].value}
        ),
    }


def _place(order: Sequence[str], kind: str) -> int:
    return order.index(kind) if kind in order else len(order)


def plain(value: Any) -> Any:
    """Turn frozen values into those that JSON holds."""
    if is_dataclass(value) and not isinstance(value, type):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, (list, tuple)) else value


def asked_in(history: History) -> dict[str, str | None]:
    """Tell when the first and the last of the requests decided came."""
    ends = pc.min_max(history.requests["requested_at"].cast(pa.int64())).as_py()
    return {
        name: None if at is None else instant(at).isoformat()
        for name, at in (("first_asked", ends["min"]), ("last_asked", ends["max"]))
    }
