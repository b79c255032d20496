"""The properties that the project's rendered templates use, by type, and ways to change them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from medallion_cli.local.cloudformation.desire import Intent
from medallion_cli.local.cloudformation.parameters import resolve_parameters
from medallion_cli.local.cloudformation.stack import Stack
from medallion_cli.local.cloudformation.template import Template, load_template
from medallion_cli.local.cloudformation.unknown import UNKNOWN

ROOT = Path(__file__).parents[3]
REGION, ACCOUNT = "us-east-1", "000000000000"
STACK_ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/a/1-2-3-4-5"
SWITCHED_ON = {
    "AlertEmail": "a@example.org",
    "QuickSightPrincipalArn": f"arn:aws:quicksight:{REGION}:{ACCOUNT}:user/default/a",
}


@cache
def rendered() -> dict[str, str]:
    """The templates of dev, by stack."""
    from medallion_cli.assets import Assets
    from medallion_cli.operations.package import render_templates
    from medallion_cli.settings import load_settings
    from medallion_cli.spec import load_pipeline

    assets = Assets.find(ROOT)
    return dict(render_templates(load_pipeline(assets), assets, load_settings("dev", assets)))


@cache
def used_properties() -> dict[str, dict[str, Any]]:
    """By type: every property that some resource of it has, with every condition on."""
    found: dict[str, dict[str, Any]] = {}
    for body in rendered().values():
        intent = evaluated(load_template(body, REGION))
        for logical_id in intent.active:
            known = found.setdefault(intent.template.resources[logical_id]["Type"], {})
            for name, value in intent.properties(logical_id).items():
                known.setdefault(name, _known(value))
    return found


def evaluated(template: Template, stack: Stack | None = None) -> Intent:
    """A preview of a template, its parameters made up."""
    declared = template.section("Parameters")
    parameters = resolve_parameters(
        template, {name: _value(name, node) for name, node in declared.items()}, lambda name: name
    )
    return Intent(template, parameters, stack or Stack(STACK_ID, "a"), ACCOUNT, lambda name: name, True)


def _value(name: str, node: dict[str, Any]) -> str:
    if name in SWITCHED_ON:
        return SWITCHED_ON[name]
    if node.get("AllowedValues") == ["true", "false"]:
        return "true"
    if "Default" in node:
        return str(node["Default"])
    return str(node.get("AllowedValues", ["7" if node["Type"] == "Number" else "arn:aws:a:b:c:d:given"])[0])


def _known(value: Any) -> Any:
    match value:
        case dict():
            return {name: _known(item) for name, item in value.items()}
        case list():
            return [_known(item) for item in value]
    return "known-later" if value is UNKNOWN else value


def leaves(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Paths down to what is no object."""
    if isinstance(node, dict) and node:
        for name, item in node.items():
            yield from leaves(item, (*path, name))
    elif path:
        yield path


def changed(node: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """A copy with another value at a path."""
    head, *rest = path
    return {**node, head: changed(node[head], tuple(rest)) if rest else _other(node[head])}


def _other(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return f"{value}x"
        case list():
            return [*value, _other(value[0]) if value else "more"]
    return {"more": "x"}
