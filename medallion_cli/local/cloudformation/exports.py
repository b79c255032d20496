"""Exported outputs: unique in the account and region, and held by the stacks that import them."""

from __future__ import annotations

from collections.abc import Iterator

from medallion_cli.local.cloudformation.faults import ValidationError
from medallion_cli.local.cloudformation.stack import Stack, StackStore


def exported(stack: Stack) -> dict[str, str]:
    """Values by export name of one stack."""
    return {item["ExportName"]: item["OutputValue"] for item in stack.outputs if "ExportName" in item}


def live(stacks: StackStore) -> Iterator[Stack]:
    """The stacks whose names are taken."""
    return (stack for stack in list(stacks.stacks.values()) if stack.live)


def import_value(stacks: StackStore, name: str) -> str:
    """The value of an export; ValidationError when no stack has it."""
    for stack in live(stacks):
        if name in (found := exported(stack)):
            return found[name]
    raise ValidationError(f"No export named {name} found.")


def users(stacks: StackStore, name: str) -> list[str]:
    """Names of the stacks that import an export."""
    return [stack.name for stack in live(stacks) if name in stack.imports]


def held(stacks: StackStore, stack: Stack, outputs: list[dict[str, str]]) -> str:
    """Why a stack may not come to have these outputs: an export in use, or a name taken; else ""."""
    after = {item["ExportName"]: item["OutputValue"] for item in outputs if "ExportName" in item}
    for name, value in exported(stack).items():
        using = [user for user in users(stacks, name) if user != stack.name]
        if using and after.get(name) != value:
            word = "updated" if name in after else "deleted"
            return f"Export {name} cannot be {word} as it is in use by {', '.join(using)}"
    for other in live(stacks):
        taken = sorted(exported(other).keys() & after.keys()) if other is not stack else []
        if taken:
            return f"Export with name {taken[0]} is already exported by stack {other.name}."
    return ""
