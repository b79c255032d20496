"""Taking an environment down: stacks in reverse order, then what they leave when the data may go."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from medallion_cli.aws.cloudformation import Stacks
from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Finished, Noted, Started
from medallion_cli.operations import replicate
from medallion_cli.operations.bootstrap import forget
from medallion_cli.operations.deploy import outputs
from medallion_cli.operations.deployment.follow import alone, until_settled
from medallion_cli.operations.package import STACKS

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.settings import Settings

BUCKETS = ("BronzeBucket", "SilverBucket", "StagingBucket", "ArtifactsBucket")


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
        yield from alone(until_settled(stacks, name, began, launched=True), stacks.pause)
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


def _name(target: Target, stack: str) -> str:
    return f"{target.settings.prefix}-{stack}"
