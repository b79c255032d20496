"""A project's files, read and parsed once: what every rule looks at."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from medallion_cli.assets import PIPELINE, Assets
from medallion_cli.errors import UsageError
from medallion_cli.operations import package
from medallion_cli.operations.findings import Finding
from medallion_cli.operations.template import parse_template
from medallion_cli.operations.validation.copy_contract import staged_files, staging_tables
from medallion_cli.operations.validation.documents import Document
from medallion_cli.operations.validation.models import gold_columns, view_columns

if TYPE_CHECKING:
    from medallion_cli.dashboard import Dashboard
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Pipeline
    from medallion_cli.warehouse import Statement

NOT_SETTINGS = ("pipeline", "dashboard", "synthetic", "prices")
TABLES, VIEWS = "sql/redshift/tables", "sql/redshift/views"


@dataclass
class Environment:
    """One environment: its settings, and the templates as they are rendered for it."""

    settings: Settings
    templates: dict[str, Document]


@dataclass
class Project:
    """Everything that is checked, as documents and texts."""

    assets: Assets
    pipeline: Pipeline
    dashboard: Dashboard
    environments: dict[str, Environment] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    views: dict[str, str] = field(default_factory=dict)  # name → CREATE VIEW
    tables: dict[str, tuple[str, ...]] = field(default_factory=dict)  # gold's tables: columns
    files: dict[str, list[tuple[str, str]]] = field(
        default_factory=dict
    )  # staged Parquet: (column, Spark type)
    staging: dict[str, list[tuple[str, str]]] = field(default_factory=dict)  # (column, Redshift type)

    @property
    def view_columns(self) -> dict[str, list[str]]:
        """What each view returns; one that does not parse returns nothing."""
        return view_columns(self.views, gold_columns(self.pipeline, self.tables))


def read_project(assets: Assets) -> tuple[Project | None, list[Finding]]:
    """The project, and what could not be read of it; None when not even its specification could be."""
    from medallion_cli.dashboard import DASHBOARD, Dashboard, load_dashboard
    from medallion_cli.spec import load_pipeline

    found: list[Finding] = []
    pipeline = _tried(found, PIPELINE, "MED-CFG-010", lambda: load_pipeline(assets))
    if pipeline is None:
        return None, found
    dashboard = _tried(found, DASHBOARD, "MED-DSH-020", lambda: load_dashboard(assets))
    if _tried(found, PIPELINE, "MED-CFG-012", pipeline.resolved) is None:
        return None, found  # a column has a type that silver or gold lacks
    project = Project(assets, pipeline, dashboard or Dashboard())
    _read_sql(project, found)
    for env in environments(assets):
        settings = _tried(
            found, f"configs/{env}.yaml", "MED-CFG-011", lambda env=env: _settings(env, pipeline, assets)
        )
        if settings is not None and dashboard is not None:
            templates = _tried(
                found, "infra_templates", "MED-TPL-002", lambda s=settings: _templates(pipeline, assets, s)
            )
            project.environments |= (
                {env: Environment(settings, _shared(project, templates))} if templates else {}
            )
    return project, list(dict.fromkeys(found))


def environments(assets: Assets) -> list[str]:
    """Names of the environments that have settings."""
    names = [name.rpartition("/")[2].removesuffix(".yaml") for name in assets.listing("configs", "*.yaml")]
    return [name for name in names if name not in NOT_SETTINGS]


def _tried(found: list[Finding], where: str, code: str, read: Any) -> Any:
    """What `read` returns; a UsageError becomes a finding, and None."""
    try:
        return read()
    except UsageError as error:
        text = str(error).removeprefix(f"{where}: ")
        place = re.match(rf"{re.escape(where.rpartition('/')[2])}(:\d+): ([\w.-]+): ", text)
        if place:
            where, text = f"{where}{place[1]} {place[2]}", text[place.end() :]
        hint = (error.hint or "").replace(f"{os.getcwd()}/", "")
        found.append(Finding(where, text, hint or "correct it", code))
    return None


def _settings(env: str, pipeline: Pipeline, assets: Assets) -> Settings:
    from medallion_cli.settings import load_settings

    settings = load_settings(env, assets)
    return settings.model_copy(update={"prefix": settings.prefix or f"{pipeline.name}-{env}"})


def _templates(pipeline: Pipeline, assets: Assets, settings: Settings) -> dict[str, Document]:
    import yaml

    parsed = {}
    for stack, body in package.render_templates(pipeline, assets, settings).items():
        try:
            parsed[stack] = parse_template(body)
        except (yaml.YAMLError, AssertionError) as error:
            problem = " ".join(str(error).split())[:200] or "no mapping"
            raise UsageError(f"infra_templates/{stack}.yaml: {problem}", hint="valid YAML") from error
    return parsed


def _shared(project: Project, templates: dict[str, Document]) -> dict[str, Document]:
    """The same document where another environment has an equal one."""
    known = [environment.templates for environment in project.environments.values()]
    return {
        name: next((t[name] for t in known if t.get(name) == document), document)
        for name, document in templates.items()
    }


def _read_sql(project: Project, found: list[Finding]) -> None:
    from medallion_cli.ddl import parse_tables
    from medallion_cli.warehouse import bootstrap_statements

    pipeline, assets = project.pipeline, project.assets
    statements = _tried(found, "sql/redshift", "MED-SQL-010", lambda: bootstrap_statements(pipeline, assets))
    project.statements = statements or []
    for name, sql in _texts(project, VIEWS, found):
        project.views[name] = sql
    for name, sql in _texts(project, TABLES, found):
        where = f"{TABLES}/{name}.sql"
        parsed = _tried(found, where, "MED-SQL-010", lambda s=sql, w=where: parse_tables(s, "redshift", w))
        project.tables |= {
            table.name: tuple(c for c, _, _ in table.columns) for table in (parsed or {}).values()
        }
        project.statements = [*project.statements, *_own(where, sql)]
    project.statements += [*_selects(pipeline)]
    project.files = staged_files(pipeline)
    project.staging = _tried(found, "sql/redshift", "MED-SQL-010", lambda: staging_tables(pipeline)) or {}


def _own(where: str, sql: str) -> list[Statement]:
    from medallion_cli.warehouse import Statement, split_statements

    return [Statement(where, statement) for statement in split_statements(sql)]


def _selects(pipeline: Pipeline) -> Iterator[Statement]:
    from medallion_cli.warehouse import Statement

    for model in pipeline.models:
        if model.kind == "refresh" and model.select:
            yield Statement(f"sql/redshift/aggregates/{model.name}.sql", model.select)


def _texts(project: Project, folder: str, found: list[Finding]) -> Iterator[tuple[str, str]]:
    """(stem, text) of the folder's files, with the specification's facts filled in."""
    for name in project.assets.listing(folder, "*.sql"):
        text = _tried(found, name, "MED-SQL-010", lambda n=name: _rendered(project, n))
        if text is not None:
            yield name.rpartition("/")[2].removesuffix(".sql"), text


def _rendered(project: Project, name: str) -> str:
    import jinja2

    from medallion_cli.spec import sql_list

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters["sql_list"] = sql_list
    facts = {"business": project.pipeline.business, "source": project.pipeline.source}
    try:
        return environment.from_string(project.assets.read(name)).render(**facts).strip()
    except jinja2.TemplateError as error:
        raise UsageError(f"{name}: {error}", hint="correct the template") from error
