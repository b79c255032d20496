"""Checks of the environment as a whole: who asks, the clock, versions, stacks, the lock, a pause, quotas, drift."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from medallion_cli.aws.cloudformation import RECREATED, Stacks
from medallion_cli.aws.errors import is_permission
from medallion_cli.errors import AwsError
from medallion_cli.operations.doctor.catalogue import finding
from medallion_cli.operations.doctor.causes import code_of_error
from medallion_cli.operations.doctor.rules import NotLooked
from medallion_cli.operations.package import STACKS

if TYPE_CHECKING:
    from medallion_cli.operations.doctor.look import Look
    from medallion_cli.operations.doctor.rules import Finding

WHO_ASKS = "who asks"  # where a finding is after which nothing else is asked
SKEW_SECONDS = 120.0  # AWS refuses at five minutes
NEARLY = 0.9  # of a quota
# A quota's name at AWS → what Service Quotas calls its service.
COUNTED = {"DBInstances": "rds", "ReplicationInstances": "dms", "ReplicationTasks": "dms"}


def refused(error: AwsError) -> Finding:
    """Why nothing at all can be asked: whose credentials these are, this machine's clock, or no answer."""
    code = code_of_error(str(error))
    if code not in ("MED-ENV-001", "MED-ENV-002", "MED-ENV-010"):
        code = "MED-ENV-001" if is_permission(error.code) else "MED-ENV-015"
    return finding(code, str(error), where=WHO_ASKS, remedy=error.hint or "aws sts get-caller-identity")


def credentials(look: Look) -> Iterator[Finding]:
    """Whether AWS knows who asks, and whether its clock is this machine's."""
    try:
        found = look.target.client("sts").get_caller_identity()
    except AwsError as error:
        yield refused(error)
        return
    if told := found.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date"):
        away = (parsedate_to_datetime(told).astimezone(UTC) - look.now).total_seconds()
        if abs(away) > SKEW_SECONDS:
            yield finding("MED-ENV-002", f"it is {abs(away):.0f} s {'behind' if away > 0 else 'ahead'}")


def versions(look: Look) -> Iterator[Finding]:
    """Python and the libraries that are pinned."""
    from medallion_cli.operations.deployment.preflight import MACHINE, machine

    for one in machine(MACHINE):
        yield finding("MED-ENV-003", one.what, remedy=one.remedy)


def stacks(look: Look) -> Iterator[Finding]:
    """Stacks that failed, or that are missing; not while somebody makes or deletes them."""
    if look.worked_on:
        raise NotLooked
    known = Stacks(look.target)
    for stack in STACKS:
        found = known.find(f"{look.settings.prefix}-{stack}")
        if found is None:
            if stack != "visualization":
                yield finding("MED-ENV-009", f"the stack {stack} is missing", where=stack)
        elif found.status in RECREATED or found.status.endswith("_FAILED"):
            yield finding("MED-ENV-009", f"{found.name} is {found.status} {found.reason}", where=stack)


def held(look: Look) -> Iterator[Finding]:
    """Who works on it; a lock whose holder has ended."""
    if look.worked_on:
        yield finding("MED-ENV-016", str(look.holder), where="lock")
    elif look.holder is not None:
        yield finding("MED-ENV-007", f"{look.settings.prefix} is held by {look.holder}, which has ended")


def pause(look: Look) -> Iterator[Finding]:
    """A pause is no fault, but nothing is fresh while it lasts."""
    if (found := look.paused) is not None:
        yield finding("MED-ENV-008", f"paused since {found.at:%Y-%m-%d %H:%M} UTC")


def quotas(look: Look) -> Iterator[Finding]:
    """Counted things of the account that are nearly used up."""
    for service in ("rds", "dms"):
        try:
            found = look.target.client(service).describe_account_attributes()["AccountQuotas"]
        except AwsError as error:
            if error.code in ("UnknownOperation", "NotImplemented", "InvalidAction"):
                continue  # a service that counts nothing
            raise
        for quota in found:
            name, used, limit = quota["AccountQuotaName"], quota["Used"], quota["Max"]
            if COUNTED.get(name) == service and limit and used >= NEARLY * limit:
                yield finding("MED-ENV-012", f"{used} of {limit} {name} are used", service=service)


def drifted(look: Look) -> Iterator[Finding]:
    """Schedules and the generation that are not as the tool left them; whole stacks only by `medallion drift`."""
    from medallion_cli.operations import drift

    for name in ("schedules", "generation"):
        for one in drift.CHECKS[name](look.target, look.outputs, look.settings):
            what = f"{one.physical} {one.property.strip('/')} is {one.actual}, deployed as {one.expected}"
            way = "resume" if one.expected == "on" else "pause"
            code = "MED-RUN-005" if name == "schedules" else "MED-ENV-011"
            yield finding(code, what, where=one.resource, way=way)
