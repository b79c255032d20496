"""What the local warehouse refuses: only one of Redshift and PostgreSQL has it, or they differ in silence."""

from __future__ import annotations

from medallion_cli.local.engines.sql_lexer import Token


class UnsupportedSQL(Exception):
    """A construct outside the subset that Redshift and the local warehouse both run; the message names it."""


# Sequences of keywords, wherever they stand; "(" makes it a call, so that a column of that name is free.
_ONLY_REDSHIFT = (
    "QUALIFY",
    "MEDIAN (",
    "RATIO_TO_REPORT (",
    "PIVOT (",
    "UNPIVOT (",
    "REMOVE DUPLICATES",
    "CONNECT BY",
    "APPEND FROM",
    "ANALYZE COMPRESSION",
    "EXTERNAL SCHEMA",
    "EXTERNAL TABLE",
    "EXTERNAL FUNCTION",
    "CREATE MODEL",
    "CREATE DATASHARE",
    "LANGUAGE PLPYTHONU",
    "GROUP BY ALL",
)
_ONLY_POSTGRES = (
    "ON CONFLICT",
    "RETURNING",
    "DISTINCT ON (",
    "FILTER (",
    "LATERAL",
    "GENERATE_SERIES (",
    "CREATE INDEX",
    "CREATE UNIQUE INDEX",
    "CREATE TRIGGER",
    "CREATE EXTENSION",
    "CREATE DOMAIN",
    "CREATE SEQUENCE",
    "UNLOGGED TABLE",
    "JSONB",
    "BYTEA",
    "STRING_AGG (",
    "ARRAY_AGG (",
    "ENABLE ROW LEVEL SECURITY",
    "PERFORM",
)
_FIRST = {"UNLOAD": "UNLOAD", "DO": "DO blocks", "MSCK": "MSCK", "SAVEPOINT": "SAVEPOINT"}


def _index(phrases: tuple[str, ...], reason: str) -> dict[str, list[tuple[list[str], str]]]:
    found: dict[str, list[tuple[list[str], str]]] = {}
    for phrase in phrases:
        keys = phrase.split()
        found.setdefault(keys[0], []).append((keys, f"{phrase.removesuffix(' (')} {reason}"))
    return found


_PHRASES = _index(_ONLY_REDSHIFT, "is not supported by the local warehouse")
for _first, _entries in _index(_ONLY_POSTGRES, "does not exist on Redshift").items():
    _PHRASES.setdefault(_first, []).extend(_entries)


def refuse(tokens: list[Token]) -> None:
    """Raises UnsupportedSQL for the first refused construct of one statement."""
    if tokens[0].key in _FIRST:
        raise UnsupportedSQL(f"{_FIRST[tokens[0].key]} is not supported by the local warehouse")
    keys = [token.key for token in tokens]
    for index, key in enumerate(keys):
        if tokens[index].kind != "word" or (index and keys[index - 1] in (".", "AS")):
            continue
        for phrase, message in _PHRASES.get(key, ()):
            if keys[index : index + len(phrase)] == phrase:
                raise UnsupportedSQL(message)
        _refuse_contextual(tokens, keys, index)


def _refuse_contextual(tokens: list[Token], keys: list[str], index: int) -> None:
    following = tokens[index + 1] if index + 1 < len(tokens) else None
    counted = following is not None and following.kind == "number"
    if keys[index] == "TOP" and counted and keys[index - 1] in ("SELECT", "DISTINCT"):
        raise UnsupportedSQL("TOP is not supported by the local warehouse: write LIMIT")
    if tokens[index].text.startswith("#"):
        raise UnsupportedSQL(f"{tokens[index].text}: write CREATE TEMP TABLE rather than a # name")
