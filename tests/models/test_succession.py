from __future__ import annotations

from datetime import UTC, datetime

import pytest

from features.errors import BadInput
from models.registry import ModelDamaged
from models.succession import SETTLED, changes, promote, rollback

AT = datetime(2026, 11, 1, tzinfo=UTC)


class Fake:
    """A registered model in memory; version 9 is damaged; it dies before the alias moves if told so."""

    tracking_uri, name = "http://mlflow", "buyer-score"

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.version_tags: dict[tuple[str, str], str] = {}
        self.aliases: dict[str, str] = {}
        self.dies = False

    def tags(self) -> dict[str, str]:
        return dict(self.kept)

    def tag(self, key: str, value: str, *, version: str | None = None) -> None:
        if version is None:
            self.kept[key] = value
        else:
            self.version_tags[version, key] = value

    def point(self, alias: str, version: str | None) -> None:
        if self.dies:
            raise KeyboardInterrupt
        if version is None:
            del self.aliases[alias]
        else:
            self.aliases[alias] = version

    def champion_version(self) -> str | None:
        return self.aliases.get("champion")

    def challenger_version(self) -> str | None:
        return self.aliases.get("challenger")

    def load(self, version: str) -> None:
        if version == "9":
            raise ModelDamaged("version 9 is damaged")
        if version == "404":
            raise LookupError("no version 404")


@pytest.fixture
def registry() -> Fake:
    return Fake()


def crown(registry: Fake, *versions: str) -> None:
    for version in versions:
        promote(registry, version, reason=f"because {version}", by="ann", at=AT)  # type: ignore[arg-type]


def back(registry: Fake) -> str:
    return rollback(registry, reason="worse", by="bob", at=AT).version  # type: ignore[arg-type]


def told(registry: Fake) -> list[tuple[str, str, str]]:
    return [(c.action, c.version, c.replaced) for c in changes(registry)]  # type: ignore[arg-type]


def test_who_when_and_why_are_kept_in_order(registry: Fake) -> None:
    crown(registry, "1", "2")
    last = changes(registry)[-1]  # type: ignore[arg-type]
    assert (last.by, last.at, last.reason) == ("ann", "2026-11-01T00:00:00+00:00", "because 2")
    assert told(registry) == [("promote", "1", ""), ("promote", "2", "1")]


def test_a_registry_without_a_champion_has_no_history_and_nothing_to_roll_back_to(registry: Fake) -> None:
    assert told(registry) == []
    with pytest.raises(BadInput, match="nothing to roll back to"):
        back(registry)


def test_rollbacks_walk_back_one_champion_at_a_time(registry: Fake) -> None:
    crown(registry, "1", "2", "3")
    assert [back(registry), back(registry)] == ["2", "1"]
    with pytest.raises(BadInput, match="no champion before version 1"):
        back(registry)
    assert registry.version_tags["3", SETTLED].startswith("rolled back")
    crown(registry, "4")
    assert back(registry) == "1"


def test_an_alias_that_somebody_moved_by_other_means_is_rolled_back_too(registry: Fake) -> None:
    crown(registry, "1")
    registry.aliases["champion"] = "7"
    assert back(registry) == "1"


def test_a_promotion_that_died_before_the_alias_moved_did_not_take_place(registry: Fake) -> None:
    crown(registry, "1")
    registry.dies = True
    with pytest.raises(KeyboardInterrupt):
        crown(registry, "2")
    registry.dies = False
    assert told(registry) == [("promote", "1", "")]
    crown(registry, "3")
    assert told(registry) == [("promote", "1", ""), ("promote", "3", "1")]
    assert back(registry) == "1"


@pytest.mark.parametrize(
    ("version", "reason", "error", "said"),
    [
        ("2", "  ", BadInput, "needs a reason"),
        ("1", "again", BadInput, "champion already"),
        ("404", "gone", BadInput, "no version 404"),
        ("9", "in spite of all", ModelDamaged, "damaged"),
    ],
)
def test_what_cannot_take_charge_is_refused_and_leaves_no_trace(
    registry: Fake, version: str, reason: str, error: type[Exception], said: str
) -> None:
    crown(registry, "1")
    before = dict(registry.kept)
    with pytest.raises(error, match=said):
        promote(registry, version, reason=reason)  # type: ignore[arg-type]
    assert (registry.kept, registry.aliases) == (before, {"champion": "1"})


def test_a_challenger_in_charge_is_no_longer_the_challenger(registry: Fake) -> None:
    registry.aliases["challenger"] = "2"
    crown(registry, "1")
    assert registry.challenger_version() == "2"
    crown(registry, "2")
    assert registry.challenger_version() is None
