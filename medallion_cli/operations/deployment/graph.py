"""What waits for what: stacks by the outputs their parameters are named after, resources by what they refer to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from typing import Any

from medallion_cli.errors import UsageError
from medallion_cli.operations.package import LARGEST_BODY
from medallion_cli.operations.template import declared_parameters, parse_template

document = cache(parse_template)  # read only
Graph = dict[str, frozenset[str]]  # what each waits for
ALIASES = {"CodeBucket": "ArtifactsBucket"}  # parameters that take an output of another name
UPLOADS = "ArtifactsBucket"  # where a template is read from that is too long to be sent along
_SUBSTITUTED = re.compile(r"\$\{([A-Za-z0-9]+)(?:\.[A-Za-z0-9.]+)?\}")


def stack_graph(templates: Mapping[str, str]) -> Graph:
    """The stacks that each stack waits for; UsageError when they wait for each other."""
    made_by = {name: stack for stack, body in templates.items() for name in _outputs(body)}
    graph = {
        stack: frozenset(made_by[name] for name in _needs(body) if name in made_by) - {stack}
        for stack, body in templates.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = " → ".join(error.args[1])
        raise UsageError(f"infra_templates: stacks wait for each other: {circle}") from None
    return graph


def givers(templates: Mapping[str, str], stack: str) -> dict[str, str]:
    """The parameters of a stack that are outputs, and of which stack."""
    made_by = {name: other for other, body in templates.items() for name in _outputs(body)}
    wanted = {name: ALIASES.get(name, name) for name in declared_parameters(templates[stack])}
    return {name: made_by[output] for name, output in wanted.items() if output in made_by}


def resource_graph(body: str) -> Graph:
    """The resources that each resource of a template waits for."""
    resources = document(body)["Resources"]
    return {
        name: frozenset(r for r in _referred(entry) if r in resources) - {name}
        for name, entry in resources.items()
    }


def resources(body: str) -> list[tuple[str, str]]:
    """(logical id, type) of every resource of a template."""
    return [(name, entry["Type"]) for name, entry in document(body)["Resources"].items()]


def longest(graph: Graph, seconds: Mapping[str, float]) -> float:
    """Seconds of the longest chain; what has no seconds takes none."""
    ends: dict[str, float] = {}
    for name in TopologicalSorter(graph).static_order():
        began = max((ends[other] for other in graph.get(name, ())), default=0.0)
        ends[name] = began + seconds.get(name, 0.0)
    return max(ends.values(), default=0.0)


def _outputs(body: str) -> Iterator[str]:
    yield from document(body).get("Outputs", {})


def _needs(body: str) -> Iterator[str]:
    for name in declared_parameters(body):
        yield ALIASES.get(name, name)
    if len(body.encode()) > LARGEST_BODY:
        yield UPLOADS


def _referred(node: Any) -> Iterator[str]:
    """Every name a resource mentions: Ref, GetAtt, Sub, DependsOn."""
    match node:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [str(name), *_]}:
            yield name
        case {"Fn::Sub": str(text)} | {"Fn::Sub": [str(text), _]}:
            yield from _SUBSTITUTED.findall(text)
    match node:
        case dict():
            waits = node.get("DependsOn", [])
            yield from [waits] if isinstance(waits, str) else (w for w in waits if isinstance(w, str))
            for value in node.values():
                yield from _referred(value)
        case list():
            for value in node:
                yield from _referred(value)
