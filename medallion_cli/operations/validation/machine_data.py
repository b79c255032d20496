"""What flows through the state machine: JSONata that parses, variables set before they are read, inputs that are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.documents import Document, listed, mapping, parsed_json, text, words
from medallion_cli.operations.validation.machine import (
    TYPE,
    WHERE,
    definition,
    inner_blocks,
    reachable,
    states,
    transitions,
)

if TYPE_CHECKING:
    from medallion_cli.operations.validation.deployment import Deployment

# JSONata's functions and those that Step Functions adds (transforming-data.html)
FUNCTIONS = words(
    """
    string length substring substringBefore substringAfter uppercase lowercase trim pad contains
    split join match replace base64encode base64decode encodeUrlComponent encodeUrl
    decodeUrlComponent decodeUrl number abs floor ceil round power sqrt random formatNumber
    formatBase formatInteger parseInteger sum max min average boolean not exists count append sort
    reverse shuffle distinct zip keys lookup spread merge sift each error assert type now millis
    fromMillis toMillis map filter single reduce eval partition range hash uuid parse states
    """
)
Keys = frozenset[str] | None  # of a state's input; None: anything


def data_findings(deployment: Deployment) -> Iterator[Finding]:
    """Findings in the expressions of every machine, and in the inputs that schedules give."""
    for _, _, properties in deployment.of_type(TYPE):
        machine = definition(properties)
        if machine is not None:
            yield from _syntax(machine)
            yield from _variables(machine, frozenset(), "")
            yield from _inputs(machine, "", None)
    yield from _schedules(deployment)


def _syntax(machine: Document) -> Iterator[Finding]:
    for path, _, state in states(machine):
        for key, expression in _own_expressions(state):
            if fault := _fault(expression):
                yield Finding(f"{WHERE} {path}.{key}", fault, "an expression of JSONata", "MED-ASL-030")
            for name in re.findall(r"\$([A-Za-z_]\w*)\s*\(", _bare(expression)):
                if (
                    name not in FUNCTIONS
                    and f"${name} :=" not in expression
                    and not re.search(rf"\${name}\s*:=", expression)
                ):
                    yield Finding(
                        f"{WHERE} {path}.{key}",
                        f"JSONata has no function ${name}",
                        "one of JSONata's functions",
                        "MED-ASL-031",
                    )
        for key, value in _texts(state):
            if value.startswith("{%") != value.endswith("%}"):
                what = f"{value!r} is half an expression, and taken as a text"
                yield Finding(f"{WHERE} {path}.{key}", what, "{% … %} around the whole", "MED-ASL-030")


def _own_expressions(state: Document) -> Iterator[tuple[str, str]]:
    for key, value in _texts(state):
        if value.startswith("{%") and value.endswith("%}"):
            yield key, value[2:-2].strip()


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(dotted path, text) of a state's own texts; those of inner blocks are theirs."""
    match value:
        case dict():
            for key, inner in value.items():
                if key not in ("ItemProcessor", "Iterator", "Branches"):
                    yield from _texts(inner, f"{path}.{key}".lstrip("."))
        case list():
            for number, inner in enumerate(value):
                yield from _texts(inner, f"{path}[{number}]")
        case str():
            yield path, value


@cache
def _fault(expression: str) -> str | None:
    """Why it is no JSONata; None when it is, or when no parser is installed."""
    try:
        from jsonata import Jsonata
        from jsonata.jexception import JException
    except ImportError:
        return None
    try:
        Jsonata.jsonata(re.sub(r"\$\{\w+\}", "1", expression))
    except (JException, RuntimeError, ValueError, IndexError) as error:
        return f"{expression}: {error}"
    return None


def _bare(expression: str) -> str:
    """Without texts and regular expressions."""
    return re.sub(r"'[^']*'|\"(?:\\.|[^\"\\])*\"|/(?:\\.|[^/\\\s])+/i?m?", "''", expression)


def _read(expression: str) -> set[str]:
    """Variables that an expression takes from outside."""
    bare = _bare(expression)
    bound = {
        name for args in re.findall(r"function\s*\(([^)]*)\)", bare) for name in re.findall(r"\$(\w+)", args)
    }
    bound |= set(re.findall(r"\$(\w+)\s*:=", bare))
    return set(re.findall(r"\$([A-Za-z_]\w*)(?!\w*\s*\()", bare)) - bound - {"states"}


def _variables(block: Document, outer: frozenset[str], prefix: str) -> Iterator[Finding]:
    """Definite assignment: on every way to a state, what it reads was assigned before."""
    known = {name: state for name, state in mapping(block, "States").items() if isinstance(state, dict)}
    start = text(block, "StartAt")
    assigned: dict[str, frozenset[str]] = {start: outer}
    queue = [start] if start in known else []
    while queue:
        name = queue.pop(0)
        for target, there in _flows(known[name], assigned[name]):
            before = assigned.get(target)
            merged = there if before is None else before & there
            if target in known and merged != before:
                assigned[target] = merged
                queue.append(target)
    for name in reachable(known, [start]):
        here = assigned.get(name, outer)
        for key, expression in _own_expressions(known[name]):
            for variable in sorted(_read(expression) - here - FUNCTIONS):
                what = f"${variable} is not assigned on every way here: the run would fail"
                yield Finding(
                    f"{WHERE} {prefix}States.{name}.{key}", what, f"Assign {variable} before", "MED-ASL-032"
                )
        for key, inner in inner_blocks(known[name]):
            yield from _variables(inner, here, f"{prefix}States.{name}.{key}.")


def _flows(state: Document, before: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    after = before | mapping(state, "Assign").keys()
    for way in listed(state, "Choices"):
        if isinstance(way, dict):
            yield text(way, "Next"), before | mapping(way, "Assign").keys()
    for way in listed(state, "Catch"):
        if isinstance(way, dict):
            yield text(way, "Next"), before | mapping(way, "Assign").keys()
    for key in ("Next", "Default"):
        yield text(state, key), after


def _inputs(block: Document, prefix: str, first: Keys) -> Iterator[Finding]:
    """`$states.input.K`: the states that lead here give K."""
    known = {name: state for name, state in mapping(block, "States").items() if isinstance(state, dict)}
    given: dict[str, Keys] = {text(block, "StartAt"): first}
    queue = [name for name in given if name in known]
    while queue:
        name = queue.pop(0)
        for target, keys in _outputs(known[name], given[name]):
            before = given.get(target, keys)
            merged = None if before is None or keys is None else before & keys
            if target in known and (target not in given or merged != given[target]):
                given[target] = merged
                queue.append(target)
    for name, keys in given.items():
        state = known.get(name, {})
        for key, expression in _own_expressions(state):
            if key.startswith("Catch"):
                continue
            for field in re.findall(r"\$states\.input\.(\w+)", expression):
                if (
                    keys is not None
                    and field not in keys
                    and f"$exists($states.input.{field})" not in expression
                ):
                    what = f"$states.input.{field}: a state that leads here gives {', '.join(sorted(keys)) or 'nothing'}"
                    yield Finding(
                        f"{WHERE} {prefix}States.{name}.{key}",
                        what,
                        f"give {field} in its Output",
                        "MED-ASL-033",
                    )
        for key, inner in inner_blocks(state):
            yield from _inputs(inner, f"{prefix}States.{name}.{key}.", None)


def _outputs(state: Document, given: Keys) -> Iterator[tuple[str, Keys]]:
    if "Output" in state:
        output = state["Output"]
        after: Keys = frozenset(output) if isinstance(output, dict) else None
    else:
        after = given if state.get("Type") in ("Choice", "Wait", "Pass") else None
    for way in listed(state, "Catch"):
        output = way.get("Output") if isinstance(way, dict) else None
        yield (
            text(way, "Next"),
            frozenset(output) if isinstance(output, dict) else frozenset({"Error", "Cause"}),
        )
    caught = {text(way, "Next") for way in listed(state, "Catch")}
    for target in transitions(state):
        if target not in caught or target in (state.get("Next"), state.get("Default")):
            yield target, after


def _schedules(deployment: Deployment) -> Iterator[Finding]:
    """A schedule's input is a JSON object; what the machine reads without asking whether it exists has to be in it."""
    machines = {text(p, "StateMachineName"): definition(p) or {} for _, _, p in deployment.of_type(TYPE)}
    for stack, logical, schedule in deployment.of_type("AWS::Scheduler::Schedule"):
        where = deployment.place(stack, logical, "Target", "Input")
        given = parsed_json(text(schedule, "Target", "Input") or "{}")
        if not isinstance(given, dict):
            yield Finding(where, "is no JSON object", "'{}'", "MED-ASL-034")
            continue
        name = text(schedule, "Target", "Arn").rpartition(":stateMachine:")[2]
        machine = machines.get(name)
        if machine is not None:
            yield from _first_inputs(where, machine, given)


def _first_inputs(where: str, machine: Document, given: Document) -> Iterator[Finding]:
    first = mapping(machine, "States", text(machine, "StartAt"))
    expressions = [expression for _, expression in _own_expressions(first)]
    read = {field for one in expressions for field in re.findall(r"\$states\.input\.(\w+)", one)}
    asked = {field for one in expressions for field in re.findall(r"\$exists\(\$states\.input\.(\w+)\)", one)}
    for field in sorted(read - asked - given.keys()):
        what = f"has no {field}, which the first state reads"
        yield Finding(where, what, f"give {field}, or ask $exists in the machine", "MED-ASL-034")
    for field in sorted(given.keys() - read):
        yield Finding(
            where, f"the machine reads no {field}", f"one of: {', '.join(sorted(read))}", "MED-ASL-034"
        )
