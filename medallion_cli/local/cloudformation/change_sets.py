"""Change sets: made against a stack as it is, kept in its document, executed once."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from medallion_cli.local.cloudformation.changes import NO_CHANGES, preview
from medallion_cli.local.cloudformation.faults import Fault, ValidationError
from medallion_cli.local.cloudformation.requests import Reader
from medallion_cli.local.cloudformation.stack import Desired, Stack, now

UPDATABLE: Final = (
    "CREATE_COMPLETE",
    "IMPORT_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "CREATE_FAILED",
    "UPDATE_FAILED",
)


def check_target(stack: Stack | None, name: str, kind: str, change_set_name: str) -> None:
    """Whether a change set of this type may be made for what is (or is not) there."""
    if kind == "CREATE" and stack is not None and stack.status != "REVIEW_IN_PROGRESS":
        raise Fault(
            f"Stack [{name}] already exists and cannot be created again "
            f"with the changeSet [{change_set_name}].",
            "AlreadyExistsException",
        )
    if kind == "UPDATE" and stack is None:
        raise ValidationError(f"Stack [{name}] does not exist")
    if kind == "UPDATE" and stack is not None and stack.status not in UPDATABLE:
        raise ValidationError(f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated.")
    if stack is not None and any(
        item["ChangeSetName"] == change_set_name for item in stack.change_sets.values()
    ):
        raise Fault(f"ChangeSet {change_set_name} already exists", "AlreadyExistsException")


def make_change_set(
    reader: Reader, stack: Stack, params: Mapping[str, Any], desired: Desired
) -> dict[str, Any]:
    """A change set document; FAILED, with CloudFormation's reason, for no changes or a refused property."""
    intent = reader.intent(stack, desired, preview=True)
    found = preview(intent, desired.tags)
    outputs = intent.outputs()
    same = not found.changes and outputs == stack.outputs and desired.tags == stack.desired.tags
    missing = reader.missing_values(intent)
    reason = "\n".join(missing + found.refusals) or (NO_CHANGES if same else "")
    prefix = stack.stack_id.split(":stack/")[0]
    return {
        "ChangeSetName": params["ChangeSetName"],
        "ChangeSetId": f"{prefix}:changeSet/{params['ChangeSetName']}/{uuid.uuid4()}",
        "StackId": stack.stack_id,
        "StackName": stack.name,
        "Description": params.get("Description", ""),
        "CreationTime": now(),
        "Status": "FAILED" if reason else "CREATE_COMPLETE",
        "StatusReason": reason,
        "ExecutionStatus": "UNAVAILABLE" if reason else "AVAILABLE",
        "Changes": [] if reason == NO_CHANGES else found.changes,
        "NotificationARNs": [],
        "Desired": asdict(desired),
        "NoEcho": [name for name, item in intent.parameters.items() if item.no_echo],
        "OnFailure": params.get("OnStackFailure", "ROLLBACK"),
    }


def find_change_set(stacks: list[Stack], name: str, stack: Stack | None) -> tuple[Stack, dict[str, Any]]:
    """A change set by ARN, or by name within a stack; ChangeSetNotFound otherwise."""
    for owner in [stack] if stack else stacks:
        for change_set in owner.change_sets.values():
            if name == change_set["ChangeSetId"] or (stack and name == change_set["ChangeSetName"]):
                return owner, change_set
    raise Fault(f"ChangeSet [{name}] does not exist", "ChangeSetNotFound")


def take(stack: Stack, change_set: dict[str, Any]) -> Desired:
    """Mark a change set as executed (the others are gone with it) and give what it asks for."""
    if change_set["ExecutionStatus"] != "AVAILABLE":
        raise Fault(
            f"ChangeSet [{change_set['ChangeSetId']}] cannot be executed in its current status of "
            f"[{change_set['Status']}]",
            "InvalidChangeSetStatus",
        )
    change_set["ExecutionStatus"] = "EXECUTE_COMPLETE"
    stack.change_sets = {change_set["ChangeSetId"]: change_set}
    return Desired(**change_set["Desired"])
