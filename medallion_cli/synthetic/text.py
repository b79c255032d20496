"""Text from templates such as `{first_name|ascii}.{last_name|ascii}{ordinal}@{mail_domains}`, and text that
hurts.

A placeholder is a column made before, a word list of the vocabulary, or `ordinal` (the row's number in its
table).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import repeat
from random import Random
from string import Formatter

from medallion_cli.synthetic.batch import Batch, Values
from medallion_cli.synthetic.vocabulary import words


def text_values(batch: Batch, template: str, rng: Random) -> Values:
    """One text a row from the template."""
    parts = [
        part
        for literal, name, filters in _parsed(template)
        for part in _parts(batch, literal, name, filters, rng)
    ]
    if len(parts) == 1:
        return list(parts[0])
    return list(map("".join, zip(*parts, strict=False)))


@lru_cache(maxsize=512)
def _parsed(template: str) -> tuple[tuple[str, str | None, str], ...]:
    return tuple((literal, name, spec or "") for literal, name, spec, _ in Formatter().parse(template))


def _parts(batch: Batch, literal: str, name: str | None, spec: str, rng: Random) -> list[Iterable[str]]:
    parts: list[Iterable[str]] = [repeat(literal, batch.span.rows)] if literal else []
    if name is not None:
        name, _, wanted = name.partition("|")
        parts.append(_filtered(_placeholder(batch, name, spec, rng), wanted))
    return parts


def _placeholder(batch: Batch, name: str, spec: str, rng: Random) -> Values:
    rows = batch.span.rows
    if name in batch.columns or name.startswith("parent."):
        return [format(value, spec) if value is not None else "" for value in batch.values(name)]
    if name == "ordinal":
        return [format(ordinal, spec) for ordinal in range(batch.span.first, batch.span.first + rows)]
    return rng.choices(words(name), k=rows)


def _filtered(values: Values, name: str) -> Values:
    match name:
        case "":
            return values
        case "ascii":
            return [ascii_word(value) for value in values]
        case "lower":
            return [value.lower() for value in values]
        case "upper":
            return [value.upper() for value in values]
        case _:
            raise ValueError(f"no text filter {name!r}: ascii, lower or upper")


@lru_cache(maxsize=65536)
def ascii_word(text: str) -> str:
    """Lower-case ASCII letters and digits of a text; `user` when none are left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "".join(c for c in plain if c.isalnum()) or "user"


def _some(values: Values, rate: float, rng: Random, change: Callable[[str], str]) -> Values:
    draw = rng.random
    return [change(value) if draw() < rate and isinstance(value, str) else value for value in values]


def _awkward(values: Values, rate: float, rng: Random) -> Values:
    nasty = words("awkward")
    return _some(
        values, rate, rng, lambda v: rng.choice(nasty) if rng.random() < 0.5 else f"{v} {rng.choice(nasty)}"
    )


def _empty(values: Values, rate: float, rng: Random) -> Values:
    return _some(values, rate, rng, lambda v: "")


def _padded(values: Values, rate: float, rng: Random) -> Values:
    return _some(values, rate, rng, lambda v: f" {v}  ")


def _awkward_case(values: Values, rate: float, rng: Random) -> Values:
    return _some(values, rate, rng, str.upper)


AWKWARD_RULES: dict[str, Callable[[Values, float, Random], Values]] = {
    "awkward": _awkward,
    "empty": _empty,
    "awkward_case": _awkward_case,
    "padded": _padded,
}
