"""CloudFormation's drift detection: what differs in live resources from what a stack made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import AwsError

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target


@dataclass(frozen=True)
class Difference:
    """One property of a resource that is not as it was deployed; a resource that is gone has none."""

    stack: str
    resource: str
    type: str
    physical: str
    property: str  # `/S3Settings/BucketFolder`
    expected: str
    actual: str


def begin(target: Target, stack: str) -> str:
    """Starts a detection; its id. AwsError ValidationError while the stack is under way."""
    return str(target.client("cloudformation").detect_stack_drift(StackName=stack)["StackDriftDetectionId"])


def ended(target: Target, detection: str) -> bool:
    """Whether a detection has ended; AwsError with AWS's reason when it failed."""
    found = target.client("cloudformation").describe_stack_drift_detection_status(
        StackDriftDetectionId=detection
    )
    if found["DetectionStatus"] == "DETECTION_FAILED":
        raise AwsError("DriftDetectionFailed", found.get("DetectionStatusReason", "no reason given"))
    return bool(found["DetectionStatus"] == "DETECTION_COMPLETE")


def differences(target: Target, stack: str) -> Iterator[Difference]:
    """What the last detection of a stack found."""
    token: dict[str, str] = {}
    while True:
        page = target.client("cloudformation").describe_stack_resource_drifts(
            StackName=stack, StackResourceDriftStatusFilters=["MODIFIED", "DELETED"], **token
        )
        for entry in page["StackResourceDrifts"]:
            yield from _differences(stack, entry)
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def _differences(stack: str, entry: dict[str, Any]) -> Iterator[Difference]:
    place = (stack, entry["LogicalResourceId"], entry["ResourceType"], entry.get("PhysicalResourceId", ""))
    if entry["StackResourceDriftStatus"] == "DELETED":
        yield Difference(*place, "", "there", "deleted")
    for found in entry.get("PropertyDifferences", []):
        yield Difference(*place, found["PropertyPath"], found["ExpectedValue"], found["ActualValue"])
