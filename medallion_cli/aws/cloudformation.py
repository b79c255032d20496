"""CloudFormation stacks: change sets, events, outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import AwsError

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
RECREATED = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "CREATE_FAILED")


@dataclass(frozen=True)
class Stack:
    """A stack as it is."""

    name: str
    status: str
    reason: str
    outputs: dict[str, str]
    parameters: dict[str, str]
    protected: bool = False  # against deletion
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def busy(self) -> bool:
        """Whether an operation is under way."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"


@dataclass(frozen=True)
class Change:
    """What a change set would do to one resource."""

    stack: str
    action: str  # Add, Modify, Remove
    resource: str
    type: str
    replacement: str | None  # True, False, Conditional
    properties: tuple[str, ...] = ()  # whose values change
    causes: tuple[str, ...] = ()  # what changes them: parameters, resources, or the template itself ("")
    physical: str = ""


@dataclass(frozen=True)
class ChangeSet:
    """What executing it would do; nothing when there are no changes."""

    id: str
    changes: list[Change]


@dataclass(frozen=True)
class StackEvent:
    """One event of a resource."""

    id: str
    at: datetime
    resource: str
    type: str
    status: str
    reason: str


class Stacks:
    """The stacks of one environment."""

    def __init__(self, target: Target) -> None:
        self.client = target.client("cloudformation")
        self.pause = min(target.settings.poll_seconds, 10) / 4  # seconds between looks

    def find(self, name: str) -> Stack | None:
        """The stack, or None."""
        try:
            found = self.client.describe_stacks(StackName=name)["Stacks"][0]
        except AwsError as error:
            if "does not exist" in str(error):
                return None
            raise
        return _stack(found)

    def request(
        self,
        name: str,
        change_set: str,
        template_url: str | None,
        body: str | None,
        parameters: dict[str, str],
        tags: dict[str, str],
    ) -> str:
        """The id of a new change set, which AWS now works out (see `change_set`)."""
        known = self.find(name)
        create = known is None or known.status == "REVIEW_IN_PROGRESS"
        source = {"TemplateURL": template_url} if template_url else {"TemplateBody": body}
        made = self.client.create_change_set(
            StackName=name,
            ChangeSetName=change_set,
            ChangeSetType="CREATE" if create else "UPDATE",
            Capabilities=CAPABILITIES,
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
            Tags=[{"Key": k, "Value": v} for k, v in tags.items()],
            **source,
        )
        return str(made["Id"])

    def change_set(self, name: str, identifier: str) -> ChangeSet | None:
        """None while AWS works it out; one without changes is deleted at once, AwsError when it is refused."""
        found: dict[str, Any] = self.client.describe_change_set(ChangeSetName=identifier)
        if found["Status"] in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
            return None
        if found["Status"] == "FAILED":
            self.discard(identifier)
            reason = found.get("StatusReason", "")
            if any(text in reason for text in NO_CHANGES):
                return ChangeSet(identifier, [])
            raise AwsError("ChangeSetFailed", f"{name}: {reason}", hint="medallion validate")
        return ChangeSet(identifier, [_change(name, entry) for entry in self._changes(identifier, found)])

    def _changes(self, identifier: str, found: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Of all pages."""
        while True:
            yield from (entry["ResourceChange"] for entry in found.get("Changes", []))
            if not found.get("NextToken"):
                return
            found = self.client.describe_change_set(ChangeSetName=identifier, NextToken=found["NextToken"])

    def execute(self, change_set: str) -> None:
        """Starts what the change set describes."""
        self.client.execute_change_set(ChangeSetName=change_set)

    def discard(self, change_set: str) -> None:
        """Deletes a change set."""
        self.client.delete_change_set(ChangeSetName=change_set)

    def delete(self, name: str) -> None:
        """Starts deleting a stack."""
        self.client.delete_stack(StackName=name)

    def continue_rollback(self, name: str) -> None:
        """Rolls a failed update back once more."""
        self.client.continue_update_rollback(StackName=name)

    def protect(self, name: str, wanted: bool) -> None:
        """Termination protection on or off."""
        self.client.update_termination_protection(StackName=name, EnableTerminationProtection=wanted)

    def events(self, name: str, since: datetime | None) -> list[StackEvent]:
        """Events after a moment, oldest first."""
        found: list[StackEvent] = []
        for page in self._event_pages(name):
            fresh = [e for e in map(_event, page) if since is None or e.at > since]
            found += fresh
            if len(fresh) < len(page):
                break
        return found[::-1]

    def newest(self, name: str) -> datetime | None:
        """When the newest event was; None of a stack that has none."""
        page = next(self._event_pages(name), [])
        return _event(page[0]).at if page else None

    def _event_pages(self, name: str) -> Iterator[list[dict[str, Any]]]:
        """Newest first; none of a stack that is gone."""
        token: dict[str, str] = {}
        while True:
            try:
                page = self.client.describe_stack_events(StackName=name, **token)
            except AwsError as error:
                if "does not exist" in str(error):
                    return
                raise
            yield page["StackEvents"]
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}

    def outputs(self, names: Iterator[str] | list[str]) -> dict[str, str]:
        """The outputs of several stacks, merged."""
        merged: dict[str, str] = {}
        for name in names:
            if (stack := self.find(name)) is not None:
                merged |= stack.outputs
        return merged


def _stack(found: dict[str, Any]) -> Stack:
    return Stack(
        name=found["StackName"],
        status=found["StackStatus"],
        reason=found.get("StackStatusReason", ""),
        outputs={o["OutputKey"]: o["OutputValue"] for o in found.get("Outputs", [])},
        parameters={p["ParameterKey"]: p.get("ParameterValue", "") for p in found.get("Parameters", [])},
        protected=bool(found.get("EnableTerminationProtection", False)),
        tags={t["Key"]: t["Value"] for t in found.get("Tags", [])},
    )


def _change(stack: str, entry: dict[str, Any]) -> Change:
    details = entry.get("Details", [])
    return Change(
        stack,
        entry["Action"],
        entry["LogicalResourceId"],
        entry["ResourceType"],
        entry.get("Replacement"),
        _unique(d["Target"].get("Name") or d["Target"]["Attribute"] for d in details),
        _unique(d.get("CausingEntity", "") for d in details),
        entry.get("PhysicalResourceId", ""),
    )


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _event(entry: dict[str, Any]) -> StackEvent:
    return StackEvent(
        id=entry["EventId"],
        at=entry["Timestamp"],
        resource=entry["LogicalResourceId"],
        type=entry["ResourceType"],
        status=entry["ResourceStatus"],
        reason=entry.get("ResourceStatusReason", ""),
    )
