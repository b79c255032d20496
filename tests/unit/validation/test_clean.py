"""The shipped project and the one of another schema are clean; what cannot be checked is said, not passed over."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from drafts import Draft

from medallion_cli.assets import Assets
from medallion_cli.cli import main
from medallion_cli.operations.validation.check import check
from medallion_cli.operations.validation.project import Project, read_project
from medallion_cli.operations.validation.schedules import expression_fault

pytestmark = pytest.mark.broad
ROOT = Path(__file__).parents[3]
SAKILA = ROOT / "tests" / "projects" / "sakila"
FOLDERS = ("configs", "sql", "glue_scripts", "infra_templates")


def test_every_environment_is_clean(project: Project) -> None:
    """cfn-lint over all templates takes long: `make check` runs `medallion validate` itself."""
    assert list(check(project, set())) == []


def test_a_project_of_another_schema_is_clean() -> None:
    project, faults = read_project(Assets.find(SAKILA))
    assert faults == []
    assert project is not None
    assert list(check(project, {"visualization"})) == []


def test_every_environment_is_looked_at(project: Project) -> None:
    assert {"dev", "prod", "local"} <= project.environments.keys()


@pytest.mark.parametrize(
    ("module", "code"), [("cfnlint", "MED-TPL-001"), ("statelint.linter", "MED-ASL-001")]
)
def test_a_validator_that_is_not_installed_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, project: Project, module: str, code: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    (told,) = {finding for finding in check(project, set()) if finding.code == code} or {None}
    assert told is not None
    assert "not installed" in told.what
    assert "pip install" in told.remedy


def test_templates_are_checked_with_each_environments_values(draft: Draft) -> None:
    draft.parameter("prod", "ReplicationClass", "dms.x9.large")
    places = [f.where for f in check(draft.project, set()) if f.code == "MED-PRP-002"]
    assert places == ["configs/prod.yaml parameters.ReplicationClass"]


def test_a_visual_may_stand_on_a_view_that_selects_every_column(draft: Draft) -> None:
    views = draft.project.views
    for name in [visual.view for visual in draft.project.dashboard.visuals]:
        base = re.sub(rf"gold\.{name}\b", f"gold.{name}_base", views.pop(name))
        views[f"{name}_base"] = base
        views[name] = f"CREATE OR REPLACE VIEW gold.{name} AS SELECT * FROM gold.{name}_base"
    assert list(check(draft.project, set())) == []


def test_nothing_is_said_twice(draft: Draft) -> None:
    draft.properties("source", "Database")["PubliclyAccessible"] = True
    told = [str(f) for f in check(draft.project, set())]
    assert told
    assert len(told) == len(set(told))


@pytest.mark.parametrize("value", ["x", [None]])
def test_no_rule_falls_over_values_of_another_kind(project: Project, value: object) -> None:
    for stack, template in project.environments["dev"].templates.items():
        draft = Draft(project)
        for other in ("prod", "local"):
            del draft.project.environments[other]
        for logical, resource in template["Resources"].items():
            for key in resource.get("Properties", {}):
                draft.properties(stack, logical)[key] = value
        assert list(check(draft.project, set()))


@pytest.mark.parametrize("stack", ["network", "source", "replication", "orchestration"])
def test_no_rule_falls_over_what_is_not_there(project: Project, stack: str) -> None:
    draft = Draft(project)
    draft.template(stack)["Resources"].clear()
    assert list(check(draft.project, set()))


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize(
    ("file", "old", "new", "place"),
    [
        ("configs/pipeline.yaml", "kind: scd2", "kind: scd3", "pipeline.yaml:"),
        ("configs/pipeline.yaml", "tables:", "tables: [", "pipeline.yaml:"),
        ("configs/dashboard.yaml", "kind: donut", "kind: doughnut", "dashboard.yaml:"),
        ("configs/prod.yaml", "target: aws", "target: azure", "prod.yaml:"),
        ("infra_templates/storage.yaml", "Resources:", "Resources: {", "infra_templates/storage.yaml"),
        ("sql/redshift/tables/fact_sales.sql", "CREATE TABLE", "CREAT TABLE", "sql/redshift/tables/fact_sales.sql"),
        ("sql/mysql/schema.sql", "BIGINT", "GEOMETRY", "GEOMETRY"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_a_finding(
    copied: Path, file: str, old: str, new: str, place: str
) -> None:
    path = copied / file
    path.write_text(path.read_text().replace(old, new, 1))
    project, faults = read_project(Assets.find(copied))
    told = [*faults, *(check(project, set()) if project else ())]
    assert any(
        place.lower() in str(finding).lower() and finding.remedy and finding.code for finding in told
    ), told


def test_the_command_tells_findings_as_documents(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = copied / "configs" / "pipeline.yaml"
    path.write_text(path.read_text().replace("kind: scd2", "kind: scd3", 1))
    with pytest.raises(SystemExit) as ended:
        main(["--project", str(copied), "--output", "json", "validate"])
    assert ended.value.code == 2  # a specification that cannot be read
    (finding,) = json.loads(capsys.readouterr().out)
    assert set(finding) == {"where", "what", "remedy", "code"}
    assert finding["code"] == "MED-CFG-010"
    assert finding["where"].startswith("configs/pipeline.yaml:")


@pytest.mark.parametrize(
    ("expression", "right"),
    [
        ("rate(15 minutes)", True),
        ("rate(1 hour)", True),
        ("rate(15 minute)", False),
        ("rate(1 hours)", False),
        ("rate(0 minutes)", False),
        ("cron(0 3 * * ? *)", True),
        ("cron(0/15 8-18 ? * MON-FRI *)", True),
        ("cron(0 3 L * ? *)", True),
        ("cron(0 3 ? * 2#1 *)", True),
        ("cron(0 3 * * * *)", False),
        ("cron(0 24 * * ? *)", False),
        ("cron(0 3 * * ?)", False),
        ("at(2030-01-31T03:00:00)", True),
        ("at(2030-02-31T03:00:00)", False),
        ("every 5 minutes", False),
    ],
)
def test_schedule_expressions_are_those_of_aws(expression: str, right: bool) -> None:
    assert (expression_fault(expression) is None) == right
