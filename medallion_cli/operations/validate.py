"""`medallion validate`: everything that can be known about a project without AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medallion_cli.operations.validation.check import check, specified
from medallion_cli.operations.validation.project import read_project

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.operations.findings import Finding


def validate(assets: Assets) -> list[Finding]:
    """Findings in a project's files, in every environment of it; empty when all is well. Makes no network call."""
    project, found = read_project(assets)
    return [*found, *check(project)] if project else found


def validate_specification(assets: Assets) -> list[Finding]:
    """Findings in what the project itself says, in seconds: its tables, models, SQL and visuals, not the templates."""
    project, found = read_project(assets)
    return [*found, *specified(project)] if project else found
