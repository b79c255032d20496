"""cfn-lint over what is deployed, warnings as errors; it names IAM actions that do not exist, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from medallion_cli.assets import Assets
from medallion_cli.operations import package
from medallion_cli.operations.validate import _linted
from medallion_cli.settings import load_settings
from medallion_cli.spec import load_pipeline

SAKILA = Path(__file__).parents[2] / "projects" / "sakila"


@pytest.mark.parametrize("stack", package.STACKS)
def test_a_rendered_template_is_clean(built: package.Package, stack: str) -> None:
    assert _linted(stack, built.templates[stack]) == []


def test_a_project_without_a_dashboard_has_clean_templates() -> None:
    assets = Assets.find(SAKILA)
    settings = load_settings("local", assets).model_copy(update={"prefix": "sakila-local"})
    body = package.render_templates(load_pipeline(assets), assets, settings)["visualization"]
    assert "AWS::QuickSight::Dashboard" not in body
    assert _linted("visualization", body) == []


def test_a_misspelt_action_is_found(built: package.Package) -> None:
    body = built.templates["orchestration"].replace("sns:Publish", "sns:Publsh")
    assert any("W3037" in finding.what for finding in _linted("orchestration", body))
