"""The recipe: which share of the rows each table gets, how each column's values are made, which changes
happen.

A recipe is the JSON form of `configs/synthetic.yaml`. What it leaves out is filled in here from the tables'
own facts, so that any schema can be seeded; what contradicts them is an error that names the table and the
column.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from medallion_cli.errors import UsageError
from medallion_cli.synthetic.facts import BINARIES, TEXTS, Column, Table, dependency_order
from medallion_cli.synthetic.history import History, microseconds

Rule = Mapping[str, Any]
MODIFIERS = frozenset({"null", "empty", "awkward", "awkward_case", "padded"})
RULES = frozenset(
    [
        "sequence",
        "line",
        "parent",
        "choice",
        "by",
        "text",
        "reference",
        "owned",
        "copied",
        "integer",
        "decimal",
        "lognormal",
        "formula",
        "sum",
        "timestamp",
        "after",
        "date",
        "time",
        "json",
        "list",
        "hex",
        "bytes",
        "constant",
        "pair",
    ]
)
DEPTH_FACTOR = 3  # without a recipe, a table has this many times the rows of the tables it refers to


@dataclass(frozen=True)
class TableRecipe:
    """One table: its columns' rules in the order they are made, and where its rows come from."""

    table: Table
    rules: dict[str, Rule]
    share: float
    at_least: int
    each: str | None = None
    count: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Recipe:
    """Everything the generator knows, with the tables in loading order: parents first."""

    tables: dict[str, TableRecipe]
    history: History
    changes: Mapping[str, Any]

    def children(self, name: str) -> tuple[TableRecipe, ...]:
        """The tables whose rows are made together with each row of `name`."""
        return tuple(recipe for recipe in self.tables.values() if recipe.each == name)

    @property
    def roots(self) -> tuple[TableRecipe, ...]:
        """The tables that are planned by themselves, parents first."""
        return tuple(recipe for recipe in self.tables.values() if recipe.each is None)


def jsonable(node: Any) -> Any:
    """A YAML document as JSON: keys as text (YAML reads `null:` and `true:` as values), dates in ISO form."""
    match node:
        case dict():
            return {_key(key): jsonable(value) for key, value in node.items()}
        case list() | tuple():
            return [jsonable(value) for value in node]
        case datetime() | date():
            return node.isoformat()
        case _:
            return node


def _key(key: Any) -> str:
    match key:
        case None:
            return "null"
        case bool():
            return "true" if key else "false"
        case _:
            return str(key)


def build_recipe(document: Mapping[str, Any], tables: Mapping[str, Table]) -> Recipe:
    """The recipe for `tables` (facts by name); UsageError for an entry that fits no table, column or rule."""
    entries: Mapping[str, Any] = document.get("tables") or {}
    for name in entries:
        if name not in tables:
            raise UsageError(f"configs/synthetic.yaml: tables.{name} is not a table of the pipeline")
    facts = dict(tables)
    depths = _depths(facts)
    spare = max(0.0, 1.0 - sum(float(entry.get("share", 0)) for entry in entries.values()))
    weights = {name: DEPTH_FACTOR ** depths[name] for name in facts if name not in entries}
    recipes = {}
    for name in dependency_order(facts):
        default = spare * weights[name] / sum(weights.values()) if name in weights else 0.0
        recipes[name] = _table(facts[name], entries.get(name) or {}, default)
    _check_families(recipes)
    return Recipe(recipes, _history(document.get("history") or {}), document.get("changes") or {})


def _table(table: Table, entry: Mapping[str, Any], share: float) -> TableRecipe:
    where = f"configs/synthetic.yaml: tables.{table.name}"
    given: Mapping[str, Any] = entry.get("columns") or {}
    rules: dict[str, Rule] = {}
    paired = _pairs(table) if not given else {}
    for column in table.written:
        if column.name not in given:
            rules[column.name] = paired.get(column.name) or default_rule(table, column)
    for name, rule in given.items():
        if name not in table.by_name and not name.startswith("_"):
            raise UsageError(f"{where}.columns.{name}: {table.name} has no such column")
        check_rule(f"{where}.columns.{name}", rule)
        rules[name] = rule
    weights = tuple((int(number), float(weight)) for number, weight in (entry.get("count") or {}).items())
    each = entry.get("each")
    if each is not None and not weights:
        raise UsageError(f"{where}: `each` needs `count`, such as {{1: 80, 2: 20}}")
    return TableRecipe(
        table, rules, float(entry.get("share", share)), int(entry.get("at_least", 1)), each, weights
    )


def check_rule(where: str, rule: Any) -> None:
    """UsageError unless `rule` is exactly one known rule and known modifiers."""
    if not isinstance(rule, Mapping):
        raise UsageError(f"{where}: a rule is a mapping such as {{text: …}}")
    names = [name for name in rule if name not in MODIFIERS]
    if len(names) != 1 or names[0] not in RULES:
        raise UsageError(f"{where}: expected one rule of {', '.join(sorted(RULES))}; found {', '.join(rule)}")


def rule_of(rule: Rule) -> tuple[str, Any]:
    """The rule's name and argument, without its modifiers."""
    return next((name, value) for name, value in rule.items() if name not in MODIFIERS)


def _check_families(recipes: Mapping[str, TableRecipe]) -> None:
    for name, recipe in recipes.items():
        if recipe.each is None:
            continue
        parent = recipes.get(recipe.each)
        if parent is None or parent.each is not None:
            raise UsageError(
                f"configs/synthetic.yaml: tables.{name}.each: {recipe.each} must be a table without `each`"
            )


def _depths(tables: Mapping[str, Table]) -> dict[str, int]:
    depths: dict[str, int] = {}
    for name in dependency_order(dict(tables)):
        parents = [
            depths[k.table] for k in tables[name].foreign_keys if k.table in depths and k.table != name
        ]
        depths[name] = 1 + max(parents, default=-1)
    return depths


def _history(entry: Mapping[str, Any]) -> History:
    return History.of(
        _instant(entry.get("from", "2023-01-01")),
        _instant(entry.get("to", "2026-06-30")),
        growth=float(entry.get("growth", 1.0)),
        months=tuple(entry.get("months") or [1.0] * 12),
        weekdays=tuple(entry.get("weekdays") or [1.0] * 7),
        hours=tuple(entry.get("hours") or [1.0] * 24),
    )


def _instant(text: str) -> int:
    return microseconds(datetime.combine(date.fromisoformat(str(text)), time(), UTC))


def _pairs(table: Table) -> dict[str, Rule]:
    """Rules of a composite key made of references: the combinations of the parents' keys, each once."""
    if len(table.key) < 2:
        return {}
    parts = [(name, table.reference(name)) for name in table.key]
    tables = [key.table if key else None for _, key in parts]
    return {name: {"pair": {"position": i, "tables": tables}} for i, (name, _) in enumerate(parts)}


def default_rule(table: Table, column: Column) -> Rule:
    """A rule that fits a column without a recipe: its key, its reference, or its type."""
    if table.sequence is not None and table.sequence.name == column.name:
        return {"sequence": {}}
    reference = table.reference(column.name)
    if reference is not None:
        rule: dict[str, Any] = {"reference": {"table": reference.table, "skew": 1.4}}
        if reference.table == table.name and column.nullable:
            rule["null"] = 0.5
    else:
        rule = dict(_typed_rule(column, column.unique or column.name in table.key))
        if column.nullable:
            rule["null"] = 0.1
    return rule


def _typed_rule(column: Column, unique: bool) -> Rule:
    base = column.base
    if unique and (column.is_integer or base in TEXTS):
        return {"sequence": {}} if column.is_integer else {"text": _unique_text(column)}
    if column.is_integer:
        booleans = column.type.lower().startswith("tinyint(1)")
        return {"integer": {"low": 0, "high": 1 if booleans else min(column.largest, 1000)}}
    if base in TEXTS:
        return {"text": "{words}" if column.length < 40 else "{sentences}", **_awkward(column)}
    if base in BINARIES:
        return {"bytes": min(column.length, 48)}
    return _other_rule(column)


def _awkward(column: Column) -> Rule:
    return {"awkward": 0.01} if column.length >= 45 and column.base != "char" else {}


def _unique_text(column: Column) -> str:
    return "{words}-{ordinal}" if column.length >= 30 else "{ordinal}"


def _other_rule(column: Column) -> Rule:
    match column.base:
        case "decimal" | "numeric":
            digits = int(column.arguments[0]) - column.scale if column.arguments else 10
            high = min(10**digits - 1, 500)
            return {"decimal": {"low": 0, "high": high, "scale": column.scale}}
        case "float" | "double" | "real":
            return {"decimal": {"low": 0, "high": 1000, "scale": 2}}
        case "datetime" | "timestamp":
            return {"timestamp": "history"}
        case "date":
            return {"date": {"from": "2000-01-01", "to": "2025-12-31"}}
        case "time":
            return {"time": {}}
        case "year":
            return {"integer": {"low": 1990, "high": 2026}}
        case "enum":
            return {"choice": list(column.arguments)}
        case "set":
            options = column.arguments
            return {"choice": [",".join(options[:n]) for n in range(1, len(options) + 1)]}
        case "bit":
            return {"integer": {"low": 0, "high": 2**column.length - 1}}
        case "json":
            return {"json": {"word": {"text": "{words}"}, "number": {"integer": {"low": 0, "high": 99}}}}
        case _:
            raise UsageError(
                f"column {column.name} {column.type}: no rule fits it; give it one in configs/synthetic.yaml"
            )


_NAMES = re.compile(r"\b(?:parent\.)?[A-Za-z_]\w*")
_ALLOWED = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.Constant, ast.Name, ast.Load, ast.Call, ast.Compare,
    ast.IfExp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv,
    ast.Mod, ast.USub, ast.Eq, ast.NotEq, ast.Lt, ast.LtE,
    ast.Gt, ast.GtE, ast.Attribute,
)  # fmt: skip
FUNCTIONS = {"round": round, "min": min, "max": max, "abs": abs}


def formula_names(expression: str) -> tuple[str, ...]:
    """The columns an arithmetic expression uses (`parent.x` for the parent's); UsageError for anything but
    arithmetic.
    """
    try:
        tree = ast.parse(expression, mode="eval")
    except SyntaxError as error:
        raise UsageError(f"formula {expression!r}: {error.msg}") from error
    for node in ast.walk(tree):
        called_wrong = isinstance(node, ast.Call) and getattr(node.func, "id", None) not in FUNCTIONS
        attribute_wrong = isinstance(node, ast.Attribute) and getattr(node.value, "id", None) != "parent"
        text_wrong = isinstance(node, ast.Constant) and not isinstance(node.value, int | float | str)
        if not isinstance(node, _ALLOWED) or called_wrong or attribute_wrong or text_wrong:
            raise UsageError(
                f"formula {expression!r}: only arithmetic over columns, and {', '.join(FUNCTIONS)}"
            )
    names = dict.fromkeys(_NAMES.findall(re.sub(r"'[^']*'|\"[^\"]*\"", "", expression)))
    return tuple(name for name in names if name not in FUNCTIONS and name not in ("if", "else", "parent"))
