"""One retraining at a time: here a file lock, on a server a lease; and patience while it is away."""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from filelock import FileLock, Timeout

from models.mlflow_store import RegistryUnavailable, local_store
from models.registry import ModelDamaged, Registry

LEASE: Final = "retrain.lease"
LEASE_SECONDS: Final = 1800.0
SETTLE_SECONDS: Final = 2.0
"""How long two that ask at once have to overwrite each other before one reads its own name back."""
DELAYS: Final = (1.0, 4.0, 16.0)
T = TypeVar("T")


class Busy(RegistryUnavailable):
    """Another retraining is under way; says whose."""


@contextmanager
def turn(tracking_uri: str, home: Path, *, wait_seconds: float) -> Iterator[None]:
    """Hold this machine's retraining of a store; wait for another, and refuse when it takes too long."""
    store = local_store(tracking_uri)
    path = home / "retrain.lock" if store is None else store.with_name(f"{store.name}.retrain.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=wait_seconds):
            yield
    except Timeout as error:
        raise Busy(f"another retraining has held {path} for {wait_seconds:.0f} s; try again later") from error


@dataclass
class Lease:
    """The right to change a server's registered model, for a while; nothing to do for a local store."""

    registry: Registry
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    holder: str = field(
        default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    )

    def take(self) -> None:
        """Take the lease or go on holding it.

        Raises
        ------
        Busy
            Somebody else holds it.
        """
        if local_store(self.registry.tracking_uri) is not None:
            return
        held = self._held()
        self._refuse(held)
        self._write()
        if held != self.holder:
            self.sleep(SETTLE_SECONDS)
            self._refuse(self._held())

    def free(self) -> None:
        """Give the lease back, if it is still ours."""
        if local_store(self.registry.tracking_uri) is None and self._held() == self.holder:
            self.registry.tag(LEASE, "{}")

    def _held(self) -> str | None:
        said = json.loads(self.registry.tags().get(LEASE, "{}"))
        return str(said["holder"]) if said and said["until"] > self.clock() else None

    def _refuse(self, held: str | None) -> None:
        if held not in (None, self.holder):
            raise Busy(f"another retraining of {self.registry.name} is under way ({held}); try again later")

    def _write(self) -> None:
        said = {"holder": self.holder, "until": self.clock() + LEASE_SECONDS}
        self.registry.tag(LEASE, json.dumps(said))


def patiently(
    ask: Callable[[], T], *, delays: Sequence[float] = DELAYS, sleep: Callable[[float], None] = time.sleep
) -> T:
    """Ask again after each delay while the registry is away; what is damaged or busy is not asked again."""
    for delay in delays:
        try:
            return ask()
        except (ModelDamaged, Busy):
            raise
        except RegistryUnavailable:
            sleep(delay)
    return ask()
