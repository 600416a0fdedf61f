"""``buyer-tier features`` and its verbs ``verify`` and ``export``."""

from __future__ import annotations

import typer

from buyer_tier.default_verb import ITSELF, DefaultVerb

from . import features, features_export, features_verify

app = typer.Typer(cls=DefaultVerb, help="Compute every feature of the catalog as it was known at an instant.")
app.command(ITSELF, hidden=True, epilog="Verbs: verify, export (each has --help).")(features.features)
app.command("verify")(features_verify.verify)
app.command("export")(features_export.export)
