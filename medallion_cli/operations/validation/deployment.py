"""An environment as it would stand at AWS: every stack's parameters filled, every function evaluated, names made up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from medallion_cli.operations import package
from medallion_cli.operations.stack_parameters import environment_parameters
from medallion_cli.operations.validation import physical
from medallion_cli.operations.validation.documents import UNKNOWN, Document, Path, at, dotted, mapping
from medallion_cli.operations.validation.intrinsics import Scope, holds, resolved
from medallion_cli.settings import Settings

# What may stay empty is checked as if it were given; what AWS decides as it does first.
SUPPOSED = {
    "QuickSightPrincipalArn": f"arn:aws:quicksight:us-east-1:{physical.ACCOUNT}:user/default/analyst",
    "AlertEmail": "alerts@example.com",
    "CreateAccountRoles": "true",
    "Generation": "g0001",
}


@dataclass(frozen=True)
class Stack:
    """One stack: `template` as it is written, the rest as AWS would get it; without what conditions keep out."""

    name: str
    template: Document
    parameters: Document
    resources: dict[str, Document]
    outputs: Document
    missing: frozenset[str] = frozenset()  # parameters without a value
    beyond: tuple[str, ...] = ()  # selections that lead beyond their list


@dataclass(frozen=True)
class Deployment:
    """One environment: its settings and its stacks, in order."""

    settings: Settings
    stacks: dict[str, Stack] = field(default_factory=dict)

    def of_type(self, *types: str) -> list[tuple[str, str, Document]]:
        """(stack, logical id, properties) of all resources of these types."""
        return [
            (stack.name, name, mapping(resource, "Properties"))
            for stack in self.stacks.values()
            for name, resource in stack.resources.items()
            if resource.get("Type") in types
        ]

    def place(self, stack: str, logical: str, *path: str | int) -> str:
        """Where a value comes from: the settings, when they give the parameter that it refers to, else the template."""
        found: Any = at(self.stacks[stack].template, "Resources", logical, "Properties")
        for part in path:
            found = at(found, part)
            if isinstance(found, dict) and found.get("Ref") in self.settings.parameters:
                return f"configs/{self.settings.env}.yaml parameters.{found['Ref']}"
        return template_place(stack, ("Resources", logical, "Properties", *path))


def template_place(stack: str, path: Path) -> str:
    """A file and a dotted path in it; what is made from other files is named by those."""
    shown = tuple(path)
    if "DefinitionString" in shown:
        return f"infra_templates/state_machine.yaml {dotted(shown[shown.index('DefinitionString') + 1 :])}"
    if "ReplicationTaskSettings" in shown:
        inner = shown[shown.index("ReplicationTaskSettings") + 1 :]
        return f"infra_templates/replication_settings.yaml {dotted(inner)}".strip()
    return f"infra_templates/{stack}.yaml {dotted(shown)}".strip()


def simulate(settings: Settings, templates: dict[str, Document]) -> Deployment:
    """Deploys `templates` in memory, in the tool's order; outputs become the later stacks' parameters."""
    deployment = Deployment(settings)
    outputs: Document = {}
    for name in package.STACKS:
        if name in templates:
            stack = _stack(name, templates[name], _values(settings, outputs), settings)
            deployment.stacks[name] = stack
            outputs |= stack.outputs
    return deployment


def _values(settings: Settings, outputs: Document) -> Document:
    """As stack_parameters gives them."""
    keys = {name: f"code/{name}" for name in ("PipelineKey", "SourceCodeKey", "SharedCodeKey")}
    keys |= {
        "".join(w.capitalize() for w in script.split("_")) + "Key": f"code/{script}"
        for script in package.SCRIPTS
    }
    given = {name: value for name, value in settings.parameters.items() if value != ""}
    states = {"PipelineScheduleState": "DISABLED", "GeneratorScheduleState": "DISABLED"}
    code = {"CodeBucket": outputs.get("ArtifactsBucket", UNKNOWN)}
    return {**SUPPOSED, **environment_parameters(settings), **given, **states, **outputs, **keys, **code}


def _stack(name: str, template: Document, values: Document, settings: Settings) -> Stack:
    parameters = {
        key: _typed(values.get(key, at(entry, "Default")), at(entry, "Type"))
        for key, entry in mapping(template, "Parameters").items()
    }
    made = _Made(name, template, parameters, settings)
    resources = {
        key: made.resource(key)
        for key, body in mapping(template, "Resources").items()
        if holds(at(body, "Condition") or {}, made.scope)
    }
    outputs = {
        key: resolved(at(entry, "Value"), made.scope) for key, entry in mapping(template, "Outputs").items()
    }
    missing = [k for k in parameters if k not in values and at(template, "Parameters", k, "Default") is None]
    beyond = tuple(dict.fromkeys(made.scope.beyond))
    return Stack(name, template, parameters, resources, outputs, frozenset(missing), beyond)


def _typed(value: Any, type_: Any) -> Any:
    if value is None:
        return UNKNOWN
    if isinstance(value, str) and (str(type_).startswith("List<") or type_ == "CommaDelimitedList"):
        return value.split(",")
    return str(value) if isinstance(value, (int, float)) else value  # a Number's Ref is a text, too


class _Made:
    """A template's resources, each evaluated once, when something refers to it."""

    def __init__(self, name: str, template: Document, parameters: Document, settings: Settings) -> None:
        self.name, self.template, self.parameters, self.settings = name, template, parameters, settings
        self.known: dict[str, Document] = {}
        self.open: set[str] = set()
        zones = tuple(f"{settings.region}{letter}" for letter in "abc")
        conditions, mappings = mapping(template, "Conditions"), mapping(template, "Mappings")
        self.scope = Scope(self._ref, self._attribute, conditions, mappings, zones)

    def resource(self, logical: str) -> Document:
        """The evaluated resource; one that refers to itself stays unknown where it does."""
        if logical not in self.known and logical not in self.open:
            self.open.add(logical)
            body = at(self.template, "Resources", logical)
            before = len(self.scope.beyond)
            self.known[logical] = resolved(body, self.scope) if isinstance(body, dict) else {}
            for number in range(before, len(self.scope.beyond)):
                if not self.scope.beyond[number].startswith("Resources."):
                    self.scope.beyond[number] = f"Resources.{logical}: {self.scope.beyond[number]}"
        return self.known.get(logical, {})

    def _ref(self, name: str) -> Any:
        if name in self.parameters:
            return self.parameters[name]
        if name in mapping(self.template, "Resources"):
            resource = self.resource(name)
            kind, properties = str(resource.get("Type")), mapping(resource, "Properties")
            return physical.referred(self._place(name), self.settings.region, kind, properties)
        return self._pseudo(name)

    def _pseudo(self, name: str) -> Any:
        stack = f"{self.settings.prefix}-{self.name}"
        place = f"arn:aws:cloudformation:{self.settings.region}:{physical.ACCOUNT}:stack/{stack}"
        facts = {
            "AWS::Region": self.settings.region,
            "AWS::AccountId": physical.ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": stack,
            "AWS::StackId": f"{place}/11111111-2222-3333-4444-555555555555",
        }
        return facts.get(name, UNKNOWN)

    def _attribute(self, logical: str, wanted: str) -> Any:
        resource = self.resource(logical)
        kind, properties = str(resource.get("Type")), mapping(resource, "Properties")
        return physical.attribute(self._place(logical), self.settings.region, kind, properties, wanted)

    def _place(self, logical: str) -> str:
        return f"{self.settings.prefix}-{self.name}/{logical}"
