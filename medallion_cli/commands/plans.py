"""Shows a plan: what would change, what an environment is made of and costs, and what could not be seen."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medallion_cli.commands.context import Invocation
    from medallion_cli.console import Terminal
    from medallion_cli.operations.cost import CostEstimate
    from medallion_cli.operations.deployment.plan import DeployPlan, StackPlan

SIGNS = {"stop": ("✗", "red"), "warn": ("!", "yellow"), "note": ("·", "dim"), "unseen": ("?", "dim")}


def show(call: Invocation, plan: DeployPlan) -> None:
    """One JSON document, or tables; findings go to stderr like all talk, after the plan."""
    if call.terminal.wants_json:
        call.terminal.document(document(plan))
    else:
        draw(call.terminal, plan)
    warn(call.terminal, plan)


def draw(terminal: Terminal, plan: DeployPlan) -> None:
    """Tables of what would change, and the cost."""
    if plan.is_new and plan.changes:
        for stack in plan.stacks:
            _made_of(terminal, stack)
    elif plan.changes:
        _changes(terminal, plan)
    elif not plan.databases:
        terminal.say("nothing would change", None)
    for text in plan.databases:
        terminal.line(text)
    if plan.cost is not None:
        _cost(terminal, plan.cost, whole=plan.is_new)


def warn(terminal: Terminal, plan: DeployPlan) -> None:
    """What would be lost, and findings, on stderr."""
    for change, lost in plan.losses:
        what = "REMOVED" if change.action == "Remove" else "REPLACED"
        terminal.say(
            f"!!! {change.stack} {change.resource} ({change.type}) WOULD BE {what}: {lost} would be gone",
            "bold red",
        )
    for model in plan.emptied:
        told = f"!!! {model} WOULD BE REPLACED: no rows until the next run; right after up: medallion run"
        terminal.say(told, "bold red")
    if plan.live:
        terminal.say(f"{len(plan.live)} changes are live already (up --only); the next up records them")
    for finding in plan.findings:
        sign, style = SIGNS[finding.severity]
        terminal.say(f"{sign} {finding}", style)


def document(plan: DeployPlan) -> dict[str, object]:
    """The plan as JSON has it."""
    return {
        "seen": plan.seen,
        "changes": plan.changes,
        "databases": plan.databases,
        "losses": [{"change": change, "lost": lost} for change, lost in plan.losses],
        "emptied": plan.emptied,
        "live": plan.live,
        "stacks": plan.stacks,
        "cost": plan.cost,
        "findings": plan.findings,
    }


def _changes(terminal: Terminal, plan: DeployPlan) -> None:
    rows = [
        (c.stack, c.action, c.resource, c.type, _replacement(c.replacement), ", ".join(c.properties))
        for c in plan.changes
    ]
    terminal.rows(None, ("stack", "action", "resource", "type", "replacement", "properties"), rows)


def _replacement(told: str | None) -> str | None:
    return {"True": "REPLACED", "Conditional": "perhaps", "False": "no"}.get(told or "")


def _made_of(terminal: Terminal, stack: StackPlan) -> None:
    """A stack that is not there yet."""
    after = f", after {', '.join(stack.waits_for)}" if stack.waits_for else ""
    title = f"{stack.name}: {stack.template}, {len(stack.changes)} resources{after}"
    terminal.rows(title, ("add", "type"), [(c.resource, c.type) for c in stack.changes])
    terminal.rows(None, ("parameter", "value"), sorted(stack.parameters.items()))
    terminal.line()


def _cost(terminal: Terminal, cost: CostEstimate, *, whole: bool) -> None:
    """Amounts a month; line by line for an environment that is not there yet."""
    if whole and cost.lines:
        rows = [
            (x.resource, x.what, _money(x.idle_month), _money(x.running_month), _money(x.paused_month))
            for x in cost.lines
        ]
        terminal.rows(
            f"Cost, {cost.currency} a month", ("resource", "what", "idle", "running", "paused"), rows
        )
        for use in cost.by_use:
            terminal.line(f"{use.what}: {use.price} {cost.currency} a {use.unit}")
    terminal.line(str(cost))


def _money(amount: float) -> Decimal:
    return Decimal(f"{amount:.2f}")
