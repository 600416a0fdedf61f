"""The ``buyer-tier`` command: mounts the verbs and turns expected refusals into exit codes."""

from __future__ import annotations

import signal
import sys
from errno import EACCES, EDQUOT, EFBIG, EIO, ENOSPC, EPERM, EROFS
from typing import Final, NoReturn

import typer

from features.errors import BadInput

from .commands import (
    audit,
    backtest,
    decide,
    demo,
    doctor,
    explain,
    features_group,
    import_,
    keys,
    load,
    models,
    policy,
    policy_store,
    retrain,
    score,
    serve,
    simulate,
    standing,
    train,
)
from .console import err

DISK: Final = {EACCES, EDQUOT, EFBIG, EIO, ENOSPC, EPERM, EROFS}

app = typer.Typer(
    name="buyer-tier",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Learn who a platform quality user is, serve the score, decide instant refunds before shipment.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage or bad input. Workspace: BUYER_TIER_HOME.",
)

app.command()(demo.demo)
app.command()(simulate.simulate)
app.add_typer(import_.app, name="import")
app.add_typer(features_group.app, name="features")
app.command()(train.train)
app.command()(retrain.retrain)
app.add_typer(models.app, name="models")
app.command()(load.load)
app.command()(serve.serve)
app.command()(score.score)
app.command()(decide.decide)
app.command()(explain.explain)
app.command()(backtest.backtest)
app.add_typer(keys.app, name="keys")
policy_store.add_to(policy.app)
app.add_typer(policy.app, name="policy")
app.add_typer(standing.app, name="standing")
app.add_typer(audit.app, name="audit")
app.command()(doctor.doctor)


def main() -> None:
    """Run the command line; an expected refusal is one line on standard error."""
    signal.signal(signal.SIGTERM, _end_in_order)
    try:
        app()
    except Exception as problem:
        if isinstance(problem, BadInput):
            _end("error", problem, code=2)
        if isinstance(problem, _expected_trouble()) or _is_of_the_disk(problem):
            _end("failed", problem, code=1)
        raise


def _end_in_order(number: int, _frame: object) -> NoReturn:
    """Let blocks remove what is half written and copies of logs, as on Ctrl-C; `serve` has its own way."""
    sys.exit(128 + number)


def _expected_trouble() -> tuple[type[Exception], ...]:
    """Name what may fail without a fault of ours; importing it is slow, so only when something failed."""
    from features.spark_session import SparkFailed
    from models.mlflow_store import RegistryUnavailable
    from serving.errors import Unavailable

    return Unavailable, RegistryUnavailable, SparkFailed


def _is_of_the_disk(problem: Exception) -> bool:
    """Tell a disk that is full, broken or not to be written; any other `OSError` is a fault of ours."""
    return isinstance(problem, OSError) and problem.errno in DISK


def _end(word: str, problem: Exception, *, code: int) -> NoReturn:
    err.print(f"[red]{word}:[/] {_one_line(problem)}", markup=True, highlight=False, soft_wrap=True)
    sys.exit(code)


def _one_line(problem: Exception) -> str:
    from rich.markup import escape

    return escape(" ".join(str(problem).split()))
