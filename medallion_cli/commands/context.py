"""What one invocation of the command line stands on: environment, project, terminal; loaded when first asked for."""

from __future__ import annotations

import shlex
from collections.abc import Generator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from medallion_cli.console import Terminal
from medallion_cli.errors import UsageError

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.aws.session import Target
    from medallion_cli.events import Event
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Pipeline

T = TypeVar("T")

# What some commands write beside a table and JSON.
FORMS = {"query": ("csv", "parquet"), "peek": ("csv",), "lineage": ("mermaid",)}


@dataclass
class Invocation:
    """One command line."""

    env: str
    project: Path | None
    terminal: Terminal
    debug: bool = False
    flags: dict[str, str | None] = field(default_factory=dict)
    output: str = "table"  # as typed: table, json, or a form that the command alone has

    @cached_property
    def assets(self) -> Assets:
        """The files of the project."""
        from medallion_cli.assets import Assets

        return Assets.find(self.project)

    @cached_property
    def settings(self) -> Settings:
        """The environment's settings, with the stack prefix filled in."""
        from medallion_cli.settings import load_settings

        settings = load_settings(self.env, self.assets, self.flags)
        return settings.model_copy(update={"prefix": settings.prefix or f"{self.pipeline.name}-{self.env}"})

    @cached_property
    def pipeline(self) -> Pipeline:
        """The project's specification."""
        from medallion_cli.spec import load_pipeline

        return load_pipeline(self.assets)

    @cached_property
    def target(self) -> Target:
        """The environment's AWS; an embedded one is started first."""
        from medallion_cli.aws.session import Target

        if self.settings.target == "embedded":
            from medallion_cli.commands.local import reach

            endpoint = reach(self)
            return Target(self.settings, endpoint.url, endpoint.credentials)
        return Target(self.settings)

    @cached_property
    def outputs(self) -> dict[str, str]:
        """Outputs of the environment's stacks; UsageError when it was never stood up."""
        return self.outputs_of(self.target)

    def outputs_of(self, target: Target) -> dict[str, str]:
        """The outputs, as a target of this environment tells them."""
        from medallion_cli.operations.deploy import outputs

        found = outputs(target)
        if "StateMachineArn" not in found:
            raise UsageError(f"environment {self.env} is not up", hint=self.command("up"))
        return found

    def change(self, operation: str, steps: Generator[Event, None, T]) -> T:
        """Follows what changes the environment, under its lock: one operator at a time."""
        from medallion_cli.operations.lock import hold

        return self.terminal.follow(hold(self.target, operation, steps))

    def command(self, words: str) -> str:
        """A command line to suggest, with this invocation's environment and project."""
        env = "" if self.env == "local" else f" --env {shlex.quote(self.env)}"
        project = f" --project {shlex.quote(str(self.project))}" if self.project else ""
        return f"medallion{env}{project} {words}"

    def confirm(self, question: str, yes: bool) -> None:
        """Asks unless `--yes`; UsageError when nobody can answer."""
        import sys

        if yes:
            return
        if not sys.stdin.isatty():
            raise UsageError("confirmation needed", hint="add --yes")
        if not typer.confirm(question, err=True):
            raise UsageError("not confirmed; nothing was changed")


def invocation(context: typer.Context) -> Invocation:
    """The invocation that the root callback made."""
    found = context.find_root().obj
    assert isinstance(found, Invocation)
    return found
