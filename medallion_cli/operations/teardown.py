"""Taking an environment down: stacks in reverse order, then what they leave when the data may go.

Every step looks at what is there, so that the same command goes on after any interruption, even after its last stack is gone.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medallion_cli.aws import leftovers
from medallion_cli.aws.cloudformation import Stacks
from medallion_cli.aws.database import Database
from medallion_cli.errors import AwsError, MedallionError
from medallion_cli.events import Event, Finished, Noted, Started
from medallion_cli.operations import marks, paused, replicate, source_database
from medallion_cli.operations.bootstrap import forget
from medallion_cli.operations.deploy import outputs
from medallion_cli.operations.deployment.follow import alone, until_settled
from medallion_cli.operations.package import STACKS
from medallion_cli.operations.pause import SWITCHED

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.operations.prices import Region
    from medallion_cli.settings import Settings

BUCKETS = ("BronzeBucket", "SilverBucket", "StagingBucket", "ArtifactsBucket")
MARKS = (paused.MARK, SWITCHED, replicate.GENERATION, replicate.RELOADING, replicate.CHECKPOINT)


@dataclass(frozen=True)
class Remaining:
    """What stays after `down`, and what it costs a month (None: by its size, which is not known)."""

    kind: str
    name: str
    gigabytes: float | None
    month: float | None
    detail: str


def check_unprotected(settings: Settings) -> None:
    """MedallionError, with what to change, for an environment that is protected against this."""
    if settings.guards.termination_protection:
        raise MedallionError(
            f"{settings.prefix} is protected: guards.termination_protection in configs/{settings.env}.yaml",
            hint="set it to false, then: medallion up, then: medallion down",
        )


def destroy(target: Target, settings: Settings, delete_data: bool) -> Generator[Event, None, None]:
    """Deletes the stacks in reverse order; what they leave (buckets, key, snapshots) only when the data may go."""
    stacks, found = Stacks(target), outputs(target)
    check_unprotected(settings)
    check_stacks(target, stacks)
    yield from _standing_still(target, found, settings)
    for stack in reversed(STACKS):
        if stack == "storage" and delete_data:
            yield from _delete_data(target, found)
        yield from _delete(stacks, _name(target, stack))
    forget(target)
    for mark in MARKS:
        marks.drop(target, mark)
    if delete_data:
        yield from _delete_snapshots(target, settings)


def remaining(target: Target, settings: Settings, region: Region) -> list[Remaining]:
    """What is left of an environment that was taken down."""
    found = leftovers.find(target, str(settings.prefix))
    return [Remaining(x.kind, x.name, x.gigabytes, _month(x, region), x.detail) for x in found]


def _month(left: leftovers.Leftover, region: Region) -> float | None:
    if left.kind == "key":
        return region.key
    prices = {
        "bucket": region.bucket,
        "database snapshot": region.database_storage,
        "warehouse snapshot": region.warehouse_storage,
    }
    return None if left.gigabytes is None else round(left.gigabytes * prices[left.kind], 2)


def check_stacks(target: Target, stacks: Stacks) -> None:
    """MedallionError for a stack that is still protected: settings that were changed reach stacks only by `up`."""
    for stack in STACKS:
        known = stacks.find(_name(target, stack))
        if known is not None and known.protected:
            hint = "medallion up, which takes the protection off, then: medallion down"
            raise MedallionError(f"{known.name} is still protected against deletion", hint=hint)


def _standing_still(
    target: Target, found: dict[str, str], settings: Settings
) -> Generator[Event, None, None]:
    """Replication stopped, since DMS deletes no running task; a stopped database started: RDS takes no snapshot of one."""
    try:
        if "ReplicationTaskArn" in found:
            yield from replicate.stop(target, found, settings)
    except AwsError as error:
        if error.code != "ResourceNotFoundFault":  # an earlier `down` deleted it
            raise
    try:
        if "DatabaseIdentifier" in found and _is_stopped(target, found["DatabaseIdentifier"]):
            yield Noted("the source database is started once more: its final snapshot needs it")
            yield from source_database.started(target, found, settings)
    except AwsError as error:
        if error.code not in ("DBInstanceNotFound", "DBInstanceNotFoundFault"):
            raise


def _is_stopped(target: Target, identifier: str) -> bool:
    return Database(target, identifier).instance().status in ("stopped", "stopping", "starting")


def _delete(stacks: Stacks, name: str) -> Generator[Event, None, None]:
    known = stacks.find(name)
    if known is None:
        return
    if known.busy and known.status != "DELETE_IN_PROGRESS":
        yield Noted(f"{name} is {known.status}: waiting")
        yield from alone(until_settled(stacks, name, stacks.newest(name), strict=False), stacks.pause)
    yield Started(name)
    began = stacks.newest(name)
    stacks.delete(name)
    yield from alone(until_settled(stacks, name, began, launched=True), stacks.pause)
    yield Finished(name, "deleted")


def _delete_data(target: Target, found: dict[str, str]) -> Generator[Event, None, None]:
    """Buckets by what the stack says and by their names: an earlier `down` may have kept them. Then the key they tell."""
    names = [found[key] for key in BUCKETS if key in found]
    names += [name for name in leftovers.buckets(target, str(target.settings.prefix)) if name not in names]
    keys = {key for key in (found.get("KeyArn"), *(leftovers.key_of(target, name) for name in names)) if key}
    for bucket in names:
        yield Started(bucket)
        yield Finished(bucket, f"{leftovers.delete_bucket(target, bucket):,} objects deleted")
    for key in sorted(keys):
        leftovers.delete_key(target, key)
        yield Noted(f"the key is deleted in {leftovers.KEY_DAYS} days")


def _delete_snapshots(target: Target, settings: Settings) -> Generator[Event, None, None]:
    count = leftovers.delete_database_snapshots(target, f"{settings.prefix}-source")
    count += leftovers.delete_warehouse_snapshots(target, f"{settings.prefix}-warehouse")
    yield Noted(f"{count} snapshots deleted")


def _name(target: Target, stack: str) -> str:
    return f"{target.settings.prefix}-{stack}"
