"""Reads CloudFormation templates without resolving them."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML with CloudFormation's short forms kept as their long ones."""


def _short_form(loader: Any, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    match node:
        case yaml.ScalarNode():
            value = loader.construct_scalar(node)
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case _:
            value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


def parse_template(body: str) -> dict[str, Any]:
    """The template as a document of long-form intrinsics."""
    document = yaml.load(body, _Loader)
    assert isinstance(document, dict)
    return document


@cache
def declared_parameters(body: str) -> dict[str, Any]:
    """Parameters of a template with their defaults (None: required)."""
    return {name: entry.get("Default") for name, entry in parse_template(body).get("Parameters", {}).items()}


def resources(body: str) -> list[tuple[str, str]]:
    """(logical id, type) of every resource."""
    return [(name, entry["Type"]) for name, entry in parse_template(body)["Resources"].items()]
