"""`up`: stacks side by side through change sets, code that was changed without them, then both databases.

Whatever is interrupted, the same command goes on: a stack in progress is waited for, one that rolled back at creation is made
again, one without changes is skipped, artefacts and SQL are known by their hashes, replication that was stopped for a change is
started again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import TYPE_CHECKING

from medallion_cli.aws.cloudformation import RECREATED, Change, ChangeSet
from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Finished, Noted, Progressed, Started
from medallion_cli.operations import paused
from medallion_cli.operations.bootstrap import bootstrap, source_is_due
from medallion_cli.operations.deployment import change_sets, code
from medallion_cli.operations.deployment.change_sets import Deployment, change_set, loses_data
from medallion_cli.operations.deployment.durations import Durations, Forecast
from medallion_cli.operations.deployment.follow import Steps, side_by_side, until_settled
from medallion_cli.operations.deployment.graph import longest, resource_graph, resources
from medallion_cli.operations.deployment.replicating import Replicating
from medallion_cli.operations.package import upload
from medallion_cli.operations.template import declared_parameters

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.aws.session import Target
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Pipeline


def deploy(
    target: Target, settings: Settings, pipeline: Pipeline, assets: Assets, *, replace_data: bool = False
) -> Generator[Event, None, None]:
    """Brings the environment to what the project says; data is replaced only when that is allowed."""
    paused.refuse(target)
    deployment = change_sets.prepare(target, settings, pipeline, assets)
    up = _Up(deployment, replace_data)
    yield from up.stacks()
    yield from code.bring(target, up.found, deployment.package)
    yield from bootstrap(target, up.found, settings, pipeline, assets, deployment.package)
    yield from Replicating(deployment, up.found).resumed()


class _Up:
    """One `up`: the outputs found so far, and what is left of each stack."""

    def __init__(self, deployment: Deployment, replace_data: bool) -> None:
        self.deployment = deployment
        self.replace_data = replace_data
        self.durations = Durations(deployment.settings)
        self.found = deployment.outputs()
        self.uploaded = False
        self.left: dict[str, float] = {}

    def stacks(self) -> Generator[Event, None, None]:
        """Every stack, each as soon as those it waits for are there; between their events what is left of all."""
        plan = self.deployment
        self.left = {stack: self._expected(stack) for stack in plan.order}
        total, prefix = len(plan.order), str(plan.settings.prefix)
        yield Started(prefix)
        told = -1.0
        for event in side_by_side(plan.graph, self._bring, plan.stacks.pause):
            yield event
            left = longest(plan.graph, self.left)
            if left != told:
                told = left
                yield Progressed(prefix, sum(not s for s in self.left.values()), total, "stacks", left)
        yield Finished(prefix, f"{total} stacks")

    def _expected(self, stack: str) -> float:
        """Seconds of a stack that is not there; nothing is known yet of the changes of one that is."""
        if self.deployment.stacks.find(self.deployment.name(stack)) is not None:
            return 0.0
        body = self.deployment.package.templates[stack]
        made = [Change(stack, "Add", name, type_, None) for name, type_ in resources(body)]
        return Forecast(resource_graph(body), made, self.durations).left()

    def _bring(self, stack: str) -> Steps:
        name = self.deployment.name(stack)
        yield from settle(self.deployment, name)
        self.found |= self.deployment.stacks.outputs([name])
        if not self.uploaded and "CodeBucket" in declared_parameters(
            self.deployment.package.templates[stack]
        ):
            self.uploaded = True
            bucket = self.found["ArtifactsBucket"]
            yield Noted(
                f"{upload(self.deployment.target, bucket, self.deployment.package)} artefacts uploaded"
            )
        replicating = Replicating(self.deployment, self.found) if stack == "replication" else None
        made = yield from change_set(self.deployment, stack, self.found)
        if replicating is not None:
            made = yield from replicating.change_set(made)
        if made.changes:
            yield from self._change(stack, made, replicating)
        self._protect(name)
        self.found |= self.deployment.stacks.outputs([name])
        if replicating is not None:
            yield from replicating.resumed(later=self._waits_for_tables())
        self.left[stack] = 0.0
        yield Finished(name, f"{len(made.changes)} changes" if made.changes else "unchanged")

    def _waits_for_tables(self) -> bool:
        """Whether replication goes on after the source's bootstrap: it may be about tables that are not there yet."""
        plan = self.deployment
        return "SourceSecretArn" in self.found and source_is_due(plan.target, self.found, plan.package)

    def _change(self, stack: str, made: ChangeSet, replicating: Replicating | None) -> Steps:
        """Executes a change set, with replication stopped where DMS refuses it otherwise."""
        self._check(made)
        if replicating is not None:
            yield from replicating.stopped(made.changes)
        try:
            yield from self._execute(stack, made)
        except MedallionError:
            if (
                replicating is not None
            ):  # what was rolled back replicates as before; else the next `up` sees the mark
                with contextlib.suppress(MedallionError):
                    yield from replicating.resumed()
            raise

    def _execute(self, stack: str, made: ChangeSet) -> Steps:
        name, stacks = self.deployment.name(stack), self.deployment.stacks
        graph = resource_graph(self.deployment.package.templates[stack])
        forecast = Forecast(graph, made.changes, self.durations)
        yield Started(name)
        began = stacks.newest(name)
        stacks.execute(made.id)
        for event in until_settled(stacks, name, began, forecast, launched=True):
            if isinstance(event, Progressed):
                self.left[stack] = event.left or 0.0
            yield event
        self.durations.learn(name, stacks.events(name, began))

    def _check(self, made: ChangeSet) -> None:
        """MedallionError before a change set replaces or removes data that nobody gave up."""
        for change in made.changes if not self.replace_data else ():
            if (lost := loses_data(change)) is not None:
                self.deployment.stacks.discard(made.id)
                verb = "removed" if change.action == "Remove" else "replaced"
                raise MedallionError(
                    f"{change.stack}: {change.resource} ({change.type}) would be {verb}: {lost} would be gone",
                    hint="medallion plan shows why; if it is meant: medallion up --replace-data",
                )

    def _protect(self, name: str) -> None:
        stacks, wanted = self.deployment.stacks, self.deployment.settings.guards.termination_protection
        known = stacks.find(name)
        if known is not None and known.protected != wanted:
            stacks.protect(name, wanted)


def settle(deployment: Deployment, name: str) -> Steps:
    """Waits for what an interrupted `up` left running; removes a stack that never came to be."""
    stacks = deployment.stacks
    known = stacks.find(name)
    if known is not None and known.busy:
        yield Noted(f"{name} is {known.status}: waiting")
        yield from until_settled(stacks, name, stacks.newest(name), strict=False)
        known = stacks.find(name)
    if known is not None and known.status == "UPDATE_ROLLBACK_FAILED":
        yield Noted(f"{name} is {known.status}: rolling back again")
        began = stacks.newest(name)
        stacks.continue_rollback(name)
        yield from until_settled(stacks, name, began, strict=False, launched=True)
    if known is not None and known.status in RECREATED:
        yield Noted(f"{name} is {known.status}: making it again")
        began = stacks.newest(name)
        stacks.delete(name)
        yield from until_settled(stacks, name, began, launched=True)
