"""The model in charge: loaded before the first answer, followed when the registry names another."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import structlog

from features.catalog import CATALOG
from features.warm import warm
from models.buyer_score import BuyerScore
from models.evidence import assess_buyer
from models.mlflow_store import RegistryUnavailable
from models.reasons import Reason
from models.registry import LoadedModel, ModelDamaged

from .errors import Unavailable
from .shadow import Shadow

KEPT_VERSIONS: Final = 4
NO_CHAMPION: Final = "no model is registered as champion yet; run `buyer-tier train`"
log = structlog.get_logger()


class Models(Protocol):
    """What is asked of the registry."""

    def champion_version(self) -> str | None:
        """Name the champion's version; None if there is none."""

    def load(self, version: str) -> LoadedModel:
        """Load a version; raise LookupError if it is not there."""

    def challenger_version(self) -> str | None:
        """Name the version to score in the shadow; None if there is none."""


class Champion:
    """Holds the champion and, for explanations, the few versions that older decisions were made with.

    A version comes into charge only when it has loaded, passed its self-check and scored once; then one
    assignment puts it there, and whoever has asked for `current` before finishes with the model it got.

    Parameters
    ----------
    registry : Models
    poll_seconds : float
        How often to ask for another champion.
    shadow_share : float
        Share of cases that the challenger, if there is one, scores too.
    """

    def __init__(self, registry: Models, *, poll_seconds: float, shadow_share: float = 0.0) -> None:
        self._registry, self._poll_seconds = registry, poll_seconds
        self._loaded: OrderedDict[str, LoadedModel] = OrderedDict()
        self._lock = threading.Lock()
        self._current: LoadedModel | None = None
        self._reason = "not asked for yet"
        self.shadow = Shadow(share=shadow_share)
        self._shadow_tried: str | None = None
        self._shadow_trouble = ""

    def current(self) -> LoadedModel:
        """Return the champion, or raise Unavailable with the reason."""
        if self._current is None:
            raise Unavailable("model", self._reason)
        return self._current

    def refresh(self) -> None:
        """Follow the registry; whatever goes wrong, the last good model stays."""
        try:
            version = self._registry.champion_version()
            if version is None:
                self._reason = NO_CHAMPION
            elif self._current is None or self._current.version != version:
                self._current = _tried(self._load(version))
                log.info("model_in_charge", version=version)
            if version is not None:
                self._reason = ""  # trouble that comes back is said again
        except Exception as error:  # whatever a damaged model raises, the last good one stays
            self._fail(str(error) or type(error).__name__)
        self._follow_challenger()

    def saw(self, key: str, vector: npt.NDArray[np.float64], *, points: float, version: str) -> None:
        """Let the challenger score what the champion has scored, off the path of the answer.

        Parameters
        ----------
        key : str
            Names the case in the log, and draws whether it is in the share; no buyer's id.
        vector : ndarray of shape (n_features,)
        points : float
            What the champion said.
        version : str
            The champion's version.
        """
        self.shadow.saw(key, vector, points=points, champion=version)

    def _follow_challenger(self) -> None:
        """Take the challenger that the registry names; trouble is said once.

        One that is damaged or of another catalog is left out until the alias moves; one that the registry
        could not give is tried again.
        """
        version = self._shadow_tried
        try:
            version = self._registry.challenger_version()
            if version != self._shadow_tried:
                self._take_challenger(version)
            self._shadow_tried, self._shadow_trouble = version, ""
        except Exception as error:  # a shadow is never worth a service
            if isinstance(error, (ModelDamaged, Unavailable)):
                self._shadow_tried = version
            if str(error) != self._shadow_trouble:
                log.warning("challenger_not_loaded", reason=str(error))
            self._shadow_trouble = str(error)

    def _take_challenger(self, version: str | None) -> None:
        self.shadow.follow(None)
        if version is not None:
            self.shadow.follow(_tried(self._load(version)))
            log.info("model_in_shadow", version=version)

    async def follow(self) -> None:
        """Refresh for ever, off the event loop."""
        while True:
            await asyncio.sleep(self._poll_seconds)
            await asyncio.to_thread(self.refresh)

    def reasons(self, version: str, vectors: list[bytes]) -> list[list[Reason]] | None:
        """Explain stored vectors by the model that scored them; None if the registry has it no more."""
        try:
            score = self.score_of(version)
        except (LookupError, RegistryUnavailable):
            return None
        return explained(score, vectors)

    def score_of(self, version: str) -> BuyerScore:
        """Load the score of a version that an older decision was made with.

        Raises
        ------
        LookupError
            The registry has it no more.
        RegistryUnavailable
            The registry is away, or the version damaged.
        """
        return self._load(version).score

    def _load(self, version: str) -> LoadedModel:
        with self._lock:
            if version not in self._loaded:
                self._loaded[version] = self._registry.load(version)
            self._loaded.move_to_end(version)
            while len(self._loaded) > KEPT_VERSIONS:
                self._loaded.popitem(last=False)
            return self._loaded[version]

    def _fail(self, reason: str) -> None:
        if reason != self._reason:
            log.warning("model_not_loaded", reason=reason, still=self._current and self._current.version)
        self._reason = reason


def explained(score: BuyerScore, vectors: list[bytes]) -> list[list[Reason]]:
    """Give the reasons of vectors as they are stored."""
    rows = np.vstack([np.frombuffer(vector, dtype="<f8") for vector in vectors])
    return [score.explain(row) for row in rows]


def _tried(model: LoadedModel) -> LoadedModel:
    """Refuse a model of another catalog; warm up what is compiled, and by one buyer trees and reasons.

    What is compiled, or read from the disk, at a first request holds up every other one.
    """
    if model.catalog_version != CATALOG.version:
        raise Unavailable(
            "model",
            f"version {model.version} was trained on catalog {model.catalog_version}, this service computes "
            f"catalog {CATALOG.version}; train again",
        )
    warm()
    tried = assess_buyer([], buyer_id="warm-up", as_of=datetime(2026, 1, 1, tzinfo=UTC), score=model.score)
    model.score.explain(tried.vector)
    return model
