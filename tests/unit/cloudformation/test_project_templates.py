"""The project's own templates: the engine takes every one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from medallion_cli.local.cloudformation.inert import INERT
from medallion_cli.local.cloudformation.resources import handlers
from medallion_cli.local.cloudformation.template import load_template

FOLDER = Path(__file__).parents[3] / "infra_templates"
TEMPLATES = sorted(FOLDER.glob("*.yaml"))


def test_there_is_a_template_a_concern() -> None:
    concerns = (
        "network storage source replication transform warehouse orchestration visualization observability"
    )
    assert {path.stem for path in TEMPLATES} >= set(concerns.split())


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_every_type_is_active_or_declared_inert(path: Path) -> None:
    template = load_template(path.read_text("utf-8"), "eu-central-1")
    types = {node["Type"] for node in template.resources.values()}
    assert types <= handlers().keys() | INERT.keys()
