from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import NoReturn

import pytest

from .conftest import Command


def raising(problem: Exception) -> Callable[[], NoReturn]:
    def app() -> NoReturn:
        raise problem

    return app


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_does_not_take_it_is_one_line_and_exit_code_1(
    command: Command, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    trouble = OSError(number, os.strerror(number), "/shop/home")
    monkeypatch.setattr("buyer_tier.cli.app", raising(trouble))
    code, out, err = command("retrain")
    assert (code, out) == (1, "")
    assert err == f"failed: [Errno {number}] {os.strerror(number)}: '/shop/home'\n"


def test_any_other_trouble_of_the_system_is_a_fault_of_ours_and_shown_whole(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("buyer_tier.cli.app", raising(OSError(errno.EBADF, "Bad file descriptor")))
    with pytest.raises(OSError, match="Bad file"):
        command("retrain")
