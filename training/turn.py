"""One retraining at a time: here a file lock, on a server a lease; and patience while it is away."""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
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


@dataclass(frozen=True)
class Process:
    """A process on a machine.

    Attributes
    ----------
    machine : str
        Its start and its room of process numbers; empty where the system does not tell (only Linux does).
    """

    machine: str
    pid: int

    @classmethod
    def this(cls) -> Process:
        """Name the one that asks."""
        try:
            start = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
            return cls(f"{start}:{os.stat('/proc/self/ns/pid').st_ino}", os.getpid())
        except OSError:
            return cls("", os.getpid())

    def has_ended(self, *, seen_by: Process) -> bool:
        """Tell whether it is known to be gone; of another machine, or another container, nobody knows."""
        if not self.machine or self.machine != seen_by.machine:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False


@dataclass
class Lease:
    """The right to change a server's registered model, for a while; nothing to do for a local store.

    It runs out by itself, at once if its holder was a process of this machine that is gone.
    """

    registry: Registry
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    holder: str = field(
        default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    )
    process: Process = field(default_factory=Process.this)

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
        if not said or said["until"] <= self.clock():
            return None
        holder = Process(said.get("machine", ""), said.get("pid", 0))
        return None if holder.has_ended(seen_by=self.process) else str(said["holder"])

    def _refuse(self, held: str | None) -> None:
        if held not in (None, self.holder):
            raise Busy(f"another retraining of {self.registry.name} is under way ({held}); try again later")

    def _write(self) -> None:
        said = {"holder": self.holder, "until": self.clock() + LEASE_SECONDS} | asdict(self.process)
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
