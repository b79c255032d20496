"""cfn-lint over the rendered templates: AWS's own resource schemas, warnings as errors."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from medallion_cli import INSTALL_LOCAL
from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.deployment import template_place
from medallion_cli.operations.validation.documents import Document, at, mapping

if TYPE_CHECKING:
    from medallion_cli.operations.validation.deployment import Deployment, Stack

NOT_INSTALLED = Finding(
    "infra_templates",
    "cfn-lint is not installed, so nothing was compared with AWS's resource schemas",
    f"{INSTALL_LOCAL}, then validate again",
    "MED-TPL-001",
)


def lint_findings(
    deployments: Collection[Deployment], only: Collection[str] | None = None
) -> Iterator[Finding]:
    """cfn-lint's findings in each template, with each environment's values in it; equal ones are read once."""
    try:
        import cfnlint  # noqa: F401
    except ImportError:
        yield NOT_INSTALLED
        return
    regions = sorted({deployment.settings.region for deployment in deployments})
    stacks = [s for d in deployments for s in d.stacks.values() if only is None or s.name in only]
    for name, template in _distinct((stack.name, with_values(stack)) for stack in stacks):
        # A parameter whose value was filled in is not used any more: wiring looks for those that never were.
        yield from (f for f in linted(name, template, regions) if f.code != "MED-TPL-W2001")


def _distinct(templates: Iterable[tuple[str, Document]]) -> list[tuple[str, Document]]:
    done: list[tuple[str, Document]] = []
    for one in templates:
        if one not in done:
            done.append(one)
    return done


def with_values(stack: Stack) -> Document:
    """The template with its plain parameters' values in its resources: cfn-lint looks up few of them by itself."""
    plain = {
        name: stack.parameters[name]
        for name, entry in mapping(stack.template, "Parameters").items()
        if at(entry, "Default") not in (None, "") and isinstance(stack.parameters[name], (str, int))
    }
    written = mapping(stack.template, "Resources")
    filled = {
        name: _filled(body, plain) if name in stack.resources else body for name, body in written.items()
    }
    return {**stack.template, "Resources": filled}


def _filled(value: Any, plain: Document) -> Any:
    match value:
        case {"Ref": str(name)} if name in plain:
            return plain[name]
        case {"Fn::If": _}:
            return value  # what its condition keeps out stays out
        case dict():
            return {key: _filled(inner, plain) for key, inner in value.items()}
        case list():
            return [_filled(inner, plain) for inner in value]
    return value


def linted(stack: str, template: Document, regions: list[str]) -> Iterator[Finding]:
    """cfn-lint's findings in one template."""
    from cfnlint import ManualArgs
    from cfnlint.api import lint

    body = json.dumps(template, indent=1, default=str)
    matches: list[Any] = lint(body, config=ManualArgs(regions=regions))
    for match in matches:
        path = tuple(part for part in getattr(match, "path", None) or () if not _function(part))
        rule = match.rule
        remedy = f"{rule.description.rstrip('.')} (cfn-lint {rule.id})"
        yield Finding(template_place(stack, path), _short(match.message), remedy, f"MED-TPL-{rule.id}")


def _function(part: object) -> bool:
    return str(part).startswith("Fn::") or part == "Ref"


def _short(message: str) -> str:
    """A list of hundreds of allowed values becomes the three nearest."""
    found = re.match(r"(?s)'(.*?)' is not one of (\[.*\])", message)
    if found is None or len(message) < 300:
        return message
    near = difflib.get_close_matches(found[1], re.findall(r"'([^']*)'", found[2]), 3, 0.3)
    return f"{found[1]!r} is none of the values that AWS has; near are {', '.join(near) or 'none'}"
