"""What a stack should be, evaluated: function scope, active resources with their properties, outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from medallion_cli.local.cloudformation.faults import ValidationError
from medallion_cli.local.cloudformation.intrinsics import REMOVED, Scope, evaluate
from medallion_cli.local.cloudformation.parameters import Parameter
from medallion_cli.local.cloudformation.properties import coerce
from medallion_cli.local.cloudformation.stack import Resource, Stack
from medallion_cli.local.cloudformation.template import Template
from medallion_cli.local.cloudformation.unknown import UNKNOWN


@dataclass(frozen=True)
class Intent:
    """A template with its parameters, for one stack; `preview` turns what is not made yet into UNKNOWN.

    In a preview, `replaced` gathers resources whose id may change, and `modified` those that change at all:
    CloudFormation does not know which of their attributes change with them.
    """

    template: Template
    parameters: dict[str, Parameter]
    stack: Stack
    account: str
    imports: Callable[[str], Any]
    preview: bool = False
    replaced: set[str] = field(default_factory=set)
    modified: set[str] = field(default_factory=set)
    imported: set[str] = field(default_factory=set)

    @property
    def scope(self) -> Scope:
        """What functions see."""
        return Scope(
            values=self._pseudo() | {name: item.value for name, item in self.parameters.items()},
            mappings=self.template.section("Mappings"),
            conditions=self.template.section("Conditions"),
            refer=self._refer,
            attribute=self._attribute,
            imports=self._import,
        )

    def _import(self, name: str) -> Any:
        self.imported.add(name)
        return self.imports(name)

    def _pseudo(self) -> dict[str, Any]:
        return {
            "AWS::AccountId": self.account,
            "AWS::NotificationARNs": [],
            "AWS::Partition": "aws",
            "AWS::Region": self.template.region,
            "AWS::StackId": self.stack.stack_id,
            "AWS::StackName": self.stack.name,
            "AWS::URLSuffix": "amazonaws.com",
        }

    def _made(self, logical_id: str) -> Resource | None:
        """The resource if it is there to stay; ValidationError when its condition leaves it out."""
        if logical_id not in self.active:
            raise ValidationError(
                f"Template format error: Unresolved resource dependencies [{logical_id}] "
                "in the Resources block of the template"
            )
        found = self.stack.resources.get(logical_id)
        made = found is not None and bool(found.physical_id) and logical_id not in self.replaced
        if not made and not self.preview:
            raise ValidationError(f"Resource {logical_id} is not there yet")
        return found if made else None

    def _refer(self, logical_id: str) -> Any:
        made = self._made(logical_id)
        return made.physical_id if made else UNKNOWN

    def _attribute(self, logical_id: str, name: str) -> Any:
        made = self._made(logical_id)
        if made is None or logical_id in self.modified:
            return UNKNOWN
        value = _property(made.properties, name)
        value = made.attributes.get(name) if value is None else value
        if value is None:
            raise ValidationError(f"Resource {logical_id} has no value for attribute {name}")
        return value

    @cached_property
    def active(self) -> tuple[str, ...]:
        """Logical ids whose condition holds, in dependency order."""
        conditions = Scope(
            self._pseudo() | {name: item.value for name, item in self.parameters.items()},
            self.template.section("Mappings"),
            self.template.section("Conditions"),
            self._nowhere,
            lambda name, _: self._nowhere(name),
            self._import,
        )
        resources = self.template.resources
        return tuple(
            name
            for name in self.template.order
            if "Condition" not in resources[name] or conditions.holds(resources[name]["Condition"])
        )

    def _nowhere(self, name: str) -> Any:
        raise ValidationError(f"Template error: unresolved condition dependency {name}")

    def properties(self, logical_id: str) -> dict[str, Any]:
        """A resource's properties, evaluated and in the types of its schema."""
        schema = self.template.schema(logical_id)
        value = evaluate(self.template.resources[logical_id].get("Properties", {}), self.scope)
        found: dict[str, Any] = coerce({} if value is REMOVED else value, schema.document, schema)
        return found

    def outputs(self) -> list[dict[str, str]]:
        """Outputs whose condition holds, in DescribeStacks' shape."""
        scope = self.scope
        found = []
        for name, node in self.template.section("Outputs").items():
            if "Condition" not in node or scope.holds(node["Condition"]):
                found.append(_output(name, node, scope))
        return found


def _property(properties: Mapping[str, Any], path: str) -> Any:
    """A settable property by dotted name, for the types that let GetAtt read it."""
    node: Any = properties
    for step in path.split("."):
        node = node.get(step) if isinstance(node, Mapping) else None
    return node


def _output(name: str, node: Mapping[str, Any], scope: Scope) -> dict[str, str]:
    value = evaluate(node.get("Value"), scope)
    if isinstance(value, dict | list) or value in (None, REMOVED):
        raise ValidationError(
            "Template format error: The Value field of every Outputs member must evaluate to a String."
        )
    output = {"OutputKey": name, "OutputValue": str(value).lower() if isinstance(value, bool) else str(value)}
    if "Description" in node:
        output["Description"] = str(node["Description"])
    if "Export" in node:
        output["ExportName"] = str(evaluate(node["Export"]["Name"], scope))
    return output
