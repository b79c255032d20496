"""The rules of a column: each makes all values of one column of a batch at once.

A rule is `(batch, argument, column, rng) -> values`; RULES names them as the recipe does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from itertools import accumulate
from random import Random
from typing import Any

from medallion_cli.synthetic.batch import Batch, Values
from medallion_cli.synthetic.facts import Column
from medallion_cli.synthetic.history import DAY, HOUR, day_text
from medallion_cli.synthetic.recipe import FUNCTIONS, Rule, formula_names, rule_of
from medallion_cli.synthetic.text import AWKWARD_RULES, text_values

RuleFunction = Callable[[Batch, Any, Column | None, Random], Values]
_NUMERIC = frozenset(
    [
        "tinyint",
        "smallint",
        "mediumint",
        "int",
        "integer",
        "bigint",
        "decimal",
        "numeric",
        "float",
        "double",
        "real",
        "bit",
        "year",
    ]
)


def make_column(batch: Batch, name: str, rule: Rule, column: Column | None) -> None:
    """Make one column of the batch by its rule and modifiers."""
    batch.columns[name] = rule_values(batch, name, rule, column)


def rule_values(batch: Batch, purpose: str, rule: Rule, column: Column | None) -> Values:
    """The values of one rule, its modifiers applied and texts cut to the column's length."""
    rule_name, argument = rule_of(rule)
    values = RULES[rule_name](batch, argument, column, batch.random(purpose))
    for modifier, change in AWKWARD_RULES.items():
        if modifier in rule:
            values = change(values, float(rule[modifier]), batch.random(f"{purpose}/{modifier}"))
    if "null" in rule:
        draw, rate = batch.random(f"{purpose}/null").random, float(rule["null"])
        values = [None if draw() < rate else value for value in values]
    return _cut(values, column)


def _cut(values: Values, column: Column | None) -> Values:
    if column is None or column.base not in ("char", "varchar", "tinytext"):
        return values
    length = column.length if column.base != "tinytext" else 60
    return [v[:length] if isinstance(v, str) and len(v) > length else v for v in values]


def _sequence(batch: Batch, argument: Any, column: Column | None, rng: Random) -> Values:
    return list(range(batch.span.first, batch.span.first + batch.span.rows))


def _line(batch: Batch, argument: Any, column: Column | None, rng: Random) -> Values:
    return [line + int(argument) for line in batch.line]


def _parent(batch: Batch, argument: Any, column: Column | None, rng: Random) -> Values:
    return batch.values(f"parent.{argument}")


def _pair(batch: Batch, argument: Mapping[str, Any], column: Column | None, rng: Random) -> Values:
    if batch.pairs is None:
        table = batch.table.table
        parts = list(zip(table.key, argument["tables"], strict=True))
        batch.pairs = batch.lookups.pairs(table.name, parts, batch.span.rows, batch.random("pairs"))
    return [pair[argument["position"]] for pair in batch.pairs]


def _choice(batch: Batch, argument: Any, column: Column | None, rng: Random) -> Values:
    options, edges = _options(json.dumps(argument), column is None or column.base in _NUMERIC)
    return rng.choices(options, cum_weights=edges, k=batch.span.rows)


@lru_cache(maxsize=256)
def _options(argument: str, numeric: bool) -> tuple[tuple[Any, ...], tuple[float, ...]]:
    parsed = json.loads(argument)
    weights = parsed if isinstance(parsed, dict) else dict.fromkeys(map(str, parsed), 1)
    options = tuple(_literal(option) if numeric else option for option in weights)
    return options, tuple(accumulate(float(weight) for weight in weights.values()))


def _literal(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _by(batch: Batch, argument: Mapping[str, Any], column: Column | None, rng: Random) -> Values:
    chosen = {
        value: _choice(batch, weights, column, batch.random(f"by/{value}"))
        for value, weights in {**argument["values"], None: argument["otherwise"]}.items()
    }
    deciding = batch.values(argument["column"])
    return [chosen.get(value, chosen[None])[i] for i, value in enumerate(deciding)]


def _text(batch: Batch, argument: str, column: Column | None, rng: Random) -> Values:
    return text_values(batch, argument, rng)


def _reference(batch: Batch, argument: Mapping[str, Any], column: Column | None, rng: Random) -> Values:
    exponent, draw = float(argument.get("skew", 1.0)), rng.random
    fractions = [draw() ** exponent for _ in range(batch.span.rows)]
    if argument.get("older") and batch.clock is None:
        total, position = batch.span.total, batch.span.position
        fractions = [f * (position + i) / total for i, f in enumerate(fractions)]
    referred = batch.table.table.reference(column.name) if column is not None else None
    key = referred.references[0] if referred else batch.recipe.tables[argument["table"]].table.key[0]
    return batch.lookups.pick(argument["table"], key, fractions, bool(argument.get("scatter")))


def _owned(batch: Batch, argument: Mapping[str, Any], column: Column | None, rng: Random) -> Values:
    by = argument["by"]
    return batch.lookups.owned(argument["table"], by, batch.values(by))


def _copied(batch: Batch, argument: Mapping[str, Any], column: Column | None, rng: Random) -> Values:
    referred = batch.table.table.reference(argument["from"])
    if referred is None:
        raise ValueError(f"{batch.table.table.name}: copied.from {argument['from']} references no table")
    keys = batch.values(argument["from"])
    return batch.lookups.values(referred.table, referred.references[0], argument["column"], keys)


def _integer(batch: Batch, argument: Mapping[str, Any], column: Column | None, rng: Random) -> Values:
    low, high, draw = int(argument["low"]), int(argument["high"]), rng.random
    return [low + int(draw() * (high - low + 1)) for _ in range(batch.span.rows)]


def _decimal(batch: Batch, argument: Mapping[str, Any], column: Column | None, rng: Random) -> Values:
    low, high, scale, draw = (
        float(argument["low"]),
        float(argument["high"]),
        int(argument.get("scale", 2)),
        rng.random,
    )
    return [round(low + draw() * (high - low), scale) for _ in range(batch.span.rows)]


def _lognormal(batch: Batch, argument: Mapping[str, Any], column: Column | None, rng: Random) -> Values:
    medians = argument["median"]
    medians = batch.values(medians) if isinstance(medians, str) else [medians] * batch.span.rows
    sigma, low, high = float(argument["sigma"]), float(argument["low"]), float(argument["high"])
    values = [min(high, max(low, float(m) * rng.lognormvariate(0, sigma))) for m in medians]
    if "ending" not in argument:
        return [round(value, 2) for value in values]
    endings = rng.choices(argument["ending"], k=batch.span.rows)
    return [max(low, int(value) + float(e)) for value, e in zip(values, endings, strict=True)]


def _formula(batch: Batch, argument: str, column: Column | None, rng: Random) -> Values:
    values = evaluate(batch, argument)
    return [round(v, column.scale) for v in values] if column is not None and column.scale else values


def evaluate(batch: Batch, expression: str) -> Values:
    """The expression's value for each row; names are columns, `parent.x` the parent's."""
    names = formula_names(expression)
    row = _compiled(expression, names)
    return list(map(row, *(batch.values(name) for name in names)))


@lru_cache(maxsize=256)
def _compiled(expression: str, names: tuple[str, ...]) -> Callable[..., Any]:
    arguments = {name: name.replace(".", "__") for name in names}
    for name, argument in arguments.items():
        expression = expression.replace(name, argument)
    function: Callable[..., Any] = eval(  # formula_names has let only arithmetic through
        f"lambda {', '.join(arguments.values())}: {expression}", {"__builtins__": {}, **FUNCTIONS}
    )
    return function


def _sum(batch: Batch, argument: Mapping[str, Any], column: Column | None, rng: Random) -> Values:
    """The sum over the parent's rows of a sibling table, split evenly (to the cent) over this table's rows of
    that parent.
    """
    sibling = batch.siblings[argument["of"]]
    totals: dict[int, float] = {}
    for owner, value in zip(sibling.owner, evaluate(sibling, argument["value"]), strict=True):
        totals[owner] = totals.get(owner, 0.0) + value
    shares: dict[int, int] = {}
    for owner in batch.owner:
        shares[owner] = shares.get(owner, 0) + 1
    parts = []
    for owner, line in zip(batch.owner, batch.line, strict=True):
        total, share = totals.get(owner, 0.0), shares[owner]
        parts.append(round(round(total * (line + 1) / share, 2) - round(total * line / share, 2), 2))
    return parts


def _timestamp(batch: Batch, argument: Any, column: Column | None, rng: Random) -> Values:
    if batch.clock is not None:
        return [batch.clock] * batch.span.rows
    return list(batch.recipe.history.instants(batch.quantiles(rng), rng))


def _after(batch: Batch, argument: Mapping[str, Any], column: Column | None, rng: Random) -> Values:
    """Later than another column by an exponential wait (mean a third of `hours`), never after the history's
    end.
    """
    limit = max(batch.recipe.history.end, batch.clock or 0)
    scale, draw = float(argument["hours"]) * HOUR / 3, rng.expovariate
    return [
        None if start is None else max(start, min(limit, start + int(draw(1.0) * scale)))
        for start in batch.values(argument["column"])
    ]


def _date(batch: Batch, argument: Mapping[str, Any], column: Column | None, rng: Random) -> Values:
    epoch = date(1970, 1, 1)
    low, high = ((date.fromisoformat(argument[end]) - epoch).days for end in ("from", "to"))
    draw = rng.random
    return [day_text(low + int(draw() * (high - low + 1))) for _ in range(batch.span.rows)]


def _time(batch: Batch, argument: Any, column: Column | None, rng: Random) -> Values:
    return [int(rng.random() * DAY) for _ in range(batch.span.rows)]


def _json(batch: Batch, argument: Mapping[str, Rule], column: Column | None, rng: Random) -> Values:
    members = [_member(batch, name, rule, rng) for name, rule in argument.items()]
    objects = [dict(zip(argument, row, strict=True)) for row in zip(*members, strict=True)]
    return objects if column is None else [json.dumps(entry, ensure_ascii=False) for entry in objects]


def _member(batch: Batch, name: str, rule: Rule, rng: Random) -> Values:
    return rule_values(batch, f"{name}/{rng.random()}", rule, None)


def _list(batch: Batch, argument: Mapping[str, Any], column: Column | None, rng: Random) -> Values:
    low, high = int(argument["low"]), int(argument["high"])
    made = [_member(batch, str(i), argument["of"], rng) for i in range(high)]
    return [[made[i][row] for i in range(rng.randint(low, high))] for row in range(batch.span.rows)]


def _hex(batch: Batch, argument: int, column: Column | None, rng: Random) -> Values:
    bits, digits = int(argument) * 4, int(argument)
    return [f"{rng.getrandbits(bits):0{digits}x}" for _ in range(batch.span.rows)]


def _bytes(batch: Batch, argument: int, column: Column | None, rng: Random) -> Values:
    return [rng.randbytes(rng.randint(0, int(argument))) for _ in range(batch.span.rows)]


def _constant(batch: Batch, argument: Any, column: Column | None, rng: Random) -> Values:
    return [argument] * batch.span.rows


RULES: dict[str, RuleFunction] = {
    "sequence": _sequence,
    "line": _line,
    "parent": _parent,
    "pair": _pair,
    "choice": _choice,
    "by": _by,
    "text": _text,
    "reference": _reference,
    "owned": _owned,
    "copied": _copied,
    "integer": _integer,
    "decimal": _decimal,
    "lognormal": _lognormal,
    "formula": _formula,
    "sum": _sum,
    "timestamp": _timestamp,
    "after": _after,
    "date": _date,
    "time": _time,
    "json": _json,
    "list": _list,
    "hex": _hex,
    "bytes": _bytes,
    "constant": _constant,
}
