"""Stands an environment up: stacks in dependency order through change sets, then the source's and the warehouse's bootstrap.

Whatever is interrupted, the same command goes on: a stack in progress is waited for, one that rolled back at creation is made
again, one without changes is skipped, artefacts and SQL are known by their hashes.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from medallion_cli.aws.cloudformation import RECREATED, Change, Stack, StackEvent, Stacks
from medallion_cli.aws.replication import Replication
from medallion_cli.errors import AwsError, MedallionError
from medallion_cli.events import Event, Finished, Noted, Progressed, Started
from medallion_cli.operations import replicate
from medallion_cli.operations.package import STACKS, Package, build, upload
from medallion_cli.operations.template import declared_parameters, resources

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.aws.session import Target
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Pipeline

FAILED = ("CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED")
GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "IMPORT_COMPLETE")
BUCKETS = ("BronzeBucket", "SilverBucket", "StagingBucket", "ArtifactsBucket")


@dataclass(frozen=True)
class DeployPlan:
    """What `up` would do."""

    changes: list[Change]


def outputs(target: Target) -> dict[str, str]:
    """The outputs of every stack of the environment."""
    return Stacks(target).outputs([_name(target, stack) for stack in STACKS])


def plan(
    target: Target, settings: Settings, pipeline: Pipeline, assets: Assets
) -> Generator[Event, None, DeployPlan]:
    """Change sets of the stacks that exist, discarded after reading; the resources of those that do not."""
    stacks, package = Stacks(target), build(pipeline, assets, settings)
    changes: list[Change] = []
    for stack in STACKS:
        name = _name(target, stack)
        yield Started(name)
        known = stacks.find(name)
        if known is None or known.status in (*RECREATED, "REVIEW_IN_PROGRESS"):
            changes += [Change(name, "Add", r, t, None) for r, t in resources(package.templates[stack])]
            continue
        found = _change_set(target, stacks, stack, package, settings)
        if found is not None:
            stacks.discard(found[0])
            changes += found[1]
        yield Finished(name, "changes" if found else "unchanged")
    return DeployPlan(changes)


def deploy(
    target: Target, settings: Settings, pipeline: Pipeline, assets: Assets
) -> Generator[Event, None, None]:
    """Brings the environment to what the project says."""
    stacks, package = Stacks(target), build(pipeline, assets, settings)
    for stack in STACKS:
        yield from _settle(stacks, _name(target, stack))
        if stack == "source":
            uploaded = upload(target, outputs(target)["ArtifactsBucket"], package)
            yield Noted(f"{uploaded} artefacts uploaded")
        yield from _bring(target, stacks, stack, package, settings)
    yield from _bootstrap(target, settings, pipeline, assets, package)


def destroy(target: Target, settings: Settings, delete_data: bool) -> Generator[Event, None, None]:
    """Deletes the stacks in reverse order; buckets are emptied first when their data may go."""
    stacks, found = Stacks(target), outputs(target)
    if settings.guards.termination_protection:
        raise MedallionError(
            f"{settings.prefix} is protected", hint="set guards.termination_protection to false, then up"
        )
    if "ReplicationTaskArn" in found:
        yield from replicate.stop(target, found, settings)
    if delete_data:
        from medallion_cli.aws import s3

        for bucket in (found[key] for key in BUCKETS if key in found):
            yield Finished(bucket, f"{s3.empty(target, bucket):,} objects deleted")
    for stack in reversed(STACKS):
        name = _name(target, stack)
        if stacks.find(name) is not None:
            yield Started(name)
            began = _newest(stacks, name)
            stacks.delete(name)
            yield from _until_settled(stacks, name, began)
            yield Finished(name, "deleted")


def _bring(
    target: Target, stacks: Stacks, stack: str, package: Package, settings: Settings
) -> Generator[Event, None, None]:
    name = _name(target, stack)
    found = _change_set(target, stacks, stack, package, settings)
    if found is None:
        yield Finished(name, "unchanged")
        return
    change_set, changes = found
    resume = stack == "replication" and any(
        c.type.startswith("AWS::DMS::") for c in changes if c.action != "Add"
    )
    if resume:
        yield from replicate.stop(target, outputs(target), settings)
    yield Started(name)
    began = _newest(stacks, name)
    stacks.execute(change_set)
    yield from _until_settled(stacks, name, began, len(changes))
    if settings.guards.termination_protection:
        stacks.protect(name, True)
    yield Finished(name, f"{len(changes)} changes")
    if resume:
        yield from replicate.start(target, outputs(target), settings)


def _change_set(
    target: Target, stacks: Stacks, stack: str, package: Package, settings: Settings
) -> tuple[str, list[Change]] | None:
    name, body = _name(target, stack), package.templates[stack]
    declared = declared_parameters(body)
    known = {
        **settings.parameters,
        **_facts(target, settings),
        **outputs(target),
        **package.parameters,
    }
    parameters = {key: value for key, value in known.items() if key in declared}
    if missing := [key for key, default in declared.items() if default is None and key not in parameters]:
        raise MedallionError(f"{name}: no value for the parameter {missing[0]}", hint="medallion up")
    label = f"medallion-{time.time_ns():x}"
    tags = {**settings.tags, "medallion:environment": str(settings.prefix)}
    return stacks.create_change_set(name, label, None, body, parameters, tags)


def _facts(target: Target, settings: Settings) -> dict[str, str]:
    """Parameters that derive from the environment."""
    found = outputs(target)
    facts = {
        "Prefix": str(settings.prefix),
        "Environment": settings.env,
        "BatchSeconds": str(settings.batch_seconds),
        "PollSeconds": str(settings.poll_seconds),
        "PipelineSchedule": settings.schedules.pipeline,
        "GeneratorSchedule": settings.schedules.generator,
        "GeneratorChanges": str(settings.schedules.generator_changes),
        "ScheduleTimeZone": settings.schedules.time_zone,
        "CodeBucket": found.get("ArtifactsBucket", ""),
    }
    if "TargetEndpointArn" in found:
        facts["Generation"] = Replication(target, found).generation()
    return facts


def _settle(stacks: Stacks, name: str) -> Generator[Event, None, None]:
    """Waits for what an interrupted `up` left running; removes a stack that never came to be."""
    known = stacks.find(name)
    if known is not None and known.busy:
        yield Noted(f"{name} is {known.status}: waiting")
        yield from _until_settled(stacks, name, _newest(stacks, name), strict=False)
        known = stacks.find(name)
    if known is not None and known.status in RECREATED:
        yield Noted(f"{name} is {known.status}: making it again")
        began = _newest(stacks, name)
        stacks.delete(name)
        yield from _until_settled(stacks, name, began)


def _until_settled(
    stacks: Stacks, name: str, began: datetime | None, total: int | None = None, strict: bool = True
) -> Generator[Event, None, None]:
    """Follows a stack's operation to its end; the root cause when it failed."""
    while (known := stacks.find(name)) is not None and (known.busy or known.status == "REVIEW_IN_PROGRESS"):
        done = [
            e for e in stacks.events(name, began) if e.status.endswith("_COMPLETE") and e.resource != name
        ]
        yield Progressed(name, len(done), total, "resources")
        time.sleep(stacks.pause)
    if strict and known is not None and known.status not in GOOD:
        raise _failure(known, stacks.events(name, began))


def _failure(stack: Stack, events: list[StackEvent]) -> MedallionError:
    """The oldest failure that is not a consequence of another one."""
    failed = [e for e in events if e.status in FAILED and "cancelled" not in e.reason.lower()]
    cause = next((e for e in failed if e.resource != stack.name), failed[0] if failed else None)
    what = f"{cause.resource} ({cause.type}): {cause.reason}" if cause else stack.reason
    return MedallionError(f"{stack.name} {stack.status}: {what}", hint="mend it, then: medallion up")


def _newest(stacks: Stacks, name: str) -> datetime | None:
    events = stacks.events(name, None)
    return events[-1].at if events else None


def _bootstrap(
    target: Target, settings: Settings, pipeline: Pipeline, assets: Assets, package: Package
) -> Generator[Event, None, None]:
    """What CloudFormation can't do, skipped when nothing changed since it was done."""
    found = outputs(target)
    yield from _bootstrap_source(target, found, package.parameters["SourceCodeKey"])
    yield from _bootstrap_warehouse(target, found, settings, pipeline, assets)


def _bootstrap_source(target: Target, found: dict[str, str], code: str) -> Generator[Event, None, None]:
    """The source's schema, users and ledgers, by its function."""
    from medallion_cli.aws.source import Source

    if _applied(target, "source") != code:
        yield Started("source bootstrap")
        Source(target, found["SourceFunctionName"]).call("bootstrap")
        _apply(target, "source", code)
        yield Finished("source bootstrap")


def _bootstrap_warehouse(
    target: Target, found: dict[str, str], settings: Settings, pipeline: Pipeline, assets: Assets
) -> Generator[Event, None, None]:
    """Schemas, tables, procedures and views."""
    from medallion_cli.aws.warehouse import connect
    from medallion_cli.warehouse import bootstrap_statements

    statements = bootstrap_statements(pipeline, assets)
    digest = hashlib.sha256("\n".join(s.sql for s in statements).encode()).hexdigest()
    if _applied(target, "warehouse") != digest:
        yield Started("warehouse bootstrap")
        warehouse = connect(target, found, settings.connection)
        for number, statement in enumerate(statements, start=1):
            _execute(warehouse, statement)
            yield Progressed("warehouse bootstrap", number, len(statements), "statements")
        _apply(target, "warehouse", digest)
        yield Finished("warehouse bootstrap", f"{len(statements)} statements")


def _execute(warehouse: Any, statement: Any) -> None:
    try:
        warehouse.execute(statement.sql)
    except MedallionError as error:
        raise MedallionError(f"{statement.name}: {error}", hint="medallion validate") from error


def _applied(target: Target, what: str) -> str | None:
    try:
        found = target.client("ssm").get_parameter(Name=_parameter(target, what))
    except AwsError as error:
        if error.code == "ParameterNotFound":
            return None
        raise
    return str(found["Parameter"]["Value"])


def _apply(target: Target, what: str, value: str) -> None:
    target.client("ssm").put_parameter(
        Name=_parameter(target, what), Value=value, Type="String", Overwrite=True
    )


def _parameter(target: Target, what: str) -> str:
    return f"/{target.settings.prefix}/applied/{what}"


def _name(target: Target, stack: str) -> str:
    return f"{target.settings.prefix}-{stack}"
