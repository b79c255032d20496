"""JSONata in state machines: `{% … %}` strings, templates of them, and functions of its own.

Rules: https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

from __future__ import annotations

import hashlib
import json
import random
import uuid
from collections.abc import Mapping
from typing import Any

OPEN, CLOSE = "{%", "%}"


class StateError(Exception):
    """A state failed; `error` is what Retry and Catch compare, `cause` is text for people (or JSON)."""

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(f"{error}: {cause}")
        self.error, self.cause = error, cause


def is_expression(value: object) -> bool:
    """Whether a string is JSONata: the delimiters enclose all of it."""
    return isinstance(value, str) and value.startswith(OPEN) and value.endswith(CLOSE)


def evaluate(template: Any, bindings: Mapping[str, Any]) -> Any:
    """A copy of `template` with every expression evaluated; `bindings` are `states` and the variables."""
    match template:
        case dict():
            return {name: evaluate(value, bindings) for name, value in template.items()}
        case list():
            return [evaluate(value, bindings) for value in template]
        case str() if is_expression(template):
            return _expression(template[len(OPEN) : -len(CLOSE)].strip(), bindings)
    return template


def syntax_fault(template: Any) -> str | None:
    """The first expression in `template` that does not parse, and why."""
    match template:
        case dict():
            return next((fault for value in template.values() if (fault := syntax_fault(value))), None)
        case list():
            return next((fault for value in template if (fault := syntax_fault(value))), None)
        case str() if is_expression(template):
            return _unparsable(template[len(OPEN) : -len(CLOSE)].strip())
    return None


def _unparsable(text: str) -> str | None:
    from jsonata import Jsonata
    from jsonata.jexception import JException

    try:
        Jsonata.jsonata(_wrapped(text))
    except (JException, RuntimeError, ValueError, IndexError) as error:
        return f"{text}: {error}"
    return None


def _wrapped(text: str) -> str:
    """As the value of an object: a missing key then tells "undefined" from null."""
    return '{"value": (' + text + "\n)}"


def _expression(text: str, bindings: Mapping[str, Any]) -> Any:
    """The value; States.QueryEvaluationError when it fails or is undefined."""
    from jsonata import Jsonata
    from jsonata.jexception import JException
    from jsonata.utils import Utils

    try:
        program = Jsonata.jsonata(_wrapped(text))
        for name, function in FUNCTIONS.items():
            program.register_lambda(name, function)
        frame = program.create_frame()
        for name, value in bindings.items():
            frame.bind(name, Utils.NULL_VALUE if value is None else value)  # None alone means undefined
        found = program.evaluate(None, frame)
    except (
        JException,
        ArithmeticError,
        LookupError,
        TypeError,
        ValueError,
        RuntimeError,
        AttributeError,
    ) as error:
        raise StateError(
            "States.QueryEvaluationError", f"The JSONata expression '{text}' failed: {error}"
        ) from error
    if "value" not in found:
        raise StateError(
            "States.QueryEvaluationError", f"The JSONata expression '{text}' returned nothing (undefined)"
        )
    return json.loads(json.dumps(found["value"]))  # plain lists and dicts, and a copy


def _partition(values: Any, size: Any) -> list[list[Any]]:
    items = values if isinstance(values, list) else [values]
    return [items[at : at + int(size)] for at in range(0, len(items), int(size))]


def _range(first: Any, last: Any, step: Any) -> list[int]:
    """Inclusive of the last value."""
    return list(range(int(first), int(last) + (1 if step > 0 else -1), int(step)))


def _hash(value: Any, algorithm: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return hashlib.new(
        str(algorithm).replace("-", "").lower(), text.encode(), usedforsecurity=False
    ).hexdigest()


def _random(seed: Any = None) -> float:
    return random.random() if seed is None else random.Random(seed).random()


FUNCTIONS = {
    "partition": _partition,
    "range": _range,
    "hash": _hash,
    "random": _random,
    "uuid": lambda: str(uuid.uuid4()),
    "parse": lambda text: json.loads(text),
}
