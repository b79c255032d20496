"""Template text to a plain document: JSON or YAML, short-form intrinsics expanded, duplicate keys refused."""

from __future__ import annotations

import json
from typing import Any

import yaml

from medallion_cli.local.cloudformation.faults import ValidationError

_BARE = {"Ref": "Ref", "Condition": "Condition"}


class _TemplateLoader(yaml.SafeLoader):
    """YAML 1.1 as CloudFormation reads it: dates stay text, `!Ref` and its kin become `{"Ref": …}`."""


def _intrinsic(loader: _TemplateLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = _BARE.get(suffix, f"Fn::{suffix}")
    value = _construct(loader, node)
    if name == "Fn::GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name: value}


def _construct(loader: _TemplateLoader, node: yaml.Node) -> Any:
    match node:
        case yaml.MappingNode():
            return _mapping(loader, node)
        case yaml.SequenceNode():
            return loader.construct_sequence(node, deep=True)
        case yaml.ScalarNode():
            return loader.construct_scalar(node)
    raise ValidationError("Template format error: YAML not well-formed.")


def _mapping(loader: _TemplateLoader, node: yaml.MappingNode) -> dict[str, Any]:
    loader.flatten_mapping(node)
    document: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _key(loader, key_node)
        if key in document:
            mark = key_node.start_mark
            raise ValidationError(
                f"Template format error: duplicate key {key} (line {mark.line + 1}, column {mark.column + 1})"
            )
        document[key] = loader.construct_object(value_node, deep=True)
    return document


def _key(loader: _TemplateLoader, node: yaml.Node) -> str:
    """A mapping key as written: `2012-10-17:` and `on:` are text, never a date or a boolean."""
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    mark = node.start_mark
    raise ValidationError(
        f"Template format error: YAML not well-formed. (line {mark.line + 1}, column {mark.column + 1})"
    )


def _text(loader: _TemplateLoader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_TemplateLoader.add_constructor("tag:yaml.org,2002:map", _mapping)
_TemplateLoader.add_constructor("tag:yaml.org,2002:timestamp", _text)
_TemplateLoader.add_multi_constructor("!", _intrinsic)


def parse_template(text: str) -> dict[str, Any]:
    """The template as nested dicts; raises ValidationError, a "Template format error"."""
    document = _parse_json(text) if text.lstrip().startswith("{") else _parse_yaml(text)
    if not isinstance(document, dict):
        raise ValidationError("Template format error: unsupported structure.")
    return document


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise ValidationError(
            f"Template format error: JSON not well-formed. (line {error.lineno}, column {error.colno})"
        ) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValidationError(f"Template format error: duplicate key {max(names, key=names.count)}")
    return document


def _parse_yaml(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_TemplateLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise ValidationError(f"Template format error: YAML not well-formed.{at}") from error
