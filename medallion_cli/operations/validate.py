"""Offline checks of a project: settings, SQL, templates, replication rules, state machine, dashboard."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import yaml

from medallion_cli.errors import UsageError
from medallion_cli.operations import package
from medallion_cli.operations.findings import Finding
from medallion_cli.operations.machine_rules import machine_findings
from medallion_cli.operations.replication_rules import replication_findings, source_findings
from medallion_cli.operations.stack_parameters import check_settings
from medallion_cli.operations.template import parse_template
from medallion_cli.settings import load_settings

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Pipeline

NOT_SETTINGS = ("pipeline", "dashboard", "synthetic")


def validate(pipeline: Pipeline, assets: Assets) -> list[Finding]:
    """Everything that can be known without AWS; empty when all is well."""
    found = [*_settings(pipeline, assets), *_spark(pipeline), *_warehouse(pipeline, assets)]
    found += [*_dashboard(assets), *_machine(assets)]
    try:
        templates = package.render_templates(pipeline, assets, load_settings("local", assets))
    except UsageError as error:
        return [*found, Finding("infra_templates", str(error))]
    return [*found, *template_findings(pipeline, templates)]


def template_findings(pipeline: Pipeline, templates: dict[str, str]) -> list[Finding]:
    """Findings in rendered templates: cfn-lint's (when it is installed) and DMS's rules."""
    found = [finding for stack, body in templates.items() for finding in _linted(stack, body)]
    if found:
        return found
    tables = [(t.schema, t.name) for t in pipeline.tables] + [("medallion", "heartbeat")]
    found += replication_findings(parse_template(templates["replication"]), tables)
    return found + source_findings(parse_template(templates["source"]))


def _settings(pipeline: Pipeline, assets: Assets) -> Iterator[Finding]:
    """Every environment's file, as `up` would read it."""
    names = [
        name.removeprefix("configs/").removesuffix(".yaml") for name in assets.listing("configs", "*.yaml")
    ]
    for env in (name for name in names if name not in NOT_SETTINGS):
        yield from _tried(f"configs/{env}.yaml", lambda env=env: _checked(env, pipeline, assets))  # type: ignore[misc]


def _checked(env: str, pipeline: Pipeline, assets: Assets) -> None:
    settings: Settings = load_settings(env, assets)
    settings = settings.model_copy(update={"prefix": settings.prefix or f"{pipeline.name}-{env}"})
    templates = package.render_templates(pipeline, assets, settings)
    check_settings(settings, package.Package((), templates))


def _tried(where: str, check: Callable[[], object]) -> Iterator[Finding]:
    try:
        check()
    except UsageError as error:
        text = str(error).removeprefix(f"{where}: ")
        yield Finding(where, f"{text} ({error.hint})" if error.hint else text)


def _spark(pipeline: Pipeline) -> Iterator[Finding]:
    """The models' SELECTs parse; that they run is what the tests on Spark say."""
    for model in pipeline.models:
        folder = "sql/redshift/aggregates" if model.kind == "refresh" else "sql/silver_to_gold"
        dialect = "redshift" if model.kind == "refresh" else "spark"
        if model.select:
            yield from _parsed(f"{folder}/{model.name}.sql", model.select, dialect)
        for entry in model.inputs:
            if entry.touches:
                yield from _parsed(
                    f"configs/pipeline.yaml models.{model.name}.inputs.{entry.table}", entry.touches, "spark"
                )


def _parsed(where: str, sql: str, dialect: str) -> Iterator[Finding]:
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        statements = sqlglot.parse(sql, read=dialect)
    except SqlglotError as error:
        yield Finding(where, _plain(str(error)))
        return
    if len(statements) != 1 or statements[0] is None or not statements[0].find(sqlglot.exp.Select):
        yield Finding(where, "one SELECT is expected")


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[\d*m", "", text).splitlines()[0]


def _warehouse(pipeline: Pipeline, assets: Assets) -> Iterator[Finding]:
    from medallion_cli.warehouse import bootstrap_statements

    try:
        statements = bootstrap_statements(pipeline, assets)
    except UsageError as error:
        yield Finding("sql/redshift", str(error))
        return
    for statement in statements:
        code = re.sub(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", "", statement.sql, flags=re.DOTALL)
        if re.search(r"\bTRUNCATE\b", code, re.IGNORECASE):
            yield Finding(statement.name, "TRUNCATE commits, inside procedures too: use DELETE")


def _dashboard(assets: Assets) -> Iterator[Finding]:
    """Every visual's columns are columns of its view; nothing else checks that before QuickSight does."""
    from medallion_cli.dashboard import DASHBOARD, load_dashboard

    try:
        visuals = load_dashboard(assets).visuals
    except UsageError as error:
        yield Finding(DASHBOARD, str(error))
        return
    for visual in visuals:
        columns = _view_columns(assets, visual.view)
        if columns is None:
            yield Finding(f"{DASHBOARD} {visual.id}", f"no view sql/redshift/views/{visual.view}.sql")
            continue
        asked = [m.column for m in visual.measures] if visual.kind == "kpi" else [visual.x, visual.y]
        for column in asked:
            if column not in columns:
                yield Finding(f"{DASHBOARD} {visual.id}", f"gold.{visual.view} has no column {column}")


def _view_columns(assets: Assets, view: str) -> list[str] | None:
    import sqlglot

    name = f"sql/redshift/views/{view}.sql"
    if name not in assets.listing("sql/redshift/views", "*.sql"):
        return None
    select = sqlglot.parse_one(assets.read(name), read="redshift").find(sqlglot.exp.Select)
    return list(select.named_selects) if select else []


def _machine(assets: Assets) -> list[Finding]:
    return machine_findings(yaml.safe_load(assets.read("infra_templates/state_machine.yaml")))


def _linted(stack: str, body: str) -> list[Finding]:
    """cfn-lint's findings, warnings too; none when it is not installed."""
    try:
        from cfnlint import ManualArgs
        from cfnlint.api import lint
    except ImportError:
        return []
    matches: list[Any] = lint(body, config=ManualArgs(regions=["us-east-1"]))
    where = f"infra_templates/{stack}.yaml"
    return [Finding(where, f"line {m.linenumber} (rendered): {m.rule.id} {m.message}") for m in matches]
