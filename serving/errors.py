"""What can keep the service from answering, by name; the edge turns each into a problem document."""

from __future__ import annotations

from features.errors import BadInput


class Unavailable(Exception):  # noqa: N818 - a state of the world, not a fault of ours
    """A part that a decision needs is away for now; ``part`` is ``database``, ``model`` or ``service``."""

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(f"{part}: {reason}")
        self.part = part
        self.reason = reason


class ModelGone(BadInput):
    """The registry has the model of a decision no more: its figures cannot be explained."""

    def __init__(self, version: str) -> None:
        super().__init__(f"model version {version}, which made this decision, is no longer in the registry")


class Overloaded(Unavailable):
    """More wait than can be answered in good time; the work itself is in order."""

    def __init__(self, waiting: int) -> None:
        super().__init__("service", f"{waiting} requests are waiting already")


class AfterSaleConflict(BadInput):
    """The after-sale id has been decided for another request body."""

    def __init__(self, after_sale_id: str) -> None:
        super().__init__(
            f"after_sale_id {after_sale_id!r} was decided for a request with another body; "
            "send the first body again, or a new id"
        )


class PolicyConflict(BadInput):
    """What is asked of the policies does not go with what they are."""


class StandingConflict(BadInput):
    """A person's action can have no effect on the standing as it is."""


class NotAllowed(BadInput):
    """A key asks for what somebody else has to do."""


class StoredEventsDiffer(BadInput):
    """An event id comes again with other content; nothing of the batch has been stored."""

    def __init__(self, event_ids: list[str]) -> None:
        shown = ", ".join(event_ids[:3])
        super().__init__(
            f"{len(event_ids):,} event ids are stored already with other content (first: {shown}); "
            "nothing was loaded; the log is append-only, give a changed event a new id"
        )
