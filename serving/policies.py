"""The policy in force: read at the start, followed, and changed only by people with the right keys."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import structlog

from decisions.policy import NOTICE, Policy
from decisions.policy import SHIPPED as SHIPPED_POLICIES
from decisions.policy_file import PolicyError, canonical, content_id, parse
from features.errors import BadInput

from .errors import NotAllowed, PolicyConflict, Unavailable
from .store import policies as store
from .store.database import Database
from .store.policies import Action, Activation, Proposed
from .timeline import ALWAYS, NEVER, holds, in_force, stopped

if TYPE_CHECKING:
    from .store.database import Connection
    from .store.keys import ApiKey

SHIPPED: Final = "notice"
"""The word for the shipped policy, wherever a version can be named."""
AGAIN_SECONDS: Final = 0.5
LOOK_SECONDS: Final = 5.0
log = structlog.get_logger()


class Policies:
    """Knows which policy is in force.

    Parameters
    ----------
    shipped : Policy
        In force until another is activated.
    """

    def __init__(self, shipped: Policy = NOTICE) -> None:
        self.shipped = shipped
        self.epoch: int | None = None
        self._acts: list[Activation] = []
        self._texts: dict[str, Policy] = {}
        self._held: tuple[datetime, datetime, Policy] = (NEVER, ALWAYS, shipped)

    def at(self, now: datetime) -> Policy:
        """Give the policy in force at an instant."""
        since, until, policy = self._held
        if not since <= now < until:
            policy = self._at(now)
            self._held = (*holds(self._acts, now), policy)
        return policy

    def _at(self, now: datetime) -> Policy:
        found = in_force(self._acts, now)
        policy = self.shipped if found.version is None else self._texts[found.version]
        return stopped(policy) if found.stopped else policy

    async def refresh(self, connection: Connection) -> None:
        """Read what was put in force, and the texts not read yet: they never change."""
        acts = await store.activations(connection)
        for version in {a.version for a in acts if a.version is not None} - set(self._texts):
            found = await store.find(connection, version)
            assert found is not None, "an activation names its policy by a foreign key"
            self._texts[version] = _read(found)
        newest = acts[-1].activation_id if acts else None
        if newest != self.epoch:
            log.info("policies_read", newest_act=newest)
        self._acts, self.epoch = acts, newest
        self._held = (NEVER, ALWAYS, self.shipped)

    async def keep_up(self, connection: Connection, epoch: int | None) -> None:
        """Read again if the newest act, of which a transaction has just read the id, is not known here."""
        if epoch != self.epoch:
            await self.refresh(connection)

    async def follow(self, database: Database) -> None:
        """Refresh for ever at each notification; whenever the connection is lost, listen on another.

        Decisions do not wait for this: each group reads with its own statement which act is the newest.
        Scores and the page of readiness follow by it.
        """
        while True:
            try:
                await self._listen(database)
            except Unavailable:  # every request says so, too
                pass
            except Exception as error:  # whatever it is, the next attempt may do better
                log.warning("policies_not_followed", error=type(error).__name__)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _listen(self, database: Database) -> None:
        told = asyncio.Event()

        def tell(*_: Any) -> None:
            told.set()

        async with database.listening() as connection:
            connection.add_termination_listener(tell)
            await connection.add_listener(store.CHANNEL, tell)
            while not connection.is_closed():
                await self.refresh(connection)
                with suppress(TimeoutError):
                    await asyncio.wait_for(told.wait(), LOOK_SECONDS)
                told.clear()


async def made_by(connection: Connection, version: str, *, shipped: Policy = NOTICE) -> Policy | None:
    """Find the policy that a decision names; None if no such policy is stored.

    Parameters
    ----------
    version : str
        As it is written on the decision: with what the kill switch and the model's cut-off added to the
        name. The cut-off itself is in the decision's record (`record.policy_of`).
    shipped : Policy
        Known without being stored, as those of `decisions.policy.SHIPPED` are.
    """
    name, *added = version.split("+")
    known = {**SHIPPED_POLICIES, shipped.version: shipped}.get(name)
    if known is None:
        found = await store.find(connection, name)
        known = None if found is None else _read(found)
    return stopped(known) if known is not None and "stopped" in added else known


def _read(found: Proposed) -> Policy:
    """Read a stored policy, which was one when it was proposed."""
    try:
        return parse(found.text, source=found.version)
    except PolicyError as error:
        raise Unavailable(
            "policy", f"{found.version} has settings that this release does not know"
        ) from error


async def propose(connection: Connection, text: str, *, source: str, key: ApiKey) -> tuple[Proposed, bool]:
    """Store a policy under its version; the same content again changes nothing.

    Returns
    -------
    (Proposed, bool)
        The stored policy and whether it is new.

    Raises
    ------
    BadInput
        The text is no policy.
    PolicyConflict
        The version has another content.
    """
    try:
        policy = parse(text, source=source)
    except PolicyError as error:
        raise BadInput(str(error)) from error
    if "+" in policy.version:
        raise BadInput(
            f"{source}: version {policy.version!r} has a +, behind which the service adds what it changes; "
            "choose another name"
        )
    if policy.version in (NOTICE.version, SHIPPED):
        raise BadInput(f"{source}: version {policy.version!r} is a shipped policy's; choose another name")
    canon, content = canonical(policy), content_id(policy)
    new = await store.add(connection, version=policy.version, content_id=content, text=canon, key=key)
    if new is not None:
        return new, True
    known = await store.find(connection, policy.version)
    if known is None or known.content_id != content:
        raise PolicyConflict(f"version {policy.version} has another content; choose a new version")
    return known, False


async def activate(
    connection: Connection, version: str, *, key: ApiKey, reason: str, at: datetime | None, now: datetime
) -> Activation:
    """Put a policy in force, at once or at an instant to come.

    Raises
    ------
    BadInput
        The reason says nothing.
    LookupError
        There is no such version.
    NotAllowed
        Whoever proposed a policy may not activate it.
    PolicyConflict
        It would begin in the past, or is in force already.
    """
    _said(reason)
    await store.take_turn(connection)
    if at is not None and at <= now:
        raise PolicyConflict(
            f"it would begin in the past, at {at.isoformat()}; "
            f"now is {now.isoformat(timespec='seconds')}, leave the time out to begin at once"
        )
    named = None if version == SHIPPED else version
    if named is not None:
        found = await store.find(connection, named)
        if found is None:
            raise LookupError(f"there is no policy {version!r}; propose it first")
        if key.key_id == found.proposed_by or key.name == found.proposer:
            raise NotAllowed(
                f"policy {version} was proposed by {key.name}; "
                "another must activate it, with a key of another name"
            )
    if at is None and in_force(await store.activations(connection), now).version == named:
        raise PolicyConflict(f"policy {version} is in force already")
    return await store.act(connection, "activate", version=named, starts_at=at, key=key, reason=reason)


async def change(
    connection: Connection, action: Action, *, key: ApiKey, reason: str, now: datetime
) -> Activation:
    """Roll back to the policy before, throw the kill switch or lift it: at once.

    Raises
    ------
    PolicyConflict
        There is nothing before, or the switch is there already.
    """
    _said(reason)
    await store.take_turn(connection)
    found = in_force(await store.activations(connection), now)
    if action == "rollback":
        if not found.can_roll_back:
            raise PolicyConflict("there was no other policy before the one in force")
        return await store.act(connection, action, version=found.before[-1], key=key, reason=reason)
    if found.stopped == (action == "stop"):
        raise PolicyConflict(
            "automatic refunds are " + ("stopped already" if found.stopped else "not stopped")
        )
    return await store.act(connection, action, key=key, reason=reason)


def _said(reason: str) -> None:
    if not reason.strip():
        raise BadInput("the reason must say why, in words; it is kept for ever")


def shipped(version: str) -> Policy | None:
    """Find a policy that needs no proposal: by its version, or by the word for the shipped one."""
    return NOTICE if version == SHIPPED else SHIPPED_POLICIES.get(version)


def shown(act: Activation) -> dict[str, Any]:
    """Tell of an act as people and machines are told of it."""
    return {
        "activation_id": act.activation_id,
        "action": act.action,
        "version": act.version or (SHIPPED if act.action in ("activate", "rollback") else None),
        "starts_at": act.starts_at or act.made_at,
        "made_by": act.maker,
        "made_at": act.made_at,
        "reason": act.reason,
    }
