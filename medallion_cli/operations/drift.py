"""What is not as it was deployed: by CloudFormation's own detection, and what CloudFormation does not see.

What the tool itself changes beside the stacks is no drift: a pause, a reload's generation, schedules, code by `up --only`.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from medallion_cli.aws import drift as detection
from medallion_cli.aws import schedules
from medallion_cli.aws.cloudformation import Stack, Stacks
from medallion_cli.aws.database import Database
from medallion_cli.aws.drift import Difference
from medallion_cli.aws.replication import Replication
from medallion_cli.aws.source import Source
from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Finished, Progressed, Started
from medallion_cli.operations import marks, paused, procedures, replicate
from medallion_cli.operations.package import STACKS
from medallion_cli.operations.pause import SWITCHED
from medallion_cli.operations.paused import SMALLEST

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.operations.package import Package
    from medallion_cli.settings import Settings

PATIENCE = 900.0  # seconds for all detections
RETENTION = "binlog retention hours"
# Properties that the tool changes beside the stacks; those of schedules and of the generation have checks of their own.
OWN = {("AWS::Scheduler::Schedule", "/State"), ("AWS::DMS::Endpoint", "/S3Settings/BucketFolder")}
CODE = {"AWS::Glue::Job": ("/Command", "/DefaultArguments"), "AWS::Lambda::Function": ("/Code",)}


@dataclass(frozen=True)
class DriftReport:
    """What differs, and what could not be looked at, with why."""

    differences: list[Difference]
    unseen: list[str] = field(default_factory=list)


def drift(
    target: Target, outputs: dict[str, str], settings: Settings, package: Package
) -> Generator[Event, None, DriftReport]:
    """Looks at every stack and at what no stack holds; nothing is changed. It wakes the warehouse."""
    unseen: list[str] = []
    found = yield from _of_stacks(target, settings)
    differences = [*_without_own(target, outputs, package, found)]
    for name, check in CHECKS.items():
        yield Started(name)
        try:
            differences += check(target, outputs, settings)
        except MedallionError as error:
            unseen.append(f"{name}: {error}")
        except KeyError as error:  # an output of a stack that is gone, which is told already
            unseen.append(f"{name}: no stack gives {error}")
        yield Finished(name)
    return DriftReport(differences, unseen)


def _of_stacks(target: Target, settings: Settings) -> Generator[Event, None, list[Difference]]:
    """All stacks at once: each takes AWS some minutes."""
    stacks = Stacks(target)
    names = [f"{settings.prefix}-{stack}" for stack in STACKS]
    known = {name: stacks.find(name) for name in names}
    missing = [
        Difference(n, n, "AWS::CloudFormation::Stack", "", "", "there", "missing")
        for n in names
        if not known[n]
    ]
    if busy := [stack.name for stack in known.values() if stack and stack.busy]:
        raise MedallionError(f"{busy[0]} is being changed", hint="medallion drift, once it is done")
    step, began = "stacks", time.monotonic()
    yield Started(step)
    open_ = {name: detection.begin(target, name) for name in names if known[name]}
    total, found = len(open_), list(missing)
    while open_:
        for name in [name for name, asked in open_.items() if detection.ended(target, asked)]:
            del open_[name]
            found += detection.differences(target, name)
        if open_ and time.monotonic() - began > PATIENCE:
            raise MedallionError(
                f"drift detection of {next(iter(open_))} does not end", hint="medallion drift"
            )
        yield Progressed(step, total - len(open_), total, "stacks")
        if open_:
            time.sleep(stacks.pause)
    yield Finished(step, f"{total} looked at")
    return found


def _without_own(
    target: Target, outputs: dict[str, str], package: Package, found: list[Difference]
) -> Iterator[Difference]:
    """What nobody but the tool can have changed is left out."""
    pause = paused.read(target)
    code = [one for one in found if one.property.startswith(CODE.get(one.type, ("-",)))]
    brought = _brought(target, outputs, package) if code else set()
    for one in found:
        is_small = one.property == "/ReplicationInstanceClass" and one.actual == SMALLEST
        if (one.type, one.property) in OWN or (pause is not None and is_small):
            continue
        if one in code and one.physical in brought:
            continue
        yield one


def _brought(target: Target, outputs: dict[str, str], package: Package) -> set[str]:
    """Jobs and functions whose code is the project's."""
    from medallion_cli.operations.deployment import code

    return {name for name, is_stale in code.stale(target, outputs, package).items() if not is_stale}


def _schedules(target: Target, outputs: dict[str, str], settings: Settings) -> Iterator[Difference]:
    """On or off as the tool last said; before that, as the stack was made; while it is paused, off."""
    stack = _stack(target, settings, "orchestration")
    pause, said = paused.read(target), marks.read(target, SWITCHED)
    for found in schedules.schedules(target, outputs):
        short = found.name.rpartition("-")[2].capitalize()
        made = stack.parameters.get(f"{short}ScheduleState", "DISABLED") == "ENABLED"
        wanted = False if pause is not None else made if said is None else said == "on"
        if found.enabled != wanted:
            states = ("on" if wanted else "off", "on" if found.enabled else "off")
            yield Difference(
                stack.name, found.name, "AWS::Scheduler::Schedule", found.name, "/State", *states
            )


def _generation(target: Target, outputs: dict[str, str], settings: Settings) -> Iterator[Difference]:
    """The folder that DMS writes to: that of the stack, or of the last reload."""
    stack = _stack(target, settings, "replication")
    wanted = max(stack.parameters.get("Generation", ""), marks.read(target, replicate.GENERATION) or "")
    live = Replication(target, outputs).generation()
    if live != wanted:
        place = ("TargetEndpoint", "AWS::DMS::Endpoint", outputs["TargetEndpointArn"])
        yield Difference(stack.name, *place, "/S3Settings/BucketFolder", wanted, live)


def _retention(target: Target, outputs: dict[str, str], settings: Settings) -> Iterator[Difference]:
    """How long RDS keeps the binlog; a server that is no RDS has no such setting."""
    from medallion_cli.synthetic.server import BINLOG_HOURS

    database = Database(target, outputs["DatabaseIdentifier"])
    if not (state := database.instance()).answers:
        raise MedallionError(f"the database is {state.status}")
    found = Source(target, outputs["SourceFunctionName"]).call("settings")["settings"]
    if RETENTION in found and str(found[RETENTION]) != str(BINLOG_HOURS):
        place = (f"{settings.prefix}-source", "Database", "AWS::RDS::DBInstance", database.identifier)
        yield Difference(
            *place, RETENTION, str(BINLOG_HOURS), str(found[RETENTION] or "none: purged at once")
        )


def _procedures(target: Target, outputs: dict[str, str], settings: Settings) -> Iterator[Difference]:
    """Sources of the warehouse's procedures, by digest."""
    from medallion_cli.aws.warehouse import connect

    wanted = procedures.remembered(target, outputs["ArtifactsBucket"])
    if wanted is None:
        raise MedallionError(
            "what was deployed was not kept: medallion up keeps it with the next change of SQL"
        )
    with closing(connect(target, outputs, settings.connection)) as warehouse:
        live = procedures.digests(warehouse)
    for name in sorted(wanted.keys() | live.keys()):
        if wanted.get(name) != live.get(name):
            place = (f"{settings.prefix}-warehouse", name, "procedure", name, "source")
            yield Difference(*place, wanted.get(name, "none"), live.get(name, "deleted"))


def _usage_limit(target: Target, outputs: dict[str, str], settings: Settings) -> Iterator[Difference]:
    """What the warehouse may use a day."""
    if (wanted := settings.guards.warehouse_hours_a_day) is None:
        return
    limits = target.client("redshift-serverless").list_usage_limits(
        resourceArn=outputs["WorkgroupArn"], usageType="serverless-compute"
    )
    daily = [limit["amount"] for limit in limits.get("usageLimits", []) if limit.get("period") == "daily"]
    if daily != [wanted]:
        place = (f"{settings.prefix}-warehouse", "Workgroup", "AWS::RedshiftServerless::Workgroup", "")
        live = ", ".join(map(str, daily)) or "none"
        yield Difference(*place, "daily usage limit, RPU-hours", str(wanted), live)


def _stack(target: Target, settings: Settings, stack: str) -> Stack:
    found = Stacks(target).find(f"{settings.prefix}-{stack}")
    if found is None:
        raise MedallionError(f"{settings.prefix}-{stack} is missing")
    return found


CHECKS = {
    "schedules": _schedules,
    "generation": _generation,
    "binlog retention": _retention,
    "usage limit": _usage_limit,
    "procedures": _procedures,
}
