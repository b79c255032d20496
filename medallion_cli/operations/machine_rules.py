"""What cfn-lint does not see in a state machine: dangling and unreachable states, wrong SDK calls, bad JSONata."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from medallion_cli.operations.findings import Finding

WHERE = "infra_templates/state_machine.yaml"
# Step Functions' names of SDK services → botocore's.
SERVICES = {"databasemigration": "dms", "redshiftdata": "redshift-data", "sfn": "stepfunctions", "s3": "s3"}
OPTIMIZED = {"glue:startJobRun.sync": ("glue", "StartJobRun"), "sns:publish": ("sns", "Publish")}

Document = dict[str, Any]


def machine_findings(machine: Document) -> list[Finding]:
    """Findings in the definition, as it is before substitution."""
    return [*_block(machine, "States"), *_expressions(machine, "")]


def calls(machine: Document) -> Iterator[tuple[str, str, str, Document]]:
    """(state, botocore service, operation, arguments) of every task; KeyError for a service not known here."""
    for name, state in _states(machine):
        if state["Type"] == "Task":
            yield name, *called(state["Resource"]), state.get("Arguments", {})


def called(resource: str) -> tuple[str, str]:
    """(botocore service, operation) of an integration's ARN."""
    integration = resource.removeprefix("arn:aws:states:::")
    if integration in OPTIMIZED:
        return OPTIMIZED[integration]
    service, operation = integration.removeprefix("aws-sdk:").split(":")
    return SERVICES[service], operation[0].upper() + operation[1:]


def _states(block: Document) -> Iterator[tuple[str, Document]]:
    for name, state in block["States"].items():
        yield name, state
        for inner in _inner(state):
            yield from _states(inner)


def _inner(state: Document) -> list[Document]:
    return [state["ItemProcessor"]] if "ItemProcessor" in state else list(state.get("Branches", []))


def _block(block: Document, where: str) -> Iterator[Finding]:
    """One level of states, and the levels within."""
    states = block["States"]
    reached, queue = set[str](), [block["StartAt"]]
    while queue:
        name = queue.pop()
        if name in reached:
            continue
        reached.add(name)
        if name not in states:
            yield Finding(f"{WHERE} {where}", f"a transition leads to {name!r}, which does not exist")
            continue
        queue += _next(states[name])
    for name, state in states.items():
        if name not in reached:
            yield Finding(f"{WHERE} {where}.{name}", "nothing leads to it")
        if state["Type"] == "Task":
            yield from _task(name, state)
        for inner in _inner(state):
            yield from _block(inner, f"{where}.{name}")


def _next(state: Document) -> list[str]:
    ways = [state, *state.get("Choices", []), *state.get("Catch", [])]
    return [way[key] for way in ways for key in ("Next", "Default") if key in way]


def _task(name: str, state: Document) -> Iterator[Finding]:
    where = f"{WHERE} {name}"
    try:
        service, operation = called(state["Resource"])
    except (KeyError, ValueError):
        yield Finding(where, f"no integration {state['Resource']}")
        return
    model = _model(service)
    if operation not in model.operation_names:
        yield Finding(where, f"{service} has no operation {operation}")
        return
    yield from _arguments(where, state.get("Arguments", {}), model.operation_model(operation).input_shape)
    for retrier in state.get("Retry", []):
        if retrier.get("JitterStrategy", "NONE") not in ("NONE", "FULL"):
            yield Finding(where, f"JitterStrategy {retrier['JitterStrategy']} is neither NONE nor FULL")


def _arguments(where: str, given: Any, shape: Any) -> Iterator[Finding]:
    """Names of parameters, PascalCase in Step Functions; values may be expressions."""
    match shape.type_name:
        case "structure" if isinstance(given, dict):
            members = {name[0].upper() + name[1:]: name for name in shape.members}
            for name in given.keys() - members.keys():
                yield Finding(where, f"no parameter {name} (has {', '.join(sorted(members))})")
            for name in shape.required_members:
                if name[0].upper() + name[1:] not in given:
                    yield Finding(where, f"the parameter {name} is required")
            for name, value in given.items():
                if name in members:
                    yield from _arguments(f"{where}.{name}", value, shape.members[members[name]])
        case "list" if isinstance(given, list):
            for value in given:
                yield from _arguments(where, value, shape.member)


def _expressions(value: Any, where: str) -> Iterator[Finding]:
    match value:
        case dict():
            for key, inner in value.items():
                yield from _expressions(inner, f"{where}.{key}".lstrip("."))
        case list():
            for inner in value:
                yield from _expressions(inner, where)
        case str() if value.startswith("{%"):
            if fault := _fault(value[2:-2]):
                yield Finding(f"{WHERE} {where}", fault)


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
        return f"{expression.strip()}: {error}"
    return None


@cache
def _model(service: str) -> Any:
    import botocore.session

    return botocore.session.get_session().get_service_model(service)
