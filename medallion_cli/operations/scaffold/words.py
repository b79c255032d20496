"""Words of somebody else as they stand in YAML, in a comment, in a name of ours."""

from __future__ import annotations

import re

import yaml


def flow(value: str | list[str] | dict[str, str]) -> str:
    """A text, a list or a mapping on one line of YAML; `no` and `2024` in quotes, as they would be none."""
    shown = yaml.safe_dump(
        [value], default_flow_style=True, allow_unicode=True, sort_keys=False, width=float("inf")
    )
    return str(shown).strip()[1:-1]


def one_line(text: str) -> str:
    """A text without line ends, which would end a comment."""
    return " ".join(text.split())


def schema_name(database: str) -> str:
    """A database's name as pipeline.yaml takes it: letters, digits and _, no digit first, at most 63."""
    if re.fullmatch(r"[A-Za-z_]\w{0,62}", database, re.ASCII):
        return database
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", database).strip("_")
    return (plain if re.match(r"[A-Za-z]", plain) else f"s_{plain}".rstrip("_"))[:63]
