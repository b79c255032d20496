"""The state machine's structure: an independent validator (statelint), and what neither it nor cfn-lint sees of the graph."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from medallion_cli import INSTALL_LOCAL
from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.documents import (
    UNKNOWN,
    Document,
    listed,
    mapping,
    parsed_json,
    text,
    words,
)

if TYPE_CHECKING:
    from medallion_cli.operations.validation.deployment import Deployment

WHERE = "infra_templates/state_machine.yaml"
TYPE = "AWS::StepFunctions::StateMachine"
REDRIVEN = (
    "$states.context.Execution.RedriveCount"  # in a condition: met only once somebody has redriven the run
)
CATCHING = ("Task", "Map", "Parallel")
NUMBERS = (
    "Seconds",
    "TimeoutSeconds",
    "HeartbeatSeconds",
    "MaxConcurrency",
    "MaxItems",
    "ToleratedFailureCount",
)
# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
ERRORS = words(
    """
    States.ALL States.BranchFailed States.DataLimitExceeded States.ExceedToleratedFailureThreshold
    States.HeartbeatTimeout States.Http.Socket States.ItemReaderFailed States.NoChoiceMatched
    States.Permissions States.QueryEvaluationError States.ResultWriterFailed States.Runtime
    States.TaskFailed States.Timeout States.IntrinsicFailure
    """
)
NOT_INSTALLED = Finding(
    WHERE, "statelint is not installed: one of two validators is missing", INSTALL_LOCAL, "MED-ASL-001"
)  # fmt: skip


def definition(properties: Document) -> Document | None:
    """The machine's document, before substitution; None when there is none."""
    found = parsed_json(properties.get("DefinitionString", properties.get("Definition")))
    return found if isinstance(found, dict) else None


def substituted(machine: Document, properties: Document) -> Document:
    """The machine with its `${…}` filled; one whose value only AWS knows stays as it is."""
    given = mapping(properties, "DefinitionSubstitutions")
    known = {name: value for name, value in given.items() if value is not UNKNOWN}
    body = re.sub(
        r"\$\{(\w+)\}",
        lambda m: json.dumps(str(known[m[1]]))[1:-1] if m[1] in known else m[0],
        json.dumps(machine),
    )
    found = json.loads(body)
    return found if isinstance(found, dict) else machine


def machine_findings(deployment: Deployment) -> Iterator[Finding]:
    """Findings in every machine of the environment's templates."""
    machines = deployment.of_type(TYPE)
    if not machines:
        yield Finding(
            "infra_templates/orchestration.yaml Resources",
            "has no state machine",
            f"add an {TYPE}",
            "MED-ASL-002",
        )
    for stack, logical, properties in machines:
        machine = definition(properties)
        if machine is None:
            where = deployment.place(stack, logical)
            yield Finding(
                where,
                "its definition is no JSON",
                "DefinitionString: [[ state_machine | json ]]",
                "MED-ASL-002",
            )
            continue
        yield from _substitutions(machine, properties)
        yield from _statelint(machine)
        if "TimeoutSeconds" not in machine:
            yield Finding(
                WHERE,
                "has no TimeoutSeconds: a run that hangs lasts a year",
                "TimeoutSeconds: 21600",
                "MED-ASL-003",
            )
        yield from _level(machine, "", top=True)


def _substitutions(machine: Document, properties: Document) -> Iterator[Finding]:
    where = "infra_templates/orchestration.yaml Resources.Machine.Properties.DefinitionSubstitutions"
    used = set(re.findall(r"\$\{(\w+)\}", json.dumps(machine)))
    given = set(mapping(properties, "DefinitionSubstitutions"))
    for name in sorted(used - given):
        yield Finding(f"{where}.{name}", "is used in the machine and not given", f"add {name}", "MED-ASL-004")
    for name in sorted(given - used):
        yield Finding(
            f"{where}.{name}",
            "is given and not used: the machine lost its use",
            "use it, or take it out",
            "MED-ASL-004",
        )


def _statelint(machine: Document) -> Iterator[Finding]:
    try:
        from statelint.linter import Linter
    except ImportError:
        yield NOT_INSTALLED
        return
    try:
        problems = Linter.validate(_plain(machine))
    except (
        TypeError,
        AttributeError,
    ) as error:  # a list or a mapping where statelint takes a text for granted
        yield Finding(
            WHERE, f"statelint could not read it: {error}", "texts where texts are due", "MED-ASL-005"
        )
        return
    for problem in problems:
        path, what = _parted(str(problem))
        yield Finding(f"{WHERE} {path}".strip(), what, "as the Amazon States Language has it", "MED-ASL-005")


def _parted(problem: str) -> tuple[str, str]:
    found = re.search(
        r"State Machine((?:\.[\w \[\]]+?)*)(?= (?:is|does|should|has|not|must)\b|$|\.$)", problem
    )
    return (found[1].lstrip("."), problem) if found else ("", problem)


def _plain(value: Any) -> Any:
    """Numbers in place of expressions that make numbers: statelint knows none there."""
    match value:
        case dict():
            return {k: 1 if k in NUMBERS and _expression(v) else _plain(v) for k, v in value.items()}
        case list():
            return [_plain(inner) for inner in value]
    return value


def _expression(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("{%")


def states(block: Document, path: str = "") -> Iterator[tuple[str, str, Document]]:
    """(dotted path, name, state) of every state, those of maps and branches too."""
    for name, state in mapping(block, "States").items():
        if isinstance(state, dict):
            where = f"{path}States.{name}"
            yield where, name, state
            for key, inner in inner_blocks(state):
                yield from states(inner, f"{where}.{key}.")


def inner_blocks(state: Document) -> list[tuple[str, Document]]:
    """Blocks of states within a state."""
    found = [(key, state[key]) for key in ("ItemProcessor", "Iterator") if isinstance(state.get(key), dict)]
    branches = [b for b in listed(state, "Branches") if isinstance(b, dict)]
    return found + [(f"Branches[{number}]", branch) for number, branch in enumerate(branches)]


def transitions(state: Document, *, redriven: bool = True) -> list[str]:
    """Names of the states that may follow; without `redriven` those that may in one attempt."""
    ways = [state, *listed(state, "Choices"), *listed(state, "Catch")]
    return [
        way[key]
        for way in ways
        if isinstance(way, dict) and (redriven or REDRIVEN not in text(way, "Condition"))
        for key in ("Next", "Default")
        if isinstance(way.get(key), str)
    ]


def _level(block: Document, path: str, *, top: bool) -> Iterator[Finding]:
    known = {name: state for name, state in mapping(block, "States").items() if isinstance(state, dict)}
    prefix = f"{WHERE} {path}States"
    start = text(block, "StartAt")
    for name, state in [("StartAt", {"Next": start}), *known.items()]:
        for target in transitions(state):
            if target not in known:
                what = f"a transition leads to {target!r}, which does not exist"
                yield Finding(
                    f"{prefix}.{name}".replace("States.StartAt", "StartAt"),
                    what,
                    "name a state of this level",
                    "MED-ASL-010",
                )
    reached = reachable(known, [start])
    for name, state in known.items():
        if name not in reached:
            yield Finding(
                f"{prefix}.{name}", "nothing leads to it", "lead to it, or take it out", "MED-ASL-011"
            )
        yield from _state(f"{prefix}.{name}", state, known, top=top)
        for key, inner in inner_blocks(state):
            yield from _level(inner, f"{path}States.{name}.{key}.", top=False)
    yield from _loops(prefix, known)


def reachable(known: dict[str, Document], start: list[str], *, redriven: bool = True) -> set[str]:
    """Names that can be reached; without `redriven` in one attempt."""
    reached, queue = set[str](), list(start)
    while queue:
        name = queue.pop()
        if name not in reached and name in known:
            reached.add(name)
            queue += transitions(known[name], redriven=redriven)
    return reached


def _state(where: str, state: Document, known: dict[str, Document], *, top: bool) -> Iterator[Finding]:
    kind = state.get("Type")
    if kind == "Choice" and "Default" not in state:
        yield Finding(
            f"{where}.Default",
            "is missing: a run fails when no choice matches",
            "Default: a state",
            "MED-ASL-012",
        )
    for key in ("Retry", "Catch"):
        yield from _errors(f"{where}.{key}", [one for one in listed(state, key) if isinstance(one, dict)])
    if top and kind in CATCHING:
        yield from _caught(where, state, known)


def _errors(where: str, handlers: list[Document]) -> Iterator[Finding]:
    for number, handler in enumerate(handlers):
        names = [str(name) for name in listed(handler, "ErrorEquals")]
        for name in names:
            if name.startswith("States.") and name not in ERRORS:
                what = f"{name} does not exist, so this never matches"
                yield Finding(
                    f"{where}[{number}].ErrorEquals",
                    what,
                    f"one of: {', '.join(sorted(ERRORS)[:6])}, …",
                    "MED-ASL-013",
                )
        if "States.ALL" in names and (len(names) > 1 or number < len(handlers) - 1):
            what = "States.ALL has to stand alone and last"
            yield Finding(f"{where}[{number}].ErrorEquals", what, "move it to the end", "MED-ASL-013")


def _caught(where: str, state: Document, known: dict[str, Document]) -> Iterator[Finding]:
    """Whatever fails reaches the branch that writes the summary, tells it, and fails the run."""
    catchers = [one for one in listed(state, "Catch") if "States.ALL" in listed(one, "ErrorEquals")]
    if not catchers:
        what = (
            "has no Catch of States.ALL: its failure would end the run without a summary and without a word"
        )
        yield Finding(f"{where}.Catch", what, "Catch: *catch", "MED-ASL-014")
    for catcher in catchers:
        if text(catcher, "Next") == text(state, "Next"):
            continue  # what may fail without harm
        after = [known[name] for name in reachable(known, [text(catcher, "Next")], redriven=False)]
        if any(one.get("Type") == "Succeed" or one.get("End") is True for one in after):
            what = "a failure here can end in success"
            yield Finding(f"{where}.Catch", what, "lead to a state of type Fail", "MED-ASL-014")


def _loops(prefix: str, known: dict[str, Document]) -> Iterator[Finding]:
    """A cycle without a Wait fills the 25,000 events of a history, and polls as fast as it can."""
    going = {name: state for name, state in known.items() if state.get("Type") != "Wait"}
    for name, state in going.items():
        if name in reachable(going, transitions(state, redriven=False), redriven=False):
            yield Finding(
                f"{prefix}.{name}", "is in a loop without a Wait", "wait before looking again", "MED-ASL-015"
            )
            return
