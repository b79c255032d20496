"""Stands an environment up: stacks in dependency order through change sets, then the source's and the warehouse's bootstrap.

Whatever is interrupted, the same command goes on: a stack in progress is waited for, one that rolled back at creation is made
again, one without changes is skipped, artefacts and SQL are known by their hashes.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from medallion_cli.aws.cloudformation import RECREATED, Change, Stack, StackEvent, Stacks
from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Finished, Noted, Progressed, Started
from medallion_cli.operations import replicate
from medallion_cli.operations.bootstrap import bootstrap, forget
from medallion_cli.operations.package import STACKS, Package, build, template_url, upload
from medallion_cli.operations.stack_parameters import check_settings, parameters
from medallion_cli.operations.template import resources

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.aws.session import Target
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Pipeline

FAILED = ("CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED")
GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "IMPORT_COMPLETE")
BUCKETS = ("BronzeBucket", "SilverBucket", "StagingBucket", "ArtifactsBucket")
LAUNCH_SECONDS = 60.0  # for the first event of an operation to show


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
    check_settings(settings, package)
    found, changes = outputs(target), list[Change]()
    for stack in STACKS:
        name = _name(target, stack)
        yield Started(name)
        known = stacks.find(name)
        if known is None or known.status in (*RECREATED, "REVIEW_IN_PROGRESS"):
            added = [Change(name, "Add", r, t, None) for r, t in resources(package.templates[stack])]
        else:
            added = _pending(target, stacks, known, stack, package, settings, found)
        changes += added
        yield Finished(name, f"{len(added)} changes" if added else "unchanged")
    return DeployPlan(changes)


def deploy(
    target: Target, settings: Settings, pipeline: Pipeline, assets: Assets
) -> Generator[Event, None, None]:
    """Brings the environment to what the project says."""
    stacks, package = Stacks(target), build(pipeline, assets, settings)
    check_settings(settings, package)
    found = outputs(target)
    for stack in STACKS:
        yield from _settle(stacks, _name(target, stack))
        found |= stacks.outputs([_name(target, stack)])
        if stack == "source":
            yield Noted(f"{upload(target, found['ArtifactsBucket'], package)} artefacts uploaded")
        yield from _bring(target, stacks, stack, package, settings, found)
        found |= stacks.outputs([_name(target, stack)])
    code = package.parameters["SourceCodeKey"]
    yield from bootstrap(target, found, settings, pipeline, assets, code)


def destroy(target: Target, settings: Settings, delete_data: bool) -> Generator[Event, None, None]:
    """Deletes the stacks in reverse order; what they leave (buckets, key, snapshots) only when the data may go."""
    stacks, found = Stacks(target), outputs(target)
    if settings.guards.termination_protection:
        hint = "set guards.termination_protection to false, then: medallion up"
        raise MedallionError(f"{settings.prefix} is protected", hint=hint)
    if "ReplicationTaskArn" in found:
        yield from replicate.stop(target, found, settings)
    for stack in reversed(STACKS):
        if stack == "storage" and delete_data:
            yield from _delete_data(target, found)
        yield from _delete(stacks, _name(target, stack))
    forget(target)
    if delete_data:
        yield from _delete_snapshots(target, settings)


def _delete(stacks: Stacks, name: str) -> Generator[Event, None, None]:
    if stacks.find(name) is not None:
        yield Started(name)
        began = stacks.newest(name)
        stacks.delete(name)
        yield from _until_settled(stacks, name, began, launched=True)
        yield Finished(name, "deleted")


def _delete_data(target: Target, found: dict[str, str]) -> Generator[Event, None, None]:
    """Before their stack goes, whose outputs tell their names to a `down` that goes on after an interruption."""
    from medallion_cli.aws import leftovers

    for bucket in (found[key] for key in BUCKETS if key in found):
        yield Started(bucket)
        yield Finished(bucket, f"{leftovers.delete_bucket(target, bucket):,} objects deleted")
    if "KeyArn" in found:
        leftovers.delete_key(target, found["KeyArn"])


def _delete_snapshots(target: Target, settings: Settings) -> Generator[Event, None, None]:
    from medallion_cli.aws import leftovers

    count = leftovers.delete_database_snapshots(target, f"{settings.prefix}-source")
    count += leftovers.delete_warehouse_snapshots(target, f"{settings.prefix}-warehouse")
    yield Noted(f"{count} snapshots deleted")


def _pending(
    target: Target,
    stacks: Stacks,
    known: Stack,
    stack: str,
    package: Package,
    settings: Settings,
    found: dict[str, str],
) -> list[Change]:
    if known.busy:
        raise MedallionError(f"{known.name} is {known.status}", hint="medallion up waits for it and goes on")
    made = _change_set(target, stacks, stack, package, settings, found)
    if made is None:
        return []
    stacks.discard(made[0])
    return made[1]


def _bring(
    target: Target, stacks: Stacks, stack: str, package: Package, settings: Settings, found: dict[str, str]
) -> Generator[Event, None, None]:
    name = _name(target, stack)
    made = _change_set(target, stacks, stack, package, settings, found)
    if made is None:
        _protect(stacks, name, settings)
        yield Finished(name, "unchanged")
        return
    change_set, changes = made
    paused = stack == "replication" and _is_running(target, found) and _touches_task(changes)
    if paused:  # DMS changes neither a running task nor its endpoints
        yield from replicate.stop(target, found, settings)
    yield Started(name)
    began = stacks.newest(name)
    stacks.execute(change_set)
    yield from _until_settled(stacks, name, began, len(changes), launched=True)
    _protect(stacks, name, settings)
    yield Finished(name, f"{len(changes)} changes")
    if paused:
        yield from replicate.start(target, outputs(target), settings)


def _touches_task(changes: list[Change]) -> bool:
    return any(c.type.startswith("AWS::DMS::") for c in changes if c.action != "Add")


def _is_running(target: Target, found: dict[str, str]) -> bool:
    return "ReplicationTaskArn" in found and replicate.status(target, found).status in ("running", "starting")


def _protect(stacks: Stacks, name: str, settings: Settings) -> None:
    known, wanted = stacks.find(name), settings.guards.termination_protection
    if known is not None and known.protected != wanted:
        stacks.protect(name, wanted)


def _change_set(
    target: Target, stacks: Stacks, stack: str, package: Package, settings: Settings, found: dict[str, str]
) -> tuple[str, list[Change]] | None:
    name, body = _name(target, stack), package.templates[stack]
    values = parameters(target, settings, package, stack, stacks.find(name), found)
    url = template_url(target, found.get("ArtifactsBucket"), stack, body)
    tags = {**settings.tags, "medallion:environment": str(settings.prefix)}
    return stacks.create_change_set(name, f"medallion-{time.time_ns():x}", url, body, values, tags)


def _settle(stacks: Stacks, name: str) -> Generator[Event, None, None]:
    """Waits for what an interrupted `up` left running; removes a stack that never came to be."""
    known = stacks.find(name)
    if known is not None and known.busy:
        yield Noted(f"{name} is {known.status}: waiting")
        yield from _until_settled(stacks, name, stacks.newest(name), strict=False)
        known = stacks.find(name)
    if known is not None and known.status == "UPDATE_ROLLBACK_FAILED":
        yield Noted(f"{name} is {known.status}: rolling back again")
        began = stacks.newest(name)
        stacks.continue_rollback(name)
        yield from _until_settled(stacks, name, began, strict=False, launched=True)
    if known is not None and known.status in RECREATED:
        yield Noted(f"{name} is {known.status}: making it again")
        began = stacks.newest(name)
        stacks.delete(name)
        yield from _until_settled(stacks, name, began, launched=True)


def _until_settled(
    stacks: Stacks,
    name: str,
    began: datetime | None,
    total: int | None = None,
    *,
    strict: bool = True,
    launched: bool = False,
) -> Generator[Event, None, None]:
    """Follows a stack's operation to its end; the root cause when it failed. One just `launched` may show a little later."""
    patience = time.monotonic() + (LAUNCH_SECONDS if launched else 0)
    while (known := stacks.find(name)) is not None:
        events = stacks.events(name, began)
        starting = known.status == "REVIEW_IN_PROGRESS" or not events
        if not known.busy and not (starting and time.monotonic() < patience):
            break
        yield Progressed(name, len(_done(name, events)), total, "resources")
        time.sleep(stacks.pause)
    if strict and known is not None and known.status not in GOOD:
        raise _failure(known, stacks.events(name, began))


def _done(name: str, events: list[StackEvent]) -> set[str]:
    return {e.resource for e in events if e.status.endswith("_COMPLETE") and e.resource != name}


def _failure(stack: Stack, events: list[StackEvent]) -> MedallionError:
    """The oldest failure that is not a consequence of another one."""
    failed = [e for e in events if e.status in FAILED and "cancelled" not in e.reason.lower()]
    cause = next((e for e in failed if e.resource != stack.name), failed[0] if failed else None)
    what = f"{cause.resource} ({cause.type}): {cause.reason}" if cause else stack.reason
    return MedallionError(f"{stack.name} {stack.status}: {what}", hint="mend it, then: medallion up")


def _name(target: Target, stack: str) -> str:
    return f"{target.settings.prefix}-{stack}"
