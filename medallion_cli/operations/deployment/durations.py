"""How long CloudFormation takes for a resource: as it was here last time, else as is typical of its type."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from medallion_cli.folders import cache_root
from medallion_cli.operations.deployment.graph import Graph, longest

if TYPE_CHECKING:
    from medallion_cli.aws.cloudformation import Change, StackEvent
    from medallion_cli.settings import Settings

VERBS = {"Add": "CREATE", "Modify": "UPDATE", "Remove": "DELETE", "Import": "CREATE", "Dynamic": "UPDATE"}
# seconds to create one, by target; orders of magnitude, which the first `up` replaces by what it saw
TYPICAL = {
    "aws": {
        "AWS::RDS::DBInstance": 600.0,
        "AWS::DMS::ReplicationInstance": 480.0,
        "AWS::DMS::ReplicationTask": 60.0,
        "AWS::RedshiftServerless::Workgroup": 180.0,
        "AWS::RedshiftServerless::Namespace": 45.0,
        "AWS::EC2::VPCEndpoint": 90.0,
        "AWS::QuickSight::VPCConnection": 120.0,
        "AWS::Events::Rule": 60.0,
        "AWS::Lambda::Function": 30.0,
        "AWS::KMS::Key": 30.0,
        "AWS::S3::Bucket": 25.0,
        "AWS::IAM::Role": 20.0,
    },
    "embedded": {"AWS::RDS::DBInstance": 6.0, "AWS::RedshiftServerless::Workgroup": 4.0},
}
OTHERWISE = {"aws": 10.0, "embedded": 0.1}


class Durations:
    """Seconds by resource type and verb of one environment, kept between invocations."""

    def __init__(self, settings: Settings) -> None:
        self.target = settings.target
        self.path = cache_root() / "durations" / f"{settings.prefix}.json"
        self.known = _read(self.path)

    def seconds(self, type_: str, verb: str) -> float:
        """What a resource of this type is expected to take."""
        typical = TYPICAL[self.target].get(type_, OTHERWISE[self.target])
        return self.known.get(f"{type_} {verb}", typical)

    def learn(self, stack: str, events: Iterable[StackEvent]) -> None:
        """Keeps what the resources of an operation took; a cache that can't be written is no error."""
        began: dict[str, datetime] = {}
        for event in events:
            verb, _, state = event.status.partition("_")
            if event.resource == stack:
                continue
            if state == "IN_PROGRESS":
                began.setdefault(event.resource, event.at)
            elif state == "COMPLETE" and event.resource in began:
                took = (event.at - began.pop(event.resource)).total_seconds()
                self.known[f"{event.type} {verb}"] = round(took, 1)
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps(self.known, indent=1, sort_keys=True))


class Forecast:
    """What is left of one stack's operation: the longest chain of resources that have not ended."""

    def __init__(self, graph: Graph, changes: Iterable[Change], durations: Durations) -> None:
        self.graph = graph
        self.expected = {c.resource: durations.seconds(c.type, VERBS[c.action]) for c in changes}

    def left(self, ended: Iterable[str] = (), began: dict[str, datetime] | None = None) -> float:
        """Seconds; one that takes longer than expected is always about to take a tenth more."""
        remaining = {name: s for name, s in self.expected.items() if name not in set(ended)}
        now = datetime.now(UTC)
        for name in remaining.keys() & (began or {}).keys():
            elapsed = (now - (began or {})[name]).total_seconds()
            remaining[name] = max(remaining[name] - elapsed, remaining[name] / 10)
        return longest(self.graph, remaining)


def _read(path: Path) -> dict[str, float]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return {str(k): float(v) for k, v in found.items()} if isinstance(found, dict) else {}
