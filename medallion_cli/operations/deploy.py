"""What is deployed: the outputs of an environment's stacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medallion_cli.aws.cloudformation import Stacks
from medallion_cli.operations.package import STACKS

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target


def outputs(target: Target) -> dict[str, str]:
    """The outputs of every stack of the environment."""
    return Stacks(target).outputs([f"{target.settings.prefix}-{stack}" for stack in STACKS])
