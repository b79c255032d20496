"""What `up` would do: changes by resource where the environment can be seen, and what it would be made of in any case."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from medallion_cli.aws.cloudformation import RECREATED, Change
from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Finished, Started
from medallion_cli.operations.bootstrap import pending_migrations, source_is_due
from medallion_cli.operations.cost import CostEstimate, estimate
from medallion_cli.operations.deployment import change_sets, code
from medallion_cli.operations.deployment.change_sets import Deployment, change_set, loses_data
from medallion_cli.operations.deployment.conditions import made
from medallion_cli.operations.deployment.findings import Finding
from medallion_cli.operations.deployment.follow import Steps, side_by_side
from medallion_cli.operations.deployment.graph import ALIASES, Graph, givers, stack_graph
from medallion_cli.operations.deployment.preflight import preflight, unseen
from medallion_cli.operations.migrations import EMPTIED
from medallion_cli.operations.package import Package, build
from medallion_cli.operations.stack_parameters import check_settings, environment_parameters
from medallion_cli.operations.template import declared_parameters

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.aws.session import Target
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Pipeline

LOOKED_UP = {"CreateAccountRoles"}  # parameters that an account decides
CODE = "code"  # the pseudo action of a job or function whose code `--only` made another than the project's


@dataclass(frozen=True)
class StackPlan:
    """One stack: what it is made of, and what would change."""

    name: str
    template: str
    waits_for: list[str]
    resources: list[tuple[str, str]]  # (logical id, type)
    parameters: dict[str, str]  # a value that another stack gives is told as "from <stack>"
    changes: list[Change]


@dataclass(frozen=True)
class DeployPlan:
    """What `up` would do, what it would cost, and what could not be seen from here."""

    stacks: list[StackPlan]
    findings: list[Finding]
    databases: list[str] = field(default_factory=list)  # what their bootstrap would do
    cost: CostEstimate | None = None
    seen: bool = True  # whether the account was looked at
    live: list[Change] = field(default_factory=list)  # what `up --only` has done already

    @property
    def changes(self) -> list[Change]:
        """Of all stacks."""
        return [change for stack in self.stacks for change in stack.changes]

    @property
    def pending(self) -> int:
        """How many things `up` would do."""
        return len(self.changes) + len(self.databases)

    @property
    def is_new(self) -> bool:
        """Whether nothing is there yet, as far as could be seen."""
        return all(
            [(change.resource, change.type) for change in stack.changes] == stack.resources
            for stack in self.stacks
        )

    @property
    def losses(self) -> list[tuple[Change, str]]:
        """Changes that replace or remove data, and what is gone with them."""
        return [(c, lost) for c in self.changes if (lost := loses_data(c)) is not None]

    @property
    def emptied(self) -> list[str]:
        """Gold tables that are replaced by empty ones: readers see no rows until a run has filled them."""
        return [text.removesuffix(EMPTIED) for text in self.databases if text.endswith(EMPTIED)]


def plan_unseen(settings: Settings, pipeline: Pipeline, assets: Assets) -> DeployPlan:
    """Without credentials: everything that the project itself says, and no call to anywhere."""
    package = build(pipeline, assets, settings)
    check_settings(settings, package)
    graph = stack_graph(package.templates)
    added = {stack: _added(settings, package, stack) for stack in package.templates}
    stacks = _stacks(settings, package, graph, added)
    return DeployPlan(
        stacks, unseen(settings), cost=estimate(settings, package.templates, assets), seen=False
    )


def plan(
    target: Target, settings: Settings, pipeline: Pipeline, assets: Assets, *, look: bool = True
) -> Generator[Event, None, DeployPlan]:
    """Change sets of the stacks that exist, discarded after reading; the resources of those that do not."""
    deployment = change_sets.prepare(target, settings, pipeline, assets)
    found = deployment.outputs()
    changes: dict[str, list[Change]] = {}
    apart: Graph = {stack: frozenset() for stack in deployment.order}
    steps = partial(_compare, deployment, found, changes)
    yield from side_by_side(apart, steps, deployment.stacks.pause)
    pending, live = _without_live(deployment, found, changes)
    stacks = _stacks(settings, deployment.package, deployment.graph, pending)
    findings = preflight(deployment) if look and settings.target == "aws" else []
    databases = list(_databases(deployment, found, pipeline, assets))
    cost = estimate(settings, deployment.package.templates, assets)
    return DeployPlan(stacks, findings, databases, cost, live=live)


def _stacks(
    settings: Settings, package: Package, graph: Graph, changes: Mapping[str, list[Change]]
) -> list[StackPlan]:
    return [
        StackPlan(
            name=f"{settings.prefix}-{stack}",
            template=f"infra_templates/{stack}.yaml",
            waits_for=[other for other in package.templates if other in graph[stack]],
            resources=_made(settings, package, stack),
            parameters=_parameters(settings, package, stack),
            changes=changes[stack],
        )
        for stack in package.templates
    ]


def _parameters(settings: Settings, package: Package, stack: str) -> dict[str, str]:
    """Values as far as the project knows them; one that another stack gives says which."""
    given = {name: f"from {other}" for name, other in givers(package.templates, stack).items()}
    known = _values(settings, package, stack)
    return {name: "as the account needs" if v is None else str(v) for name, v in known.items()} | given


def _values(settings: Settings, package: Package, stack: str) -> dict[str, str | None]:
    known = {**environment_parameters(settings), **settings.parameters, **package.parameters}
    others = givers(package.templates, stack)
    declared = declared_parameters(package.templates[stack])
    values = {name: known.get(name, default) for name, default in declared.items() if name not in others}
    return {**values, **dict.fromkeys(others), **dict.fromkeys(LOOKED_UP & values.keys())}


def _made(settings: Settings, package: Package, stack: str) -> list[tuple[str, str]]:
    values = {name: None if v is None else str(v) for name, v in _values(settings, package, stack).items()}
    return made(package.templates[stack], values)


def _compare(
    deployment: Deployment, found: dict[str, str], changes: dict[str, list[Change]], stack: str
) -> Steps:
    name = deployment.name(stack)
    yield Started(name)
    known = deployment.stacks.find(name)
    if known is None or known.status in (*RECREATED, "REVIEW_IN_PROGRESS"):
        changes[stack] = _added(deployment.settings, deployment.package, stack)
    elif known.busy:
        raise MedallionError(f"{name} is {known.status}", hint="medallion up waits for it and goes on")
    elif late := _unknown(deployment, stack, found):
        changes[stack] = [Change(name, "Modify", f"(known after {late})", "AWS::CloudFormation::Stack", None)]
    else:
        there = yield from change_set(deployment, stack, found)
        if there.changes:
            deployment.stacks.discard(there.id)
        changes[stack] = there.changes
    yield Finished(name, f"{len(changes[stack])} changes" if changes[stack] else "unchanged")


def _added(settings: Settings, package: Package, stack: str) -> list[Change]:
    name = f"{settings.prefix}-{stack}"
    return [Change(name, "Add", resource, type_, None) for resource, type_ in _made(settings, package, stack)]


def _unknown(deployment: Deployment, stack: str, found: Mapping[str, str]) -> str | None:
    """A stack that must give a parameter which nobody has yet; None when all are known."""
    declared = declared_parameters(deployment.package.templates[stack])
    for name, other in givers(deployment.package.templates, stack).items():
        if declared[name] is None and ALIASES.get(name, name) not in found:
            return other
    return None


def _without_live(
    deployment: Deployment, found: dict[str, str], changes: dict[str, list[Change]]
) -> tuple[dict[str, list[Change]], list[Change]]:
    """Changes still to be made, and those of code that `up --only` has made; code that differs though no stack says so."""
    if not any(name.endswith(("Job", "FunctionName")) for name in found):
        return changes, []
    stale = code.stale(deployment.target, found, deployment.package)
    keys = set(deployment.package.parameters)
    live = [
        change
        for entries in changes.values()
        for change in entries
        if change.action == "Modify" and stale.get(change.physical) is False and set(change.causes) <= keys
    ]
    pending = {stack: [c for c in entries if c not in live] for stack, entries in changes.items()}
    told = {change.physical for entries in pending.values() for change in entries}
    for name, is_stale in stale.items():
        if is_stale and name not in told:
            stack, type_ = ("transform", "AWS::Glue::Job")
            if name in (found.get("SourceFunctionName"), found.get("GeneratorFunctionName")):
                stack, type_ = ("source", "AWS::Lambda::Function")
            change = Change(deployment.name(stack), "Modify", name, type_, "False", (CODE,), (CODE,), name)
            pending[stack] = [*pending[stack], change]
    return pending, live


def _databases(
    deployment: Deployment, found: dict[str, str], pipeline: Pipeline, assets: Assets
) -> Iterator[str]:
    """What `up` would do after its stacks; of an environment that is not whole yet, its stacks say enough."""
    target, settings = deployment.target, deployment.settings
    with_source = found.keys() >= {"SourceSecretArn", "SourceFunctionName"}
    if with_source and source_is_due(target, found, deployment.package):
        yield "source: schema, users and settings are brought again (no row changes)"
    if not found.keys() >= {"WarehouseSecretArn", "WorkgroupName"}:
        return
    try:
        migrations = pending_migrations(target, found, settings, pipeline, assets)
    except MedallionError as error:
        yield f"gold: it changes, but it could not be seen how ({error})"
        return
    if migrations is not None:
        yield "gold: schemas, procedures, views and grants are brought again"
        yield from (f"gold: {m}{EMPTIED if m.empties else ''}" for m in migrations)
