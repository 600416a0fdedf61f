"""The services without HTTP, for as long as a command runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from models.buyer_score import BuyerScore
from models.registry import Registry

from .champion import Champion
from .dossier import Dossiers
from .explaining import Explainer
from .policies import Policies
from .replaying import Replayer
from .scoring import ScoringService
from .service import DecisionService
from .session import opened
from .settings import Settings
from .store.database import Database


@asynccontextmanager
async def deciding(settings: Settings, url: str) -> AsyncIterator[DecisionService]:
    """Give the very service that decides over HTTP, with the champion loaded."""
    async with opened(settings, url) as database:
        champion = await _champion(settings)
        yield DecisionService(
            database=database, champion=champion, policies=await policies_of(settings, database)
        )


@asynccontextmanager
async def scoring(settings: Settings, url: str) -> AsyncIterator[ScoringService]:
    """Give the very service that scores over HTTP, with the champion loaded."""
    async with opened(settings, url) as database:
        champion = await _champion(settings)
        yield ScoringService(
            database=database, champion=champion, policies=await policies_of(settings, database)
        )


@asynccontextmanager
async def explaining(settings: Settings, url: str) -> AsyncIterator[Explainer]:
    """Give the very service that explains over HTTP; models are loaded when they are asked for."""
    async with opened(settings, url) as database:
        yield Explainer(database=database, champion=_models(settings), policy=settings.policy)


@asynccontextmanager
async def laying_open(settings: Settings, url: str) -> AsyncIterator[Dossiers]:
    """Give the very service that makes dossiers over HTTP; models are loaded when they are asked for."""
    async with opened(settings, url) as database:
        yield Dossiers(database=database, champion=_models(settings))


@asynccontextmanager
async def replaying(settings: Settings, url: str) -> AsyncIterator[tuple[Replayer, Database]]:
    """Give what replays decisions; models are loaded when they are asked for."""
    async with opened(settings, url) as database:
        yield Replayer(_models(settings)), database


@asynccontextmanager
async def moving(settings: Settings, url: str) -> AsyncIterator[tuple[Database, Policies]]:
    """Give what standings are moved by: the database, and which policy is in force."""
    async with opened(settings, url) as database:
        yield database, await policies_of(settings, database)


def _models(settings: Settings) -> Champion:
    return Champion(Registry(settings.tracking_uri), poll_seconds=settings.model_poll_seconds)


async def _champion(settings: Settings) -> Champion:
    champion = _models(settings)
    await asyncio.to_thread(champion.refresh)
    return champion


def score_in_charge(settings: Settings) -> BuyerScore:
    """Load the champion's score.

    Raises
    ------
    Unavailable
        There is no champion, or it cannot be loaded.
    """
    champion = _models(settings)
    champion.refresh()
    return champion.current().score


async def policies_of(settings: Settings, database: Database) -> Policies:
    """Read which policy is in force."""
    policies = Policies(settings.policy)
    async with database.connection() as connection:
        await policies.refresh(connection)
    return policies
