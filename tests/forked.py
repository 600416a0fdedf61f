"""Processes of their own for tests: forked from one that has imported what they all need, once."""

from __future__ import annotations

import multiprocessing

forkserver = multiprocessing.get_context("forkserver")
forkserver.set_forkserver_preload(["training.retrain", "tests.training.retrain_scenes"])
