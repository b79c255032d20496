"""Redshift SQL as PostgreSQL runs it: a rewriter over tokens, also inside `$$` bodies.

Only the subset that both engines run is taken; what is known to differ is refused by name (`UnsupportedSQL`).
DDL is rewritten in `dialect_ddl`, functions and types here; the functions are in `dialect_functions.sql`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from medallion_cli.local.engines import dialect_ddl
from medallion_cli.local.engines.dialect_refused import UnsupportedSQL, refuse
from medallion_cli.local.engines.sql_lexer import (
    Token,
    arguments,
    closing,
    render,
    split,
    statements,
    tokenize,
    words,
)

__all__ = ["UnsupportedSQL", "split", "translate"]

_STARTS = {"BEGIN", "THEN", "ELSE", "LOOP"}
_NESTING = {"(": 1, "CASE": 1, ")": -1, "END": -1}
_RENAMED = {
    "NVL": "COALESCE",
    "CONCAT": "redshift_concat",
    "REGEXP_REPLACE": "redshift_regexp_replace",
    "REPLICATE": "repeat",
    "JSON_SERIALIZE": "redshift_json_serialize",
    "MD5": "redshift_md5",
}
# Redshift developer guide, "Date parts for date or timestamp functions".
_UNITS = {
    "year": ("y", "yr", "yrs", "years"),
    "quarter": ("qtr", "qtrs", "quarters"),
    "month": ("mon", "mons", "months"),
    "week": ("w", "weeks"),
    "day": ("d", "days"),
    "hour": ("h", "hr", "hrs", "hours"),
    "minute": ("m", "min", "mins", "minutes"),
    "second": ("s", "sec", "secs", "seconds"),
    "millisecond": ("ms", "msec", "msecs", "milliseconds"),
    "microsecond": ("us", "usec", "usecs", "microseconds"),
}
_PARTS = {"dow": ("dayofweek", "weekday", "dw"), "doy": ("dayofyear", "yearday", "dy"), "epoch": ()}


_SHOWN = {
    "string_agg": "listagg",
    "redshift_average": "avg",
    "redshift_hex": "strtol",
    "floor": "pgdate_part",
}


def shown_name(column: str) -> str:
    """The name Redshift gives an unnamed column, for the name of the function that stands for it here."""
    if column.startswith(("redshift_datediff_", "redshift_dateadd_")):
        return "date_diff" if "diff" in column else "date_add"
    return _SHOWN.get(column, column.removeprefix("redshift_"))


def translate(sql: str) -> list[str]:
    """PostgreSQL statements, to be run in order, for one or several Redshift statements.

    Raises UnsupportedSQL, naming the construct. A COPY from S3 comes back unchanged: `copy_parquet` runs it.
    """
    try:
        found = [translated for one in statements(tokenize(sql)) for translated in _statement(one)]
    except ValueError as error:
        raise UnsupportedSQL(f"syntax error: {error}") from None
    return [render(tokens) for tokens in found]


def _statement(tokens: list[Token]) -> list[list[Token]]:
    if tokens[0].key == "COPY":
        return [tokens]
    refuse(tokens)
    return [_expressions(one) for one in dialect_ddl.rewrite(tokens)]


def _body(token: Token) -> Token:
    """A procedure's `$$` body: each statement in it is rewritten on its own."""
    quote = token.text[: token.text.index("$", 1) + 1]
    tokens = tokenize(token.text[len(quote) : -len(quote)])
    out: list[Token] = []
    start = nested = 0
    for index, one in enumerate(tokens):
        nested = max(0, nested + _NESTING.get(one.key, 0))
        if one.text == ";" or (one.key in _STARTS and not nested):
            out += _segment(tokens[start:index])
            out.append(one)
            start, nested = index + 1, 0
    out += _segment(tokens[start:])
    return replace(token, text=f"{quote}\n{render(out)}\n{quote}")


def _segment(tokens: list[Token]) -> list[Token]:
    if not tokens:
        return []
    parts = _statement(tokens)
    semicolon = Token("op", ";")
    return [token for index, part in enumerate(parts) for token in ([semicolon] if index else []) + part]


def _expressions(tokens: list[Token]) -> list[Token]:
    """Functions, types, literals and bodies, from left to right; arguments are rewritten on the way."""
    out: list[Token] = []
    index = 0
    while index < len(tokens):
        taken, rewritten = _expression(tokens, index)
        if rewritten:
            rewritten = [replace(rewritten[0], before=tokens[index].before), *rewritten[1:]]
        out += rewritten
        index += taken
    return out


def _expression(tokens: list[Token], index: int) -> tuple[int, list[Token]]:
    """How many tokens were taken at `index`, and what stands for them."""
    token = tokens[index]
    following = tokens[index + 1].text if index + 1 < len(tokens) else ""
    qualified = index > 0 and tokens[index - 1].text == "."
    if token.kind == "dollar":
        return 1, [_body(token)]
    if token.kind == "string" and "\\" in token.text and token.text[0] == "'":
        return 1, [replace(token, text="E" + token.text)]
    if token.kind != "word" or qualified:
        return 1, [token]
    if token.key == "SYSDATE" and following != "(":
        return 1, words("sysdate()")
    if token.key == "MINUS" and following.upper() in ("SELECT", "("):
        return 1, words("EXCEPT")
    if token.key == "APPROXIMATE":
        return 1, []
    if following == "(" and (token.key in _CALLS or token.key in _RENAMED):
        return _call(tokens, index)
    return _type(tokens, index)


def _call(tokens: list[Token], index: int) -> tuple[int, list[Token]]:
    token, end = tokens[index], closing(tokens, index + 1)
    given = arguments(tokens[index + 2 : end])
    if token.key in _CALLS:
        extra, rewritten = _CALLS[token.key](given, tokens[end + 1 :])
        return end + 1 - index + extra, rewritten
    return end + 1 - index, [*words(_RENAMED[token.key]), *_parenthesised(given)]


def _parenthesised(given: list[list[Token]]) -> list[Token]:
    out = [Token("op", "(")]
    for number, argument in enumerate(given):
        out += [Token("op", ",")] if number else []
        out += _expressions(argument)
    return [*out, Token("op", ")")]


def _listagg(given: list[list[Token]], rest: list[Token]) -> tuple[int, list[Token]]:
    """LISTAGG(x [, separator]) [WITHIN GROUP (ORDER BY …)] is string_agg with the order inside."""
    separator = _expressions(given[1]) if len(given) > 1 else words("''")
    value = _expressions(given[0])
    distinct = value[:1] if value[0].key == "DISTINCT" else []
    order, taken = [], 0
    if [token.key for token in rest[:3]] == ["WITHIN", "GROUP", "("]:
        end = closing(rest, 2)
        order, taken = _expressions(rest[3:end]), end + 1
    if len(rest) > taken and rest[taken].key == "OVER":
        raise UnsupportedSQL("LISTAGG as a window function is not supported")
    cast = [*words("CAST("), *value[len(distinct) :], *words("AS VARCHAR)")]
    spaced = [replace(order[0], before=" "), *order[1:]] if order else []
    return taken, [
        *words("string_agg("),
        *distinct,
        *cast,
        Token("op", ","),
        *separator,
        *spaced,
        Token("op", ")"),
    ]


def _decode(given: list[list[Token]], _rest: list[Token]) -> tuple[int, list[Token]]:
    """DECODE compares as IS NOT DISTINCT FROM: two NULLs are equal."""
    if len(given) < 3:
        return 0, [*words("decode"), *_parenthesised(given)]
    out = words("(CASE")
    pairs, default = given[1:], given[-1] if len(given) % 2 == 0 else None
    for search, result in zip(pairs[0::2], pairs[1::2], strict=False):
        out += [
            *words("WHEN ("),
            *_expressions(given[0]),
            *words(") IS NOT DISTINCT FROM ("),
            *_expressions(search),
        ]
        out += [*words(") THEN ("), *_expressions(result), *words(")")]
    if default is not None:
        out += [*words("ELSE ("), *_expressions(default), *words(")")]
    return 0, [*out, *words("END)")]


def _nvl2(given: list[list[Token]], _rest: list[Token]) -> tuple[int, list[Token]]:
    if len(given) != 3:
        raise UnsupportedSQL("NVL2 takes three arguments")
    test, present, absent = (_expressions(argument) for argument in given)
    out = [*words("(CASE WHEN ("), *test, *words(") IS NOT NULL THEN ("), *present]
    return 0, [*out, *words(") ELSE ("), *absent, *words(") END)")]


def _extract(given: list[list[Token]], _rest: list[Token]) -> tuple[int, list[Token]]:
    """EXTRACT gives an integer on Redshift, a numeric on PostgreSQL."""
    inner = given[0]
    return 0, _whole_part(_named(inner[0], {**_UNITS, **_PARTS}), inner[2:])


def _date_part(given: list[list[Token]], _rest: list[Token]) -> tuple[int, list[Token]]:
    return 0, _whole_part(_named(given[0][0], {**_UNITS, **_PARTS}), given[1])


def _whole_part(part: str, source: list[Token]) -> list[Token]:
    kind = "BIGINT" if part in ("epoch", "microsecond", "millisecond") else "INTEGER"
    return [*words(f"CAST(floor(EXTRACT({part} FROM "), *_expressions(source), *words(f")) AS {kind})")]


def _datediff(given: list[list[Token]], _rest: list[Token]) -> tuple[int, list[Token]]:
    unit = _named(given[0][0], _UNITS)
    return 0, [*words(f"redshift_datediff_{unit}"), *_parenthesised(given[1:])]


def _dateadd(given: list[list[Token]], _rest: list[Token]) -> tuple[int, list[Token]]:
    unit = _named(given[0][0], _UNITS)
    return 0, [*words(f"redshift_dateadd_{unit}"), *_parenthesised(given[1:])]


def _named(token: Token, known: dict[str, tuple[str, ...]]) -> str:
    """The full name of a date part, given bare or quoted, possibly abbreviated."""
    said = token.text.strip("'").lower()
    for name, others in known.items():
        if said == name or said in others:
            return name
    raise UnsupportedSQL(f"date part {token.text} is not supported by the local warehouse")


def _strtol(given: list[list[Token]], _rest: list[Token]) -> tuple[int, list[Token]]:
    if len(given) == 2 and [token.text for token in given[1]] == ["16"]:
        return 0, [*words("redshift_hex"), *_parenthesised(given[:1])]
    return 0, [*words("strtol"), *_parenthesised(given)]


def _avg(given: list[list[Token]], rest: list[Token]) -> tuple[int, list[Token]]:
    """AVG keeps its argument's type: the mean and a sample of the argument go to a function of both."""
    window, taken = [], 0
    if rest and rest[0].key == "OVER":
        taken = closing(rest, 1) + 1 if rest[1].text == "(" else 2
        window = _expressions(rest[:taken])
    mean, argument = _parenthesised(given), given[0]
    sample = _parenthesised([argument[1:] if argument[0].key in ("DISTINCT", "ALL") else argument])
    both = [*words("avg"), *mean, *window, Token("op", ","), *words("max"), *sample, *window]
    return taken, [*words("redshift_average("), *both, Token("op", ")")]


_CALLS: dict[str, Callable[[list[list[Token]], list[Token]], tuple[int, list[Token]]]] = {
    "LISTAGG": _listagg,
    "DECODE": _decode,
    "NVL2": _nvl2,
    "EXTRACT": _extract,
    "DATE_PART": _date_part,
    "PGDATE_PART": _date_part,
    "DATEDIFF": _datediff,
    "DATE_DIFF": _datediff,
    "DATEADD": _dateadd,
    "DATE_ADD": _dateadd,
    "STRTOL": _strtol,
    "AVG": _avg,
}


def _type(tokens: list[Token], index: int) -> tuple[int, list[Token]]:
    """Type names that PostgreSQL has not, wherever a type can stand."""
    token = tokens[index]
    following = [one.key for one in tokens[index + 1 : index + 4]]
    parameterised = following[:1] == ["("]
    match token.key:
        case "VARCHAR" | "CHARACTER" | "NVARCHAR" | "VARYING" if following == ["(", "MAX", ")"]:
            return 4, words(f"{'VARYING' if token.key == 'VARYING' else 'VARCHAR'}(65535)")
        case "NVARCHAR" if parameterised:
            return 1, words("VARCHAR")
        case "VARBYTE" | "VARBINARY":
            return (closing(tokens, index + 1) + 1 - index if parameterised else 1), words("bytea")
        case "SUPER" if _is_cast(tokens, index):
            return 1, words("jsonb")
        case "DECIMAL" | "NUMERIC" if _is_cast(tokens, index) and not parameterised:
            return 1, words("DECIMAL(18,0)")
        case _:
            return 1, [token]


def _is_cast(tokens: list[Token], index: int) -> bool:
    before = tokens[index - 1].key if index else ""
    after = tokens[index + 1].key if index + 1 < len(tokens) else ""
    return before == "::" or (before == "AS" and after in (")", "("))
