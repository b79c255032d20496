"""Whether a change replaces a resource: the schema's create-only properties, and its conditional ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from medallion_cli.local.cloudformation.faults import ResourceFailure
from medallion_cli.local.cloudformation.schemas import ResourceSchema
from medallion_cli.local.cloudformation.unknown import UNKNOWN

ALWAYS, CONDITIONALLY, NEVER = "Always", "Conditionally", "Never"

# How the conditional properties decide, as CloudFormation's reference of each type says; the others are refused.
_Rule = Callable[[Any, Any], bool]
_IN_PLACE: Final[_Rule] = lambda before, after: False  # noqa: E731
_REPLACED: Final[_Rule] = lambda before, after: True  # noqa: E731
_RULES: Final[dict[str, dict[str, _Rule]]] = {
    "AWS::RDS::DBInstance": {
        "AutoMinorVersionUpgrade": _IN_PLACE,
        "AvailabilityZone": _REPLACED,
        "BackupRetentionPeriod": _IN_PLACE,
        "DBParameterGroupName": _IN_PLACE,
        "DBSnapshotIdentifier": lambda before, after: after is not None,
        "Engine": _REPLACED,
        "MultiAZ": _IN_PLACE,
        "PerformanceInsightsKMSKeyId": lambda before, after: before is not None,
        "PreferredMaintenanceWindow": _IN_PLACE,
    },
    "AWS::EC2::VPC": {"InstanceTenancy": lambda before, after: (before, after) != ("dedicated", "default")},
    "AWS::EC2::Subnet": {"Ipv6CidrBlock": lambda before, after: before is not None},
    "AWS::Events::Rule": {"EventBusName": _REPLACED},
    "AWS::SNS::Subscription": {"Region": _REPLACED},
    "AWS::Lambda::Function": {"DurableConfig": _REPLACED},
}


def value_at(node: Any, path: str) -> Any:
    """What a dotted path leads to (a list of it below lists); None when nothing is there."""
    step, _, rest = path.partition(".")
    if node is UNKNOWN or not path:
        return node
    if step == "*" and not isinstance(node, list):
        return None
    if isinstance(node, list):
        inner = rest if step == "*" else path
        return [value_at(item, inner) for item in node]
    return value_at(node.get(step), rest) if isinstance(node, dict) else None


def changed_among(paths: tuple[str, ...], before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Those of the paths whose values differ."""
    return [path for path in paths if value_at(before, path) != value_at(after, path)]


def recreation(path: str, before: dict[str, Any], after: dict[str, Any], schema: ResourceSchema) -> str:
    """RequiresRecreation of one changed property path: Always, Conditionally or Never."""
    for answer, fixed in ((ALWAYS, schema.create_only), (CONDITIONALLY, schema.conditional_create_only)):
        near = tuple(name for name in fixed if _overlap(path, name))
        if changed_among(near, before, after):
            return answer
    return NEVER


def _overlap(path: str, fixed: str) -> bool:
    fixed = fixed.replace(".*", "")
    return path == fixed or path.startswith(f"{fixed}.") or fixed.startswith(f"{path}.")


def replaced_by(before: dict[str, Any], after: dict[str, Any], schema: ResourceSchema) -> list[str]:
    """The changed properties for which a new physical resource must be made; ResourceFailure when unknown."""
    found = changed_among(schema.create_only, before, after)
    for path in changed_among(schema.conditional_create_only, before, after):
        rule = _RULES.get(schema.type_name, {}).get(path)
        if rule is None:
            raise ResourceFailure(
                f"The embedded AWS cannot tell whether a changed {path} of {schema.type_name} replaces it"
            )
        if rule(value_at(before, path), value_at(after, path)):
            found.append(path)
    return found
