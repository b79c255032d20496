"""Where tables and columns come from and go to: source, gold, views, visuals; read from the specification and its SELECTs."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import UsageError

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.dashboard import Dashboard
    from medallion_cli.spec import Model, Pipeline

SPANS = ("_from", "_to", "_deleted")  # what an scd2 SELECT sees beside the source's columns
_CREATES_TABLE = re.compile(r"(?im)^\s*CREATE\s+TABLE\b")
Shapes = Mapping[str, Iterable[str]]  # relation → columns
Origins = dict[str, frozenset[tuple[str, str]]]  # column → (relation, column) of those that it is made of
Edge = tuple[str, str]


@dataclass(frozen=True)
class Node:
    """A table, model, view or visual; `id` is `source.orders`, `gold.fact_sales` or `dashboard.revenue_by_brand`."""

    id: str
    what: str  # a source table; a model's kind; view; a visual's kind
    columns: tuple[str, ...] = ()

    @property
    def layer(self) -> str:
        """source, gold or dashboard."""
        return self.id.partition(".")[0]

    @property
    def name(self) -> str:
        """Its own name."""
        return self.id.partition(".")[2]


@dataclass(frozen=True)
class Graph:
    """All of them; an edge of columns is (`source.orders.status`, `gold.fact_sales.status`)."""

    nodes: Mapping[str, Node]
    edges: Mapping[Edge, str]  # why: what the SELECT reads, a lookup, an aggregate
    columns: frozenset[Edge] = frozenset()
    unread: tuple[str, ...] = field(default=())  # what could not be read, and why


def lineage(pipeline: Pipeline, assets: Assets, dashboard: Dashboard) -> Graph:
    """The whole graph; a SELECT that the parser cannot follow keeps its tables and is named in `unread`."""
    made = _Made({}, {}, set(), [])
    for table in pipeline.tables:
        names = tuple(column.name for column in table.columns)
        made.nodes[f"source.{table.name}"] = Node(f"source.{table.name}", "table", names)
    for model in pipeline.models:
        _add_model(made, model, pipeline)
    _add_views(made, pipeline, assets)
    for visual in dashboard.visuals:
        _add_visual(made, visual)
    return Graph(made.nodes, made.edges, frozenset(made.columns), tuple(made.unread))


def gold_columns(pipeline: Pipeline, assets: Assets) -> dict[str, tuple[str, ...]]:
    """Columns of each model, other table and view of gold, by name."""
    found = {model.name: tuple(c.name for c in model.checked) for model in pipeline.models}
    found |= _other_tables(pipeline, assets)
    for name, select in _view_selects(pipeline, assets):
        found[name] = view_columns(select, found)
    return found


def view_columns(select: Any, shapes: Shapes) -> tuple[str, ...]:
    """Names of a view's columns, those behind a `*` among them; no column of a `*` over what is not known."""
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer.qualify import qualify

    if select.is_star:
        schema = {name: dict.fromkeys(names, "text") for name, names in shapes.items()}
        with contextlib.suppress(SqlglotError):
            select = qualify(_bare(select, "redshift"), schema=schema, dialect="redshift")
    return tuple(name for name in select.named_selects if name != "*")


def origins(sql: Any, columns: Iterable[str], shapes: Shapes, dialect: str) -> Origins:
    """What each column of a SELECT is made of. SqlglotError or ValueError where the parser cannot tell."""
    from sqlglot.lineage import lineage as follow
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope

    schema = {name: dict.fromkeys([*names, *SPANS], "text") for name, names in shapes.items()}
    qualified = qualify(_bare(sql, dialect), schema=schema, dialect=dialect)
    scope = build_scope(qualified)
    nodes = {name: follow(name, qualified, schema, dialect=dialect, scope=scope) for name in columns}
    return {
        name: frozenset(origin for leaf in node.walk() if (origin := _origin(leaf)))
        for name, node in nodes.items()
    }


def relations(sql: Any, dialect: str) -> set[str]:
    """Names of the tables that a SELECT reads, without those of its own WITH."""
    from sqlglot import exp

    parsed = _bare(sql, dialect)
    own = {cte.alias for cte in parsed.find_all(exp.CTE)}
    return {table.name for table in parsed.find_all(exp.Table)} - own


@dataclass
class _Made:
    """The graph while it is made."""

    nodes: dict[str, Node]
    edges: dict[Edge, str]
    columns: set[Edge]
    unread: list[str]

    def shapes(self, layer: str) -> dict[str, tuple[str, ...]]:
        return {node.name: node.columns for node in self.nodes.values() if node.layer == layer}

    def read(
        self, target: Node, sql: Any, layer: str, columns: Iterable[str], dialect: str, how: str
    ) -> None:
        """Adds a node whose columns a SELECT over a layer gives."""
        from sqlglot.errors import SqlglotError

        self.nodes[target.id] = target
        shapes = self.shapes(layer)
        try:
            tables = relations(sql, dialect) & set(shapes)
            self.edges |= {(f"{layer}.{table}", target.id): how for table in sorted(tables)}
            found = origins(sql, columns, {name: shapes[name] for name in tables}, dialect)
        except (SqlglotError, ValueError) as error:
            self.unread.append(f"{target.id}: {' '.join(str(error).split())[:120]}")
            return
        known = {
            (table.lower(), c.lower()): f"{layer}.{table}.{c}" for table in tables for c in shapes[table]
        }
        self.columns |= {
            (known[origin], f"{target.id}.{name}")
            for name, from_ in found.items()
            for origin in from_
            if origin in known
        }


def _add_model(made: _Made, model: Model, pipeline: Pipeline) -> None:
    node = Node(f"gold.{model.name}", model.kind, tuple(c.name for c in model.checked))
    names = [column.name for column in model.columns]
    if model.kind == "copy":
        made.nodes[node.id] = node
        made.edges[f"source.{model.name}", node.id] = "copy"
        made.columns |= {(f"source.{model.name}.{name}", f"{node.id}.{name}") for name in names}
        return
    refresh = model.kind == "refresh"
    layer, dialect = ("gold", "redshift") if refresh else ("source", "spark")
    made.read(node, model.select or "", layer, names, dialect, "aggregates" if refresh else "SELECT")
    for entry in model.inputs:  # also those whose rows only say which keys to evaluate again
        made.edges.setdefault((f"source.{entry.table}", node.id), "touches")
    if model.surrogate:
        made.columns |= {(f"{node.id}.{key}", f"{node.id}.{model.surrogate}") for key in model.key}
    for look in model.lookups:
        made.edges[f"gold.{look.dimension}", node.id] = f"looks up {look.column}"
        surrogate = pipeline.model(look.dimension).surrogate
        made.columns.add((f"gold.{look.dimension}.{surrogate}", f"{node.id}.{look.column}"))


def _add_views(made: _Made, pipeline: Pipeline, assets: Assets) -> None:
    for name, columns in _other_tables(pipeline, assets).items():
        made.nodes[f"gold.{name}"] = Node(f"gold.{name}", "table", columns)
    for name, select in _view_selects(pipeline, assets):
        node = Node(f"gold.{name}", "view", view_columns(select, made.shapes("gold")))
        made.read(node, select, "gold", node.columns, "redshift", "view")


def _add_visual(made: _Made, visual: Any) -> None:
    node = Node(f"dashboard.{visual.id}", visual.kind)
    made.nodes[node.id] = node
    made.edges[f"gold.{visual.view}", node.id] = visual.kind
    used = [visual.x, visual.y, *(measure.column for measure in visual.measures)]
    made.columns |= {(f"gold.{visual.view}.{name}", node.id) for name in used if name}
    for each in visual.slices:
        made.edges.setdefault((f"gold.{each.view}", node.id), visual.kind)
        kept = [visual.x, *each.by.values(), *visual.sums(each)]
        made.columns |= {(f"gold.{each.view}.{name}", node.id) for name in kept if name}


def _other_tables(pipeline: Pipeline, assets: Assets) -> dict[str, tuple[str, ...]]:
    """Tables of gold that are no models, such as dim_date."""
    from medallion_cli.ddl import parse_tables
    from medallion_cli.warehouse import extra_tables

    found: dict[str, tuple[str, ...]] = {}
    for name, statements in extra_tables(pipeline, assets).items():
        made = [sql for sql in statements if _CREATES_TABLE.search(sql)]
        parsed = parse_tables(";\n".join(made), "redshift", f"sql/redshift/tables/{name}.sql")
        found |= {t.name: tuple(column for column, _, _ in t.columns) for t in parsed.values()}
    return found


def _view_selects(pipeline: Pipeline, assets: Assets) -> Iterator[tuple[str, Any]]:
    """(name, parsed SELECT) of each view, in the order in which they are made; what does not parse is no view."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    from medallion_cli.warehouse import view_files

    for view in view_files(pipeline, assets):
        for sql in view.statements:
            try:
                parsed = sqlglot.parse_one(sql, read="redshift")
            except SqlglotError:
                continue
            if isinstance(parsed, exp.Create) and isinstance(parsed.expression, exp.Query):
                yield parsed.find(exp.Table).name, parsed.expression


def _bare(sql: Any, dialect: str) -> Any:
    """The parsed SELECT, its tables without their schemas."""
    import sqlglot
    from sqlglot import exp

    parsed = sqlglot.parse_one(sql, read=dialect) if isinstance(sql, str) else sql.copy()
    for table in parsed.find_all(exp.Table):
        table.set("db", None)
    return parsed


def _origin(node: Any) -> tuple[str, str] | None:
    """(table, column) in lower case of a node of lineage that is a table's own column."""
    from sqlglot import exp

    if not isinstance(node.expression, exp.Table):
        return None
    return node.expression.name.lower(), node.name.rpartition(".")[2].strip('"`').lower()


def find(graph: Graph, name: str) -> tuple[list[str], list[str]]:
    """(nodes, columns) that `name` means: a table, model, view or visual; `table.column`; or a column of any.

    UsageError names what there is.
    """
    wanted = name.lower()
    nodes = [node.id for node in graph.nodes.values() if wanted in (node.id.lower(), node.name.lower())]
    if nodes:
        return nodes, []
    owned = [(node, c) for node in graph.nodes.values() for c in node.columns]
    columns = [
        f"{node.id}.{c}"
        for node, c in owned
        if wanted in (c.lower(), f"{node.name}.{c}".lower(), f"{node.id}.{c}".lower())
    ]
    if not columns:
        import difflib

        known = sorted({node.name for node in graph.nodes.values()})
        near = difflib.get_close_matches(name, [*known, *{c for _, c in owned}], 3) or known
        raise UsageError(f"nothing is called {name!r}", hint=f"one of: {', '.join(near)}")
    return [], columns


def reached(edges: Iterable[Edge], starts: Iterable[str], *, upstream: bool) -> set[Edge]:
    """The edges on every way from `starts`, against or along their direction."""
    known, found, queue = list(edges), set(), list(starts)
    seen = set(queue)
    while queue:
        at = queue.pop()
        for edge in known:
            here, there = (edge[1], edge[0]) if upstream else edge
            if here == at:
                found.add(edge)
                if there not in seen:
                    seen.add(there)
                    queue.append(there)
    return found
