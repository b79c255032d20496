"""The state machine's service calls against botocore: service, operation, parameters, values, and fields of results."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.documents import UNKNOWN, Document, dotted, listed, text
from medallion_cli.operations.validation.machine import TYPE, WHERE, definition, states, substituted
from medallion_cli.operations.validation.properties import faults, service_model

if TYPE_CHECKING:
    from medallion_cli.operations.validation.deployment import Deployment

PREFIX = "arn:aws:states:::"
# Step Functions names an SDK's service by its id; these differ from botocore's client names.
SERVICES = {
    "cloudwatchlogs": "logs",
    "databasemigration": "dms",
    "eventbridge": "events",
    "redshiftdata": "redshift-data",
    "redshiftserverless": "redshift-serverless",
    "sfn": "stepfunctions",
}
# Optimised integrations of what a pipeline may call: ARN's end → (service, operation)
OPTIMIZED = {
    "athena:startQueryExecution.sync": ("athena", "StartQueryExecution"),
    "events:putEvents": ("events", "PutEvents"),
    "glue:startJobRun": ("glue", "StartJobRun"),
    "glue:startJobRun.sync": ("glue", "StartJobRun"),
    "lambda:invoke": ("lambda", "Invoke"),
    "sns:publish": ("sns", "Publish"),
    "sqs:sendMessage": ("sqs", "SendMessage"),
    "states:startExecution": ("stepfunctions", "StartExecution"),
    "states:startExecution.sync": ("stepfunctions", "StartExecution"),
    "states:startExecution.sync:2": ("stepfunctions", "StartExecution"),
}

# Step Functions converts nothing: botocore's kinds as JSON's.
KINDS: dict[str, type | tuple[type, ...]] = {
    "structure": dict,
    "list": list,
    "map": dict,
    "string": str,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "boolean": bool,
}


def call_findings(deployment: Deployment) -> Iterator[Finding]:
    """Findings in the calls of every machine."""
    for _, _, properties in deployment.of_type(TYPE):
        machine = definition(properties)
        for path, _, state in states(substituted(machine, properties)) if machine else ():
            if state.get("Type") == "Task":
                yield from _task(f"{WHERE} {path}", state)
            for key in ("Retry", "Catch"):
                yield from _service_errors(f"{WHERE} {path}.{key}", state, key)


def calls(machine: Document) -> Iterator[tuple[str, str, str, Document]]:
    """(path, service, operation, arguments) of every task whose integration is known."""
    for path, _, state in states(machine):
        if state.get("Type") == "Task" and (found := called(text(state, "Resource"))):
            arguments = state.get("Arguments")
            yield path, *found, arguments if isinstance(arguments, dict) else {}


@cache
def called(resource: str) -> tuple[str, str] | None:
    """(botocore service, operation) of an integration's ARN; None for one that there is not."""
    integration = resource.removeprefix(PREFIX)
    if not resource.startswith(PREFIX):
        return None
    if integration in OPTIMIZED:
        return OPTIMIZED[integration]
    found = re.fullmatch(r"aws-sdk:([a-z0-9]+):([a-z]\w+)(\.waitForTaskToken)?", integration)
    service = _service(found[1]) if found else None
    return (service, found[2][0].upper() + found[2][1:]) if found and service else None


@cache
def _service(name: str) -> str | None:
    import botocore.session

    if name in SERVICES:
        return SERVICES[name]
    for known in botocore.session.get_session().get_available_services():
        if known.replace("-", "") == name and known not in SERVICES.values():
            return str(known)
    return None


def _task(where: str, state: Document) -> Iterator[Finding]:
    resource = text(state, "Resource")
    found = called(resource)
    if found is None:
        remedy = (
            "arn:aws:states:::aws-sdk:<service>:<operation>, such as …:aws-sdk:redshiftdata:executeStatement"
        )
        yield Finding(f"{where}.Resource", f"no integration {resource}", remedy, "MED-ASL-020")
        return
    service, operation = found
    model = service_model(service)
    if operation not in model.operation_names:
        import difflib

        near = difflib.get_close_matches(operation, model.operation_names, 1)
        remedy = (
            f"did you mean {near[0][0].lower() + near[0][1:]}?" if near else "an operation of the service"
        )
        yield Finding(f"{where}.Resource", f"{service} has no operation {operation}", remedy, "MED-ASL-020")
        return
    if resource.endswith("glue:startJobRun"):
        what = "starts the job and goes on before it has ended"
        yield Finding(f"{where}.Resource", what, "glue:startJobRun.sync", "MED-ASL-021")
    operation_model = model.operation_model(operation)
    yield from _arguments(f"{where}.Arguments", state.get("Arguments", {}), operation_model.input_shape)
    if not resource.endswith(".sync"):
        yield from _results(where, state, operation_model.output_shape, service)


def _arguments(where: str, given: Any, shape: Any) -> Iterator[Finding]:
    if shape is None or _expression(given):
        return
    yield from _names(where, given, shape)
    for path, what, remedy in faults(_literal(given), shape):
        yield Finding(f"{where}.{dotted(path)}", what, remedy, "MED-ASL-023")


def _names(where: str, given: Any, shape: Any) -> Iterator[Finding]:
    """Parameters are in PascalCase in Step Functions, whatever they are in the service's own API."""
    match shape.type_name:
        case "structure" if isinstance(given, dict):
            members = {name[0].upper() + name[1:]: name for name in shape.members}
            for name in given.keys() - members.keys():
                remedy = f"has {', '.join(sorted(members))}"
                yield Finding(f"{where}.{name}", f"no parameter {name}", remedy, "MED-ASL-022")
            for name in shape.required_members:
                pascal = name[0].upper() + name[1:]
                if pascal not in given:
                    yield Finding(
                        where, f"the parameter {pascal} is required", f"add {pascal}", "MED-ASL-022"
                    )
            for name, value in given.items():
                if name in members:
                    yield from _names(f"{where}.{name}", value, shape.members[members[name]])
        case "list" if isinstance(given, list):
            for number, value in enumerate(given):
                yield from _names(f"{where}[{number}]", value, shape.member)
        case "map" if isinstance(given, dict):
            for name, value in given.items():
                yield from _names(f"{where}.{name}", value, shape.value)
        case kind if kind in KINDS and not isinstance(given, KINDS[kind]) and not _expression(given):
            yield Finding(where, f"{given!r} is no {kind}", f"write a {kind}", "MED-ASL-022")


def _literal(value: Any) -> Any:
    match value:
        case dict():
            return {key: _literal(inner) for key, inner in value.items()}
        case list():
            return [_literal(inner) for inner in value]
    return UNKNOWN if _expression(value) or (isinstance(value, str) and "${" in value) else value


def _expression(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("{%")


def _results(where: str, state: Document, shape: Any, service: str) -> Iterator[Finding]:
    """`$states.result.A.B` names fields that the operation returns."""
    if shape is None or service == "lambda":
        return
    for key in ("Output", "Assign"):
        for expression in _expressions(state.get(key)):
            for chain in re.findall(r"\$states\.result((?:\.\w+|\[\d+\])+)", expression):
                if fault := _missing(chain, shape):
                    yield Finding(f"{where}.{key}", fault, "a field of the operation's answer", "MED-ASL-024")


def _expressions(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for inner in value.values():
                yield from _expressions(inner)
        case list():
            for inner in value:
                yield from _expressions(inner)
        case str() if _expression(value):
            yield value[2:-2]


def _missing(chain: str, shape: Any) -> str | None:
    for part in re.findall(r"\w+", chain):
        if shape.type_name == "list":
            shape = shape.member
            if part.isdigit():
                continue
        if shape.type_name != "structure":
            return None
        members = {name[0].upper() + name[1:]: member for name, member in shape.members.items()}
        if part not in members:
            return f"$states.result{chain}: the answer has no {part} (has {', '.join(sorted(members)[:12])})"
        shape = members[part]
    return None


def _service_errors(where: str, state: Document, key: str) -> Iterator[Finding]:
    """`Glue.X`: prefixes are the service ids in PascalCase, of a service that the machine's tasks can call."""
    known = {
        "States",
        "Medallion",
        "Glue",
        "Sfn",
        "S3",
        "Sns",
        "DatabaseMigration",
        "RedshiftData",
        "Lambda",
        "Sqs",
    }
    for number, handler in enumerate(listed(state, key)):
        for name in listed(handler, "ErrorEquals"):
            if text(name).partition(".")[0] not in known:
                what = f"{name}: Step Functions gives no error of this name"
                remedy = f"<Service>.<Error>, with one of {', '.join(sorted(known))}"
                yield Finding(f"{where}[{number}].ErrorEquals", what, remedy, "MED-ASL-025")
