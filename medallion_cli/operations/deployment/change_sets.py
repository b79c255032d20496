"""What a deployment is made from, and the change set of one of its stacks."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medallion_cli.aws.cloudformation import ChangeSet, Stacks
from medallion_cli.operations.deployment.follow import Waiting
from medallion_cli.operations.deployment.graph import Graph, stack_graph
from medallion_cli.operations.package import Package, build, template_url
from medallion_cli.operations.stack_parameters import check_settings, parameters

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.aws.cloudformation import Change
    from medallion_cli.aws.session import Target
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Pipeline

# What is gone with a resource that is replaced or removed; what the template retains stays, out of the environment's reach.
DATA = {
    "AWS::RDS::DBInstance": "the source's rows",
    "AWS::S3::Bucket": "the bucket's objects",
    "AWS::RedshiftServerless::Namespace": "gold",
    "AWS::Glue::Database": "silver's tables",
    "AWS::KMS::Key": "what only this key decrypts",
}


@dataclass(frozen=True)
class Deployment:
    """One project for one environment."""

    target: Target
    settings: Settings
    package: Package
    stacks: Stacks
    graph: Graph

    def name(self, stack: str) -> str:
        """What CloudFormation calls it."""
        return f"{self.settings.prefix}-{stack}"

    @property
    def order(self) -> list[str]:
        """The stacks; those that a stack waits for before it."""
        return list(self.package.templates)

    def outputs(self) -> dict[str, str]:
        """The outputs of every stack there is."""
        return self.stacks.outputs([self.name(stack) for stack in self.order])


def prepare(target: Target, settings: Settings, pipeline: Pipeline, assets: Assets) -> Deployment:
    """Builds the package; UsageError when settings and templates do not fit."""
    package = build(pipeline, assets, settings)
    check_settings(settings, package)
    return Deployment(target, settings, package, Stacks(target), stack_graph(package.templates))


def change_set(
    deployment: Deployment, stack: str, found: Mapping[str, str], more: Mapping[str, str] | None = None
) -> Generator[Waiting, None, ChangeSet]:
    """A new change set; `found` are outputs of other stacks, `more` parameters that win over all others."""
    name, body = deployment.name(stack), deployment.package.templates[stack]
    known, settings, target = deployment.stacks.find(name), deployment.settings, deployment.target
    values = parameters(target, settings, deployment.package, stack, known, dict(found)) | dict(more or {})
    url = template_url(target, found.get("ArtifactsBucket"), stack, body)
    tags = {**settings.tags, "medallion:environment": str(settings.prefix)}
    label = f"medallion-{time.time_ns():x}"
    requested = deployment.stacks.request(name, label, url, body, values, tags)
    while (made := deployment.stacks.change_set(name, requested)) is None:
        yield Waiting()
    return made


def loses_data(change: Change) -> str | None:
    """What would be gone with it; None when nothing is."""
    gone = change.action == "Remove" or change.replacement == "True"
    return DATA.get(change.type) if gone else None
