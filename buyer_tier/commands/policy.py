"""``buyer-tier policy``: print, check and compare policies; a policy is a TOML file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from decisions.policy import Policy

app = typer.Typer(
    no_args_is_help=True, help="Policies: show, check, compare; propose, put in force, go back, stop."
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
SHIPPED: Final = "notice"


@app.command()
def show(
    policy: Annotated[
        str, typer.Argument(metavar="FILE", help="A policy file; `notice` is the shipped one.")
    ] = SHIPPED,
    as_json: Json = False,
) -> None:
    """Print a policy with the meaning of every setting, ready to be edited.

    Example: buyer-tier policy show > my-policy.toml
    """
    from buyer_tier.console import emit
    from decisions.policy_file import annotated
    from models.policy_files import read_policy

    found = read_policy(policy)
    if as_json:
        emit(_described(found))
    else:
        sys.stdout.write(annotated(found))


@app.command()
def check(file: Annotated[str, typer.Argument(metavar="FILE")], as_json: Json = False) -> None:
    """Check a policy file; a mistake is named with its line and ends with exit code 2.

    Example: buyer-tier policy check my-policy.toml
    """
    from buyer_tier.console import emit, out
    from models.policy_files import read_policy

    described = _described(read_policy(file))
    if as_json:
        emit(described)
        return
    asks = ", ".join(described["asks"]) or "none beyond the notice's"
    out.print(f"{file}: policy {described['version']} is valid", markup=False)
    out.print(f"additional rules: {asks}", markup=False)
    out.print(f"content: {described['content_id']}", markup=False)


@app.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="A policy file, or `notice`.")],
    after: Annotated[str, typer.Argument(metavar="B", help="A policy file, or `notice`.")],
    as_json: Json = False,
) -> None:
    """Compare two policies setting by setting; order, comments and spelling of a file do not count.

    Example: buyer-tier policy diff notice my-policy.toml
    """
    from rich.markup import escape
    from rich.table import Table

    from buyer_tier.console import emit, out
    from decisions.policy_file import difference
    from models.policy_files import read_policy

    found = difference(read_policy(before), read_policy(after))
    if as_json:
        emit([{"setting": d.setting, "before": d.before, "after": d.after} for d in found])
        return
    if not found:
        out.print("the policies are the same")
        return
    table = Table("setting", escape(before), escape(after))
    for d in found:
        table.add_row(d.setting, escape(d.before or "off"), escape(d.after or "off"))
    out.print(table)


def _described(policy: Policy) -> dict[str, Any]:
    import tomllib

    from decisions.policy_file import canonical, content_id

    text = canonical(policy)
    return {
        "version": policy.version,
        "content_id": content_id(policy),
        "asks": sorted(policy.asks),
        "settings": tomllib.loads(text),
        "text": text,
    }
