"""Schedule expressions, as EventBridge's guide has them (schedule-types.html); cfn-lint and botocore take any text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.documents import UNKNOWN, Document, at, text

if TYPE_CHECKING:
    from medallion_cli.operations.validation.deployment import Deployment

MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
# (name, least, most, names from `least` on)
FIELDS: tuple[tuple[str, int, int, list[str]], ...] = (
    ("minutes", 0, 59, []),
    ("hours", 0, 23, []),
    ("day of month", 1, 31, []),
    ("month", 1, 12, MONTHS),
    ("day of week", 1, 7, DAYS),
    ("year", 1970, 2199, []),
)
REMEDY = "rate(15 minutes), rate(1 hour), cron(0 3 * * ? *) or at(2030-01-31T03:00:00)"


def schedule_findings(deployment: Deployment) -> Iterator[Finding]:
    """Findings in the schedules and rules of an environment."""
    for kind in ("AWS::Scheduler::Schedule", "AWS::Events::Rule"):
        for stack, logical, properties in deployment.of_type(kind):
            expression = properties.get("ScheduleExpression")
            known = expression is not None and expression is not UNKNOWN
            if known and (fault := expression_fault(str(expression), scheduler="Scheduler" in kind)):
                where = _place(deployment, stack, logical, "ScheduleExpression")
                yield Finding(where, f"{expression}: {fault}", REMEDY, "MED-SCH-001")
            if kind == "AWS::Events::Rule":
                if not properties.get("ScheduleExpression") and not properties.get("EventPattern"):
                    what = "has neither a schedule nor a pattern"
                    yield Finding(
                        deployment.place(stack, logical),
                        what,
                        "EventPattern or ScheduleExpression",
                        "MED-SCH-003",
                    )
            else:
                yield from _schedule(deployment, stack, logical, properties)


def _schedule(deployment: Deployment, stack: str, logical: str, properties: Document) -> Iterator[Finding]:
    zone = text(properties, "ScheduleExpressionTimezone") or "UTC"
    if not _zone(zone):
        where = _place(deployment, stack, logical, "ScheduleExpressionTimezone")
        yield Finding(where, f"no time zone {zone!r}", "an IANA name such as Europe/Berlin", "MED-SCH-002")
    if not at(properties, "Target", "DeadLetterConfig", "Arn"):
        where = deployment.place(stack, logical, "Target", "DeadLetterConfig")
        yield Finding(
            where, "a start that fails leaves no trace", "DeadLetterConfig with a queue's Arn", "MED-SCH-004"
        )
    retries = str(at(properties, "Target", "RetryPolicy", "MaximumRetryAttempts"))
    if ":function:" in text(properties, "Target", "Arn") and retries != "0":
        where = deployment.place(stack, logical, "Target", "RetryPolicy")
        what = "a start whose answer was lost is made again: the generator would write its changes twice"
        yield Finding(where, what, "RetryPolicy: {MaximumRetryAttempts: 0}", "MED-SCH-006")
    state = at(deployment.stacks[stack].template, "Resources", logical, "Properties", "State")
    named = at(deployment.stacks[stack].template, "Parameters", text(state, "Ref"), "Default")
    if (named if isinstance(state, dict) else state) != "DISABLED":
        where = deployment.place(stack, logical, "State")
        what = "a new environment would start by itself"
        yield Finding(
            where,
            what,
            "a parameter with the default DISABLED; `medallion resume --schedule` turns it on",
            "MED-SCH-005",
        )


def _place(deployment: Deployment, stack: str, logical: str, key: str) -> str:
    """The settings hold the schedules themselves, not as parameters of the templates."""
    value = at(deployment.stacks[stack].template, "Resources", logical, "Properties", key)
    name = {"PipelineSchedule": "pipeline", "GeneratorSchedule": "generator", "ScheduleTimeZone": "time_zone"}
    if text(value, "Ref") in name and text(value, "Ref") not in deployment.settings.parameters:
        return f"configs/{deployment.settings.env}.yaml schedules.{name[text(value, 'Ref')]}"
    return deployment.place(stack, logical, key)


def expression_fault(expression: str, *, scheduler: bool = True) -> str | None:
    """What is wrong with a schedule expression; None when AWS takes it."""
    found = re.fullmatch(r"(rate|cron|at)\((.*)\)", expression)
    match found.groups() if found else None:
        case ("rate", body):
            return _rate(body)
        case ("cron", body):
            return _cron(body.split(" "))
        case ("at", body) if scheduler:
            return _moment(body)
    return "is no rate(…), cron(…) or at(…)"


def _rate(body: str) -> str | None:
    found = re.fullmatch(r"(\d+) (minute|hour|day)(s?)", body)
    if found is None:
        return "a rate is a number and minutes, hours or days, with one blank between"
    number, unit, plural = int(found[1]), found[2], found[3]
    if number < 1:
        return "a rate is at least 1"
    if (number == 1) == bool(plural):
        return f"write {number} {unit}{'s' if number > 1 else ''}"
    return None


def _moment(body: str) -> str | None:
    try:
        datetime.strptime(body, "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return "a moment is yyyy-mm-ddThh:mm:ss, without a zone"
    return None


def _cron(fields: list[str]) -> str | None:
    if len(fields) != 6:
        return f"has {len(fields)} fields; a cron has six: minutes hours day-of-month month day-of-week year"
    if (fields[2] == "?") == (fields[4] == "?"):
        return "exactly one of day-of-month and day-of-week is ?"
    for body, (name, least, most, names) in zip(fields, FIELDS, strict=True):
        for part in body.split(","):
            if not _part(part, name, least, most, names):
                return f"{part!r} is no {name}"
    return None


def _part(part: str, name: str, least: int, most: int, names: list[str]) -> bool:
    day, week = name == "day of month", name == "day of week"
    if part == "*" or (part == "?" and (day or week)) or (part == "L" and (day or week)):
        return True
    if (day and re.fullmatch(r"(L|\d{1,2})W|L-\d{1,2}", part)) or (
        week and re.fullmatch(r"\w{1,3}(#[1-5]|L)", part)
    ):
        return True
    body, slash, step = part.partition("/")
    if slash and not (step.isdigit() and int(step) > 0):
        return False
    if body == "*":
        return bool(slash)
    numbers = [_value(one, least, names) for one in body.split("-")]
    return len(numbers) <= 2 and all(n is not None and least <= n <= most for n in numbers)


def _value(part: str, least: int, names: list[str]) -> int | None:
    if part.upper() in names:
        return names.index(part.upper()) + least
    return int(part) if part.isdigit() else None


def _zone(name: str) -> bool:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
