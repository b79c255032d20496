"""The project's own templates: the engine knows every type in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from medallion_cli.local.cloudformation.inert import INERT
from medallion_cli.local.cloudformation.resources import handlers

FOLDER = Path(__file__).parents[3] / "infra_templates"
CONCERNS = "network storage source replication transform warehouse orchestration visualization observability"


@pytest.mark.parametrize("concern", CONCERNS.split())
def test_every_type_is_active_or_declared_inert(concern: str) -> None:
    """Read from the text: rendering a template must not change which types it has."""
    text = (FOLDER / f"{concern}.yaml").read_text("utf-8")
    types = set(re.findall(r"Type: *['\"]?(AWS::\w+::\w+)\b(?!::)", text))
    assert types
    assert types <= handlers().keys() | INERT.keys()
