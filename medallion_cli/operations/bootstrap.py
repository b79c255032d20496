"""What CloudFormation can't do: the source's schema and users, the warehouse's SQL. Skipped when it was done already.

What was done is an SSM parameter: a hash of the content and of the database's secret, which is another one for a new database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING

from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Finished, Started
from medallion_cli.operations import marks
from medallion_cli.operations.dashboard_user import MARK, keep_dashboard_user

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.aws.session import Target
    from medallion_cli.migrations import Migration
    from medallion_cli.operations.package import Package
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Pipeline

DONE = ("source", "warehouse", "replicating", "rows", MARK)  # the marks


def bootstrap(
    target: Target,
    found: dict[str, str],
    settings: Settings,
    pipeline: Pipeline,
    assets: Assets,
    package: Package,
) -> Generator[Event, None, None]:
    """Both databases, and the limit of what the warehouse may cost."""
    yield from bootstrap_source(target, found, package, pipeline)
    yield from bootstrap_warehouse(target, found, settings, pipeline, assets)
    yield from keep_dashboard_user(target, found, settings)
    yield from limit_usage(target, found, settings)


def forget(target: Target) -> None:
    """Drops the marks of what was done."""
    for what in DONE:
        marks.drop(target, what)


def bootstrap_source(
    target: Target, found: dict[str, str], package: Package, pipeline: Pipeline, *, again: bool = False
) -> Generator[Event, None, None]:
    """The source's schema, users and binlog retention: its DDL is in the function's zip.

    Skipped when it is done and no table is gone, but for `again`.
    """
    from medallion_cli.aws.source import Source

    if again or source_is_due(target, found, package) or _lacks_a_table(target, found, pipeline):
        yield Started("source bootstrap")
        digest = _digest(package.parameters["SourceCodeKey"], found["SourceSecretArn"])
        Source(target, found["SourceFunctionName"]).call("bootstrap")
        marks.write(target, "source", digest)
        yield Finished("source bootstrap")


def bootstrap_warehouse(
    target: Target,
    found: dict[str, str],
    settings: Settings,
    pipeline: Pipeline,
    assets: Assets,
    *,
    again: bool = False,
) -> Generator[Event, None, None]:
    """The warehouse's schemas, roles, procedures, views; its tables by migrations. Skipped when done, but for `again`."""
    from medallion_cli.aws.warehouse import connect
    from medallion_cli.operations import migrations, procedures

    digest = _digest(migrations.digest(pipeline, assets), found["WarehouseSecretArn"])
    if again or marks.read(target, "warehouse") != digest:
        yield Started(migrations.STEP)
        with closing(connect(target, found, settings.connection)) as warehouse:
            made = yield from migrations.bring(warehouse, pipeline, assets)
            procedures.remember(target, found["ArtifactsBucket"], warehouse)
        marks.write(target, "warehouse", digest)
        yield Finished(migrations.STEP, f"{len(made)} migrations")


def source_is_due(target: Target, found: dict[str, str], package: Package) -> bool:
    """Whether the source's schema, users or settings are others than the project's."""
    digest = _digest(package.parameters["SourceCodeKey"], found["SourceSecretArn"])
    return marks.read(target, "source") != digest


def _lacks_a_table(target: Target, found: dict[str, str], pipeline: Pipeline) -> bool:
    """Whether a table was dropped at the source since it was made; not asked of a source that does not answer."""
    from medallion_cli.aws.source import Source

    try:
        there = Source(target, found["SourceFunctionName"]).call("columns").get("tables")
    except MedallionError:
        return False
    return there is not None and any(table.name not in there for table in pipeline.tables)


def pending_migrations(
    target: Target, found: dict[str, str], settings: Settings, pipeline: Pipeline, assets: Assets
) -> list[Migration] | None:
    """What would change in gold; None when nothing at all would, and then the warehouse is not woken to be asked."""
    from medallion_cli.aws.warehouse import connect
    from medallion_cli.operations import migrations

    digest = _digest(migrations.digest(pipeline, assets), found["WarehouseSecretArn"])
    if marks.read(target, "warehouse") == digest:
        return None
    with closing(connect(target, found, settings.connection)) as warehouse:
        return migrations.pending(warehouse, pipeline, assets)


def limit_usage(target: Target, found: dict[str, str], settings: Settings) -> Generator[Event, None, None]:
    """What the warehouse may use a day; CloudFormation has no type for it. One that is there is set to it."""
    hours = settings.guards.warehouse_hours_a_day
    if hours is None:
        return
    client = target.client("redshift-serverless")
    arn = client.get_workgroup(workgroupName=found["WorkgroupName"])["workgroup"]["workgroupArn"]
    limits = client.list_usage_limits(resourceArn=arn, usageType="serverless-compute").get("usageLimits", [])
    daily = next((limit for limit in limits if limit.get("period") == "daily"), None)
    if daily is None:
        client.create_usage_limit(
            resourceArn=arn,
            usageType="serverless-compute",
            amount=hours,
            period="daily",
            breachAction="deactivate",
        )
    elif daily["amount"] != hours:
        client.update_usage_limit(usageLimitId=daily["usageLimitId"], amount=hours, breachAction="deactivate")
    else:
        return
    yield Finished("usage limit", f"{hours} RPU-hours a day")


def _digest(*facts: str) -> str:
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()
