"""What commands print as JSON is what `medallion schema COMMAND` says."""

from __future__ import annotations

from functools import cache
from typing import Any

from medallion_cli.commands.documents import DOCUMENTS, schema


def conforms(words: tuple[str, ...], document: Any) -> None:
    """AssertionError when a command's document is not as its schema says, or when it has none."""
    path = next((name for name in (" ".join(words[:2]), words[0]) if name in DOCUMENTS), None)
    assert path is not None, f"medallion schema {words[0]}: there is none"
    errors = sorted(_validator(path).iter_errors(document), key=lambda error: error.json_path)
    assert [f"{error.json_path}: {error.message[:200]}" for error in errors] == [], path


@cache
def _validator(path: str) -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(schema(path))
