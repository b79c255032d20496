"""Values of the templates' parameters: settings, what derives from the environment, earlier stacks' outputs, artefacts' keys.

What is live wins over what a template would begin with: the generation that DMS writes to, the state of the schedules, and
whether the account's DMS roles were made here. An `up` never resets them.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from medallion_cli.errors import AwsError, MedallionError, UsageError
from medallion_cli.operations.template import declared_parameters

if TYPE_CHECKING:
    from medallion_cli.aws.cloudformation import Stack
    from medallion_cli.aws.session import Target
    from medallion_cli.operations.package import Package
    from medallion_cli.settings import Settings

SCHEDULES = ("Pipeline", "Generator", "Housekeeping")
ACCOUNT_ROLES = {"vpc": "dms-vpc-role", "logs": "dms-cloudwatch-logs-role"}


def check_settings(settings: Settings, package: Package) -> None:
    """UsageError for a parameter in the settings that no template has, and for a prefix too long for bucket names."""
    known = sorted({name for body in package.templates.values() for name in declared_parameters(body)})
    if unknown := [name for name in settings.parameters if name not in known]:
        close = difflib.get_close_matches(unknown[0], known, 1)
        hint = f"did you mean {close[0]}?" if close else f"one of: {', '.join(known)}"
        raise UsageError(
            f"configs/{settings.env}.yaml: parameters.{unknown[0]}: no template has it", hint=hint
        )
    if not re.fullmatch(r"(?=.{2,39}$)[a-z][a-z0-9]*(-[a-z0-9]+)*", str(settings.prefix)):
        raise UsageError(
            f"prefix {settings.prefix!r}: 2 to 39 lower-case letters, digits and single hyphens",
            hint="set `prefix`",
        )


def parameters(
    target: Target,
    settings: Settings,
    package: Package,
    stack: str,
    known: Stack | None,
    found: dict[str, str],
) -> dict[str, str]:
    """The parameters that a stack's template declares; MedallionError when one has no value."""
    declared = declared_parameters(package.templates[stack])
    values = {
        **environment_parameters(settings),
        **settings.parameters,
        **found,
        **package.parameters,
        "CodeBucket": found.get("ArtifactsBucket", ""),
        **_live(target, stack, known, found),
    }
    if missing := [name for name, default in declared.items() if default is None and name not in values]:
        raise MedallionError(
            f"{settings.prefix}-{stack}: no value for the parameter {missing[0]}", hint="medallion up"
        )
    return {name: value for name, value in values.items() if name in declared}


def environment_parameters(settings: Settings) -> dict[str, str]:
    """What an environment's settings say to every template that asks."""
    return {
        "Prefix": str(settings.prefix),
        "Environment": settings.env,
        "BatchSeconds": str(settings.batch_seconds),
        "PollSeconds": str(settings.poll_seconds),
        "PipelineSchedule": settings.schedules.pipeline,
        "GeneratorSchedule": settings.schedules.generator,
        "HousekeepingSchedule": settings.schedules.housekeeping,
        "GeneratorChanges": str(settings.schedules.generator_changes),
        "ScheduleTimeZone": settings.schedules.time_zone,
        "DeletionProtection": str(settings.guards.termination_protection).lower(),
    }


def _live(target: Target, stack: str, known: Stack | None, found: dict[str, str]) -> dict[str, str]:
    match stack:
        case "source":
            return _account_roles(target, known)
        case "replication":
            return {"Generation": _generation(target, found)}
        case "orchestration":
            return {f"{name}ScheduleState": _schedule_state(target, found, name) for name in SCHEDULES}
    return {}


def _generation(target: Target, found: dict[str, str]) -> str:
    """The folder that DMS writes to; for a new task one that bronze does not have, since file names would repeat."""
    from medallion_cli.aws import s3
    from medallion_cli.aws.replication import Replication
    from medallion_cli.operations import marks
    from medallion_cli.operations.replicate import GENERATION, next_generation

    if "TargetEndpointArn" in found:  # a rollback brings back an older one than a reload has begun
        return max(Replication(target, found).generation(), marks.read(target, GENERATION) or "")
    names = s3.folders(target, found["BronzeBucket"], "") if "BronzeBucket" in found else []
    return next_generation(max([name for name in names if re.fullmatch(r"g\d{4,}", name)], default="g0000"))


def _account_roles(target: Target, known: Stack | None) -> dict[str, str]:
    """DMS wants two roles of fixed names once an account: each made by the first stack that misses it, and kept by it."""
    kept = known.parameters.get("CreateAccountRoles", "false") if known is not None else "false"
    own = {"true": set(ACCOUNT_ROLES), "false": set()}.get(kept, {kept})
    missing = {
        short for short, role in ACCOUNT_ROLES.items() if short not in own and _is_missing(target, role)
    }
    made = sorted(own | missing)
    return {"CreateAccountRoles": "true" if len(made) == len(ACCOUNT_ROLES) else "".join(made) or "false"}


def _is_missing(target: Target, role: str) -> bool:
    """False for one that cannot be looked for: creating a role that is there would fail."""
    try:
        target.client("iam").get_role(RoleName=role)
    except AwsError as error:
        return error.code in ("NoSuchEntity", "NoSuchEntityException")
    return False


def _schedule_state(target: Target, found: dict[str, str], name: str) -> str:
    """Off until somebody switches it on."""
    if f"{name}ScheduleName" not in found:
        return "DISABLED"
    schedule = target.client("scheduler").get_schedule(
        GroupName=found["ScheduleGroupName"], Name=found[f"{name}ScheduleName"]
    )
    return str(schedule["State"])
