"""Rules on events: patterns that match something, and transformers whose names are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.documents import Document, listed, mapping, text, words

if TYPE_CHECKING:
    from medallion_cli.operations.validation.deployment import Deployment

# https://docs.aws.amazon.com/eventbridge/latest/ref: source → detail types
SOURCES = {
    "aws.states": {"Step Functions Execution Status Change", "Step Functions Express Workflow Status Change"},
    "aws.dms": {
        "DMS Replication State Change",
        "DMS Replication Task State Change",
        "DMS Replication Instance State Change",
    },
    "aws.glue": {
        "Glue Job State Change",
        "Glue Job Run Status",
        "Glue Crawler State Change",
        "Glue Data Catalog Database State Change",
        "Glue Data Catalog Table State Change",
    },
    "aws.rds": {"RDS DB Instance Event", "RDS DB Snapshot Event", "RDS DB Parameter Group Event"},
    "aws.redshift-serverless": {"Redshift Serverless Events", "Redshift Serverless Usage Limit Event"},
    "aws.redshift-data": {"Redshift Data Statement Status Change"},
    "aws.cloudwatch": {"CloudWatch Alarm State Change"},
    "aws.health": {"AWS Health Event"},
}
STATUSES = {"aws.states": words("RUNNING SUCCEEDED FAILED TIMED_OUT ABORTED PENDING_REDRIVE")}


def event_findings(deployment: Deployment) -> Iterator[Finding]:
    """Findings in an environment's rules."""
    for stack, logical, rule in deployment.of_type("AWS::Events::Rule"):
        where = deployment.place(stack, logical)
        yield from _pattern(f"{where}.EventPattern", mapping(rule, "EventPattern"))
        if not listed(rule, "Targets"):
            yield Finding(f"{where}.Targets", "nothing hears of it", "a target", "MED-EVT-003")
        if text(rule, "State") == "DISABLED":
            yield Finding(f"{where}.State", "is off: nothing hears of it", "State: ENABLED", "MED-EVT-003")
        for number, target in enumerate(listed(rule, "Targets")):
            yield from _transformer(
                f"{where}.Targets[{number}].InputTransformer", mapping(target, "InputTransformer")
            )
    yield from _unheard(deployment)


def _pattern(where: str, pattern: Document) -> Iterator[Finding]:
    """A source or type that there is not never matches, and nothing says so."""
    sources = [s for s in listed(pattern, "source") if isinstance(s, str)]
    kinds = [k for k in listed(pattern, "detail-type") if isinstance(k, str)]
    for source in sources:
        if source.startswith("aws.") and source not in SOURCES:
            yield Finding(
                f"{where}.source",
                f"no service here sends as {source}",
                f"one of: {', '.join(SOURCES)}",
                "MED-EVT-001",
            )
        for kind in kinds if source in SOURCES else ():
            if kind not in SOURCES[source]:
                remedy = f"one of: {', '.join(sorted(SOURCES[source]))}"
                yield Finding(f"{where}.detail-type", f"{source} sends no {kind!r}", remedy, "MED-EVT-001")
        for status in listed(pattern, "detail", "status"):
            if source in STATUSES and isinstance(status, str) and status not in STATUSES[source]:
                remedy = f"one of: {', '.join(sorted(STATUSES[source]))}"
                yield Finding(
                    f"{where}.detail.status", f"{source} has no status {status}", remedy, "MED-EVT-001"
                )
    for path, value in _lists(pattern):
        if not value:
            what = "is an empty list: EventBridge refuses the pattern"
            yield Finding(f"{where}.{path}", what, "at least one value", "MED-EVT-001")
    if pattern and not sources and "account" not in pattern:
        yield Finding(f"{where}.source", "matches events of every source", "a source", "MED-EVT-001")


def _lists(pattern: Document, path: str = "") -> Iterator[tuple[str, list[object]]]:
    for key, value in pattern.items():
        if isinstance(value, list):
            yield f"{path}{key}", value
        elif isinstance(value, dict):
            yield from _lists(value, f"{path}{key}.")


def _unheard(deployment: Deployment) -> Iterator[Finding]:
    """Runs that neither fail nor end their own error handling are told of by rules alone."""
    rules = deployment.of_type("AWS::Events::Rule")
    patterns = [mapping(rule, "EventPattern") for _, _, rule in rules]
    heard = {
        s for p in patterns if "aws.states" in listed(p, "source") for s in listed(p, "detail", "status")
    }
    for status in sorted({"TIMED_OUT", "ABORTED"} - heard):
        what = f"nobody hears of a run that ends {status}: its own Catch does not see that"
        where = "infra_templates/orchestration.yaml Resources"
        yield Finding(where, what, f"{status} in the status of a rule on aws.states", "MED-EVT-004")


def _transformer(where: str, transformer: Document) -> Iterator[Finding]:
    given = mapping(transformer, "InputPathsMap")
    asked = set(re.findall(r"<([\w.-]+)>", text(transformer, "InputTemplate")))
    for name in sorted({n for n in asked if not n.startswith("aws.")} - given.keys()):
        what = f"<{name}> is not in InputPathsMap: EventBridge refuses the target"
        yield Finding(where, what, f"add {name} to InputPathsMap", "MED-EVT-002")
    for name, path in given.items():
        if not str(path).startswith("$"):
            yield Finding(
                f"{where}.InputPathsMap.{name}", f"{path!r} is no path", "$.detail.<field>", "MED-EVT-002"
            )
