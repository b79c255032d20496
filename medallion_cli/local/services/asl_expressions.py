"""JSONata in the Amazon States Language: `{% … %}` strings over `$states` and the assigned variables."""

from __future__ import annotations

import json
import uuid
from typing import Any

OPEN, CLOSE = "{%", "%}"


class QueryError(Exception):
    """An expression that failed or gave nothing: States.QueryEvaluationError."""


def evaluate(template: Any, bindings: dict[str, Any]) -> Any:
    """The template with every expression in it evaluated; QueryError names the expression."""
    match template:
        case str() if template.strip().startswith(OPEN) and template.strip().endswith(CLOSE):
            return _expression(template.strip()[2:-2].strip(), bindings)
        case dict():
            return {key: evaluate(value, bindings) for key, value in template.items()}
        case list():
            return [evaluate(value, bindings) for value in template]
        case _:
            return template


def _expression(text: str, bindings: dict[str, Any]) -> Any:
    import jsonata

    try:
        expression = jsonata.Jsonata(text)
        expression.register_lambda("parse", json.loads)
        expression.register_lambda("uuid", lambda: str(uuid.uuid4()))
        frame = expression.create_frame()
        for name, value in bindings.items():
            frame.bind(name, value)
        result = expression.evaluate(None, frame)
    except Exception as error:
        raise QueryError(f"{text}: {error}") from error
    if result is None and not _means_null(text):
        raise QueryError(f"the expression {text!r} returned nothing (undefined)")
    return _plain(result)


def _means_null(text: str) -> bool:
    return "null" in text


def _plain(value: Any) -> Any:
    """JSON values only: the library's own sequences become lists, its null becomes None, whole floats become ints."""
    match value:
        case dict():
            return {str(k): _plain(v) for k, v in value.items()}
        case list() | tuple():
            return [_plain(v) for v in value]
        case float() if value.is_integer():
            return int(value)
        case None | bool() | int() | float() | str():
            return value
        case _:
            return None
