"""Lineage drawn: trees in the terminal, Mermaid, and the documented JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from medallion_cli.lineage import Edge, Graph, find, reached

if TYPE_CHECKING:
    from rich.tree import Tree

    from medallion_cli.console import Terminal

LAYERS = {"source": "source → bronze → silver", "gold": "gold", "dashboard": "dashboard"}
STYLES = {"source": "cyan", "gold": "yellow", "dashboard": "magenta"}


def document(graph: Graph, name: str | None) -> dict[str, Any]:
    """The documented JSON: everything, or what `name` comes from and goes to."""
    tables, columns = chosen(graph, name)
    ids = {_node(graph, end) for edge in tables | columns for end in edge} or set(graph.nodes)
    if name:
        ids |= {_node(graph, start) for start in (*find(graph, name)[0], *find(graph, name)[1])}
    return {
        "version": 1,
        "nodes": [
            {"id": n.id, "layer": n.layer, "kind": n.what, "columns": list(n.columns)}
            for n in graph.nodes.values()
            if n.id in ids
        ],
        "edges": [{"from": a, "to": b, "how": graph.edges[a, b]} for a, b in graph.edges if (a, b) in tables],
        "columns": [{"from": a, "to": b} for a, b in sorted(columns)],
        "unread": list(graph.unread),
    }


def chosen(graph: Graph, name: str | None) -> tuple[set[Edge], set[Edge]]:
    """(edges of tables, edges of columns) that `name` asks for; all without one."""
    if name is None:
        return set(graph.edges), set(graph.columns)
    nodes, columns = find(graph, name)
    if columns:
        return set(), _both(graph.columns, columns)
    tables = _both(graph.edges, nodes)
    inside = {id_ for edge in tables for id_ in edge}
    owners = {id_ for id_ in graph.nodes if id_ in inside or id_ in nodes}
    return tables, {e for e in graph.columns if {_node(graph, e[0]), _node(graph, e[1])} <= owners}


def _both(edges: Iterable[Edge], starts: list[str]) -> set[Edge]:
    known = list(edges)
    return reached(known, starts, upstream=True) | reached(known, starts, upstream=False)


def _node(graph: Graph, id_: str) -> str:
    """The node of a column's id, or of a node's own."""
    return id_ if id_ in graph.nodes else id_.rpartition(".")[0]


def draw(terminal: Terminal, graph: Graph, name: str | None) -> None:
    """Trees: from the sources down; or, of one thing, what it comes from and where it goes."""
    if name is None:
        told: set[str] = set()
        for id_ in (i for i, node in graph.nodes.items() if node.layer == "source"):
            terminal.print(_tree(graph, graph.edges, id_, upstream=False, told=told))
    else:
        nodes, columns = find(graph, name)
        edges: Iterable[Edge] = graph.columns if columns else graph.edges
        for id_ in columns or nodes:
            _draw_one(terminal, graph, edges, id_)
    for problem in graph.unread:
        terminal.say(f"columns not followed: {problem}", "yellow")


def _draw_one(terminal: Terminal, graph: Graph, edges: Iterable[Edge], id_: str) -> None:
    known = list(edges)
    for title, upstream in (("comes from", True), ("goes to", False)):
        if any(edge[1 if upstream else 0] == id_ for edge in known):
            tree = _tree(graph, known, id_, upstream=upstream, told=set())
            tree.label.append(f"  {title}", style="italic")  # type: ignore[union-attr]
            terminal.print(tree)
    if not any(id_ in edge for edge in known):
        terminal.print(_label(graph, id_, ""))


def _tree(
    graph: Graph, edges: Iterable[Edge], id_: str, *, upstream: bool, told: set[str], how: str = ""
) -> Tree:
    """What is reached from one place; what was drawn before is not drawn again."""
    from rich.tree import Tree

    tree = Tree(_label(graph, id_, how), guide_style="dim")
    known = list(edges)
    ends = sorted({(a if upstream else b) for a, b in known if (b if upstream else a) == id_})
    if id_ in told and ends:
        tree.add("… as above", style="dim")
        return tree
    told.add(id_)
    for end in ends:
        why = graph.edges.get((end, id_) if upstream else (id_, end), "")
        tree.add(_tree(graph, known, end, upstream=upstream, told=told, how=why))
    return tree


def _label(graph: Graph, id_: str, how: str) -> Any:
    from rich.text import Text

    node = graph.nodes[_node(graph, id_)]
    what = how or node.what
    if node.layer == "source" and id_ in graph.nodes:
        what = LAYERS["source"]
    return Text.assemble((id_, STYLES[node.layer]), (f"  {what}", "dim") if what else "")


def mermaid(graph: Graph, name: str | None) -> str:
    """A flowchart with a box a layer; of columns where a column was asked for."""
    tables, columns = chosen(graph, name)
    of_columns = name is not None and bool(find(graph, name)[1])
    edges = sorted(columns if of_columns else tables)
    ids = dict.fromkeys(id_ for edge in edges for id_ in edge)
    if not edges:
        ids = dict.fromkeys(graph.nodes if name is None else [i for both in find(graph, name) for i in both])
    lines = ["flowchart LR"]
    for layer, title in LAYERS.items():
        inside = [id_ for id_ in ids if id_.startswith(f"{layer}.")]
        if inside:
            lines += [f'  subgraph {layer}["{title}"]']
            lines += [f'    {_key(id_)}["{id_.partition(".")[2]}"]' for id_ in inside]
            lines += ["  end"]
    return "\n".join([*lines, *(f"  {_key(a)} --> {_key(b)}" for a, b in edges)])


def _key(id_: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in id_)
