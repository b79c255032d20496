"""All rooms over one project, the quick ones first; the same finding of several environments is told once."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.access import access_findings
from medallion_cli.operations.validation.alarms import alarm_findings
from medallion_cli.operations.validation.buckets import bucket_findings
from medallion_cli.operations.validation.copy_contract import copy_findings
from medallion_cli.operations.validation.dashboard import file_findings, quicksight_findings
from medallion_cli.operations.validation.deployment import Deployment, simulate
from medallion_cli.operations.validation.events import event_findings
from medallion_cli.operations.validation.files import pipeline_findings, script_findings, table_findings
from medallion_cli.operations.validation.jobs import job_findings
from medallion_cli.operations.validation.limits import limit_findings
from medallion_cli.operations.validation.machine import machine_findings
from medallion_cli.operations.validation.machine_calls import call_findings
from medallion_cli.operations.validation.machine_data import data_findings
from medallion_cli.operations.validation.machine_values import value_findings
from medallion_cli.operations.validation.models import model_findings
from medallion_cli.operations.validation.network import network_findings
from medallion_cli.operations.validation.properties import property_findings
from medallion_cli.operations.validation.replication import replication_findings
from medallion_cli.operations.validation.schedules import schedule_findings
from medallion_cli.operations.validation.source import source_findings
from medallion_cli.operations.validation.storage import storage_findings
from medallion_cli.operations.validation.templates import lint_findings
from medallion_cli.operations.validation.warehouse import warehouse_findings
from medallion_cli.operations.validation.warehouse_sql import statement_findings
from medallion_cli.operations.validation.wiring import wiring_findings

if TYPE_CHECKING:
    from medallion_cli.operations.validation.project import Project


def check(project: Project, stacks: Collection[str] | None = None) -> Iterator[Finding]:
    """Findings in a project; `stacks` limits cfn-lint, which is slow and comes last, to templates that changed."""
    seen = set[tuple[str, str, str]]()
    for finding in _findings(project, stacks):
        key = (finding.code, finding.where, finding.what)
        if key not in seen:
            seen.add(key)
            yield finding


def specified(project: Project) -> Iterator[Finding]:
    """Findings in what a project says of its tables, models and visuals: the quick rooms, without templates."""
    yield from pipeline_findings(project.pipeline)
    yield from script_findings(project.assets)
    yield from statement_findings(project.statements)
    yield from table_findings(project.statements)
    yield from model_findings(project.pipeline, project.views, project.tables)
    yield from copy_findings(project.files, project.staging, project.assets)
    yield from file_findings(project.dashboard, project.view_columns)


def _findings(project: Project, stacks: Collection[str] | None) -> Iterator[Finding]:
    yield from specified(project)
    environments = project.environments.values()
    on_aws = [e for e in environments if e.settings.target == "aws"] or list(environments)[:1]
    deployments = []
    for environment in environments:
        deployment = simulate(environment.settings, environment.templates)
        yield from schedule_findings(deployment)
        yield from wiring_findings(deployment)
        if environment in on_aws:
            deployments.append(deployment)
            yield from _deployed(project, deployment)
            yield from _of_templates(deployment)
    yield from lint_findings(deployments, stacks)


def _deployed(project: Project, deployment: Deployment) -> Iterator[Finding]:
    """What AWS would refuse, or take and run wrongly, in one environment."""
    tables = [(table.schema, table.name) for table in project.pipeline.tables]
    yield from property_findings(deployment)
    yield from limit_findings(deployment)
    yield from replication_findings(deployment, tables)
    yield from source_findings(deployment)
    yield from machine_findings(deployment)
    yield from call_findings(deployment)
    yield from data_findings(deployment)
    yield from value_findings(deployment, project)
    yield from event_findings(deployment)
    yield from warehouse_findings(deployment)
    yield from job_findings(deployment, project.assets)
    yield from network_findings(deployment)
    yield from access_findings(deployment)
    yield from bucket_findings(deployment)
    yield from storage_findings(deployment)
    yield from alarm_findings(deployment)
    yield from quicksight_findings(deployment, project.view_columns, project.dashboard)


def _of_templates(deployment: Deployment) -> Iterator[Finding]:
    """Least privilege and the security scan, over the templates as they are written."""
    from importlib import import_module

    for room in ("iam_rules", "security_rules"):
        name = f"medallion_cli.operations.validation.{room}"
        if find_spec(name) is not None:
            rules = import_module(name)
            for stack in deployment.stacks.values():
                yield from rules.findings(stack.name, stack.template)
