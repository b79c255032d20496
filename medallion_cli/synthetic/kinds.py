"""The kinds of changes: update, rekey (a changed key), insert (with children), delete (with all that refers
to the row).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

from medallion_cli.errors import UsageError
from medallion_cli.synthetic.batch import Batch, Span
from medallion_cli.synthetic.facts import Column, Table, dependency_order
from medallion_cli.synthetic.generate import Rows, family, finished
from medallion_cli.synthetic.history import instant_text
from medallion_cli.synthetic.plan import count_pattern
from medallion_cli.synthetic.recipe import Recipe
from medallion_cli.synthetic.render import Text, column_texts, parsed
from medallion_cli.synthetic.rules import make_column, rule_values
from medallion_cli.synthetic.scene import Change, Row, Scene, Statement

Kind = Mapping[str, Any]
HOT_POINTS = (0.05, 0.17, 0.33, 0.41, 0.58, 0.66, 0.79, 0.93)
MOST_DELETED = 60
AGAIN: Kind = {"again": True}
CLOCK: Kind = {"clock": True}


def draw(scene: Scene, budget: int) -> list[Statement]:
    """The statements of one transaction, at most `budget` row changes; empty when the drawn kind finds no
    row.
    """
    kinds = _kinds(scene.recipe)
    kind = scene.rng.choices(kinds, [float(kind.get("weight", 1)) for kind in kinds])[0]
    statements = _made(scene, kind, budget)
    if sum(len(statement.changes) for statement in statements) <= budget:
        return statements
    updates = [kind for kind in kinds if "update" in kind] or kinds
    statements = _made(scene, scene.rng.choice(updates), budget)
    return statements if sum(len(s.changes) for s in statements) <= budget else []


def _made(scene: Scene, kind: Kind, budget: int) -> list[Statement]:
    name = next(name for name in KINDS if name in kind)
    return KINDS[name](scene, str(kind[name]), kind, budget)


def _kinds(recipe: Recipe) -> Sequence[Kind]:
    given: Sequence[Kind] = recipe.changes.get("kinds") or []
    for kind in given:
        names = [name for name in KINDS if name in kind]
        if len(names) != 1 or kind[names[0]] not in recipe.tables:
            raise UsageError(
                f"configs/synthetic.yaml: changes: one of {', '.join(KINDS)} with a table: {dict(kind)}"
            )
    return given or _default_kinds(tuple(recipe.tables.values()), recipe)


def _default_kinds(recipes: Sequence[Any], recipe: Recipe) -> list[Kind]:
    """Without a recipe: every table is updated and inserted into, and rows that nothing refers to are deleted
    too.
    """
    referred = {key.table for entry in recipes for key in entry.table.foreign_keys}
    kinds: list[Kind] = []
    for entry in recipes:
        name, table = entry.table.name, entry.table
        if _settable(table):
            kinds.append({"update": name, "weight": 6})
        if entry.each is None:
            kinds.append({"insert": name, "weight": 2})
        if name not in referred:
            kinds.append({"delete": name, "weight": 1})
            if table.sequence is not None:
                kinds.append({"rekey": name, "weight": 0.5, "column": table.sequence.name})
    return kinds


def _settable(table: Table) -> list[Column]:
    bound = {name for key in table.foreign_keys for name in key.columns} | set(table.key)
    return [c for c in table.written if c.name not in bound and not c.unique and not c.on_update]


def _rows(scene: Scene, table: str, kind: Kind, limit: int) -> list[Row]:
    """`limit` neighbouring rows at a random, a hot, or a recent point of the table."""
    facts, rng = scene.facts(table), scene.rng
    point = 1 - rng.random() ** 3 if kind.get("newest") else rng.random()
    if rng.random() < float(scene.recipe.changes.get("hot", 0.3)):
        point = rng.choice(HOT_POINTS)
    key, relation = facts.key[0], scene.relation(table)
    if not facts.by_name[key].is_integer:
        scene.cursor.execute(f"SELECT FLOOR(%s * COUNT(*)) FROM {relation}", (point,))
        offset = int(scene.cursor.fetchone()[0])
        start = f"`{key}` >= (SELECT `{key}` FROM {relation} ORDER BY `{key}` LIMIT 1 OFFSET {offset})"
        return scene.rows(table, start, (), limit)
    start = (
        f"`{key}` >= (SELECT MIN(`{key}`) + FLOOR(%s * (MAX(`{key}`) - MIN(`{key}`) + 1)) FROM {relation})"
    )
    return scene.rows(table, start, (point,), limit)


def _update(scene: Scene, table: str, kind: Kind, budget: int) -> list[Statement]:
    settings = scene.recipe.changes
    sizes = settings.get("rows") or {"1": 3, "4": 1}
    size = int(kind.get("rows") or scene.rng.choices(list(sizes), list(sizes.values()))[0])
    statements: list[Statement] = []
    for row in _rows(scene, table, kind, min(size, budget)):
        while len(statements) < budget:
            after = {**row, **_new_values(scene, table, kind, row)}
            if after != row:
                statements.append(_updated(scene, table, row, after))
            row = after
            if scene.rng.random() >= float(settings.get("repeat", 0.15)):
                break
    return statements


def _updated(scene: Scene, table: str, before: Row, after: Row) -> Statement:
    facts = scene.facts(table)
    stamped = {column.name for column in facts.written if column.on_update}  # else the server sets them
    changed = {name: value for name, value in after.items() if value != before[name] or name in stamped}
    key, old = _key(facts, after), _key(facts, before)
    sets = ", ".join(f"`{name}` = {_placeholder(facts, name)}" for name in changed)
    condition = " AND ".join(f"`{name}` = %s" for name in old)
    return scene.statement(
        f"UPDATE {scene.relation(table)} SET {sets} WHERE {condition}",
        [*changed.values(), *old.values()],
        Change("U", table, key, after, old if key != old else None),
    )


def _key(facts: Table, row: Row) -> dict[str, Text]:
    return {name: row[name] for name in facts.key}


def _placeholder(facts: Table, name: str) -> str:
    return "CAST(%s AS UNSIGNED)" if facts.by_name[name].base == "bit" else "%s"


def _new_values(scene: Scene, table: str, kind: Kind, row: Row) -> Row:
    facts = scene.facts(table)
    chosen: Mapping[str, Kind] = kind.get("set") or {}
    if not chosen:
        settable = _settable(facts)
        chosen = {
            c.name: AGAIN for c in scene.rng.sample(settable, min(len(settable), scene.rng.randint(1, 2)))
        }
    chosen = {**{c.name: CLOCK for c in facts.written if c.on_update}, **chosen}
    instant = scene.tick()
    return {name: _new_value(scene, facts, name, how, row, instant) for name, how in chosen.items()}


def _new_value(scene: Scene, facts: Table, name: str, how: Kind, row: Row, instant: int) -> Text:
    column, current = facts.by_name[name], row[name]
    match how:
        case {"clock": _}:
            return instant_text(instant, column.scale)
        case {"next": steps}:
            weights = steps.get(current) or {current: 1}
            return str(scene.rng.choices(list(weights), list(weights.values()))[0])
        case {"scaled": [low, high]}:
            factor = Decimal(str(round(float(low) + scene.rng.random() * (float(high) - float(low)), 4)))
            unit = Decimal(1).scaleb(-column.scale)
            return str((Decimal(str(current or 0)) * factor).quantize(unit, ROUND_HALF_UP))
        case {"again": _}:
            return _again(scene, facts, column, row, instant)
        case _:
            raise UsageError(
                f"configs/synthetic.yaml: changes: {name}: one of clock, next, scaled, again; not {dict(how)}"
            )


def _again(scene: Scene, facts: Table, column: Column, row: Row, instant: int) -> Text:
    """A new value by the column's own rule, as for a new row whose other columns are the row's."""
    recipe = scene.recipe.tables[facts.name]
    sequence = facts.sequence
    ordinal = int(str(row[sequence.name])) if sequence else 1
    batch = Batch(
        scene.recipe,
        recipe,
        f"{scene.salt}/{instant}",
        Span(ordinal, 1),
        scene.lookups,
        instant,
        owner=[0],
        line=[0],
    )
    batch.columns = {name: [parsed(facts.by_name[name], value)] for name, value in row.items()}
    for name, rule in recipe.rules.items():
        if name.startswith("_"):
            make_column(batch, name, rule, None)
    return column_texts(column, rule_values(batch, column.name, recipe.rules[column.name], column))[0]


def _rekey(scene: Scene, table: str, kind: Kind, budget: int) -> list[Statement]:
    facts, column, within = scene.facts(table), str(kind["column"]), kind.get("within")
    statements = []
    for row in _rows(scene, table, kind, 1):
        if within:
            condition = f"`{within}` = %s"
            siblings = scene.rows(table, condition, (row[within],), 1000)
            new = max(int(str(sibling[column])) for sibling in siblings) + 1
        else:
            new = scene.next_key(table)
        if new <= facts.by_name[column].largest:
            touched = {c.name: instant_text(scene.tick(), c.scale) for c in facts.written if c.on_update}
            statements.append(_updated(scene, table, row, {**row, **touched, column: str(new)}))
    return statements


def _insert(scene: Scene, table: str, kind: Kind, budget: int) -> list[Statement]:
    recipe, count = scene.recipe, int(kind.get("rows", 1))
    counts = {
        child.table.name: [scene.rng.choice(count_pattern(child)) for _ in range(count)]
        for child in recipe.children(table)
    }
    scene.foresee([table, *counts])
    firsts = {name: scene.next_key(name, sum(numbers)) for name, numbers in counts.items()}
    first = scene.next_key(table, count) if scene.facts(table).sequence else scene.rng.randrange(2**40)
    span = Span(first, count)
    batches = family(
        recipe, recipe.tables[table], scene.salt, span, counts, firsts, scene.lookups, scene.tick()
    )
    made = [finished(batch) for batch in batches]
    fits = all(_fits(scene, rows) for rows in made)
    return [_inserted(scene, rows) for rows in made if rows.count] if fits else []


def _fits(scene: Scene, rows: Rows) -> bool:
    """False when a parent is missing, or the key is out of room."""
    facts = scene.facts(rows.table)
    for name, texts in zip(rows.columns, rows.texts, strict=True):
        column = facts.by_name[name]
        if None in texts and not column.nullable:
            return False
        if name in facts.key and column.is_integer and any(int(str(text)) > column.largest for text in texts):
            return False
    return True


def _inserted(scene: Scene, rows: Rows) -> Statement:
    facts = scene.facts(rows.table)
    names = ", ".join(f"`{name}`" for name in rows.columns)
    one = f"({', '.join(_placeholder(facts, name) for name in rows.columns)})"
    made = [dict(zip(rows.columns, values, strict=True)) for values in zip(*rows.texts, strict=True)]
    return scene.statement(
        f"INSERT INTO {scene.relation(rows.table)} ({names}) VALUES {', '.join([one] * len(made))}",
        [value for row in made for value in row.values()],
        *(Change("I", rows.table, _key(facts, row), row) for row in made),
    )


def _delete(scene: Scene, table: str, kind: Kind, budget: int) -> list[Statement]:
    doomed: dict[str, dict[str, Row]] = {}
    loose: list[tuple[str, tuple[str, ...], Row]] = []
    _doom(scene, table, _rows(scene, table, kind, int(kind.get("rows", 1))), doomed, loose)
    if sum(map(len, doomed.values())) > MOST_DELETED:
        return []
    statements = _loosened(scene, doomed, loose)
    for name in reversed(_order(scene.recipe)):
        if doomed.get(name):
            statements.append(_deleted(scene, name, list(doomed[name].values())))
    return statements


def _identity(facts: Table, row: Row) -> str:
    return json.dumps([str(row[name]) for name in facts.key])


def _doom(
    scene: Scene, table: str, rows: list[Row], doomed: dict[str, dict[str, Row]], loose: list[Any]
) -> None:
    """Collect the rows and, table by table, what refers to them: deleted too, or (nullable references) let
    loose.
    """
    facts, known = scene.facts(table), doomed.setdefault(table, {})
    fresh = [row for row in rows if _identity(facts, row) not in known]
    known.update({_identity(facts, row): row for row in fresh})
    if not fresh or sum(map(len, doomed.values())) > MOST_DELETED:
        return
    for child in scene.recipe.tables.values():
        for reference in child.table.foreign_keys:
            if reference.table != table:
                continue
            found = _referring(scene, child.table.name, reference.columns, reference.references, fresh)
            if all(child.table.by_name[name].nullable for name in reference.columns):
                loose.extend((child.table.name, reference.columns, row) for row in found)
            else:
                _doom(scene, child.table.name, found, doomed, loose)


def _referring(
    scene: Scene, child: str, columns: Sequence[str], references: Sequence[str], rows: Sequence[Row]
) -> list[Row]:
    one = " AND ".join(f"`{name}` = %s" for name in columns)
    condition = " OR ".join([f"({one})"] * len(rows))
    values = [row[name] for row in rows for name in references]
    return scene.rows(child, condition, values, MOST_DELETED + 1)


def _loosened(scene: Scene, doomed: Mapping[str, Mapping[str, Row]], loose: Sequence[Any]) -> list[Statement]:
    latest: dict[tuple[str, str], tuple[Row, Row]] = {}
    for table, columns, row in loose:
        identity = _identity(scene.facts(table), row)
        if identity not in doomed.get(table, {}):
            before, after = latest.get((table, identity), (row, row))
            latest[table, identity] = (before, {**after, **dict.fromkeys(columns)})
    statements = []
    for (table, _), (before, after) in latest.items():
        touched = {
            c.name: instant_text(scene.tick(), c.scale) for c in scene.facts(table).written if c.on_update
        }
        statements.append(_updated(scene, table, before, {**after, **touched}))
    return statements


def _deleted(scene: Scene, table: str, rows: Sequence[Row]) -> Statement:
    facts = scene.facts(table)
    one = " AND ".join(f"`{name}` = %s" for name in facts.key)
    return scene.statement(
        f"DELETE FROM {scene.relation(table)} WHERE {' OR '.join([f'({one})'] * len(rows))}",
        [row[name] for row in rows for name in facts.key],
        *(Change("D", table, _key(facts, row), None) for row in rows),
    )


def _order(recipe: Recipe) -> tuple[str, ...]:
    return _cached_order(tuple(entry.table for entry in recipe.tables.values()))


@lru_cache(maxsize=8)
def _cached_order(tables: tuple[Table, ...]) -> tuple[str, ...]:
    return dependency_order({table.name: table for table in tables})


KINDS: dict[str, Callable[[Scene, str, Kind, int], list[Statement]]] = {
    "update": _update,
    "rekey": _rekey,
    "insert": _insert,
    "delete": _delete,
}
