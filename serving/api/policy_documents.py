"""The documents of policies over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from .schemas import Instant, Received, Sent, Text


def _printable(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not hold the character U+0000")
    return value


def _worded(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("blank", "must say why, in words")
    return value


Why = Annotated[
    Text, Field(min_length=1, description="Why, in words; kept for ever."), AfterValidator(_worded)
]


class ProposalIn(Sent):
    """A policy to store."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": 'version = "lower-cap-1"\ncap_fen = 20_000\n'}]}
    )

    text: Annotated[str, AfterValidator(_printable)] = Field(
        min_length=1, max_length=1 << 20, description="TOML. What it leaves out is as in the notice."
    )


class ReasonIn(Sent):
    """An act that needs no more than a reason."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "parcels are being raced"}]})

    reason: Why


class ActivationIn(ReasonIn):
    """When to put a policy in force, and why."""

    at: Instant | None = Field(default=None, description="From when; at once, if left out.")


class ActivationOut(Received):
    """One act: a policy put in force, a rollback, or the kill switch."""

    activation_id: int
    action: str = Field(examples=["activate", "rollback", "stop", "resume"])
    version: str | None = Field(description="`notice` is the shipped policy; null for the kill switch.")
    starts_at: datetime
    made_by: str
    made_at: datetime
    reason: str


class PolicySummary(Received):
    """A stored policy."""

    version: str
    content_id: str = Field(description="SHA-256 of the canonical text.")
    proposed_by: str
    proposed_at: datetime


class PolicyOut(PolicySummary):
    """A policy with what it says."""

    proposed_by: str | None = Field(description="Null of a shipped policy.")  # type: ignore[assignment]
    proposed_at: datetime | None = Field(description="Null of a shipped policy.")  # type: ignore[assignment]
    text: str = Field(description="The canonical text.")
    settings: dict[str, Any]


class PoliciesOut(Received):
    """All policies and acts."""

    in_force: str = Field(description="`+stopped` is added while the kill switch is thrown.")
    stopped: bool
    items: list[PolicySummary]
    activations: list[ActivationOut]
