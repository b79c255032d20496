"""Every place in the product's source that calls AWS, read from the source itself.

A client is what `….client("service")` gives, by whatever name: a local variable, an attribute, or the call itself. A call whose
service or operation is only known when it runs is a site all the same, with `?` for it: the tests have to make it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
FOLDERS = (
    "medallion_cli/aws",
    "medallion_cli/operations",
    "medallion_cli/commands",
    "medallion_cli/synthetic",
    "glue_scripts",
)
NOT_CALLS = {"exceptions", "meta", "close", "get_waiter"}
UNKNOWN = "?"
BOUNDARY = "session.py"  # makes the clients, and stands before each of them
SERVICES = (
    "cloudformation", "cloudwatch", "dms", "ec2", "events", "glue", "iam", "kms", "lambda", "logs", "quicksight", "rds",
    "redshift-data", "redshift-serverless", "s3", "scheduler", "secretsmanager", "service-quotas", "sns", "ssm",
    "stepfunctions", "sts",
)  # fmt: skip


@dataclass(frozen=True)
class Site:
    """One call: lines from `first` to `last` of a file."""

    path: str
    first: int
    last: int
    service: str
    operation: str  # as boto3's method is called
    paged: bool = False  # asked page by page, wherever the pages are read

    def __str__(self) -> str:
        return f"{self.path}:{self.first} {self.service}.{self.operation}"


@cache
def sites() -> tuple[Site, ...]:
    """All of them."""
    found: list[Site] = []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            words = set(re.findall(r"\w+", _text(path)))
            if path.name != BOUNDARY and words & {"client", *_methods()}:
                found += _of_file(path)
    return tuple(found)


def _of_file(path: Path) -> Iterator[Site]:
    tree = ast.parse(_text(path))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    clients = _Clients(tree)
    for node in [*tree.body, *(inner for one in classes for inner in one.body)]:
        if not isinstance(node, ast.ClassDef):
            yield from clients.sites(str(path.relative_to(ROOT)), node)


class _Clients:
    """The names by which a file knows clients: variables of a function, and attributes that any of its methods sets."""

    def __init__(self, tree: ast.Module) -> None:
        nodes = list(ast.walk(tree))
        self.functions = {n.name: s for n in nodes if isinstance(n, ast.FunctionDef) and (s := _returned(n))}
        imports = [n for n in nodes if isinstance(n, (ast.Import, ast.ImportFrom))]
        self.modules = {(a.asname or a.name).partition(".")[0] for n in imports for a in n.names}
        self.names: dict[str, str] = {}
        self.attributes = dict(self._assigned(nodes, ast.Attribute))

    def sites(self, path: str, function: ast.stmt) -> Iterator[Site]:
        """The calls of one function, or of a line of the module or a class."""
        nodes = list(ast.walk(function))
        self.names = dict(self.attributes)
        self.names |= dict(self._assigned(nodes, ast.Name))
        for node in nodes:
            if isinstance(node, ast.Call) and (called := self.called(node)):
                paged = isinstance(node.func, ast.Attribute) and node.func.attr == "paginate"
                yield Site(path, node.lineno, node.end_lineno or node.lineno, *called, paged)

    def _assigned(self, nodes: list[ast.AST], kind: type[ast.expr]) -> Iterator[tuple[str, str]]:
        for node in nodes:
            match node:
                case ast.Assign(targets=[target], value=value) if isinstance(target, kind):
                    if service := self.service(value):
                        yield ast.unparse(target), service

    def service(self, node: ast.expr) -> str | None:
        """The service of an expression that is a client."""
        match node:
            case ast.Call(func=ast.Attribute(attr="client"), args=[ast.Constant(value=str(service)), *_]):
                return service
            case ast.Call(func=ast.Name(id="client"), args=[ast.Constant(value=str(service))]):
                return service
            case ast.Call(func=ast.Attribute(attr="client") | ast.Name(id="client"), args=[_]):
                return UNKNOWN
            case ast.Call(func=ast.Name(id=name), args=[]) if name in self.functions:
                return self.functions[name]
            case ast.Name() | ast.Attribute():
                return self.names.get(ast.unparse(node))
        return None

    def called(self, node: ast.Call) -> tuple[str, str] | None:
        """(service, method) of a call of a client."""
        match node.func:
            case ast.Attribute(value=receiver, attr="paginate"):
                return self._paged(receiver)
            case ast.Attribute(value=receiver, attr=method) if method not in NOT_CALLS | {"get_paginator"}:
                service = self.service(receiver)
                return (service, method) if service else self._looks_like_one(receiver, method)
            case ast.Call(func=ast.Name(id="getattr"), args=[receiver, *_]) if service := self.service(
                receiver
            ):
                return service, UNKNOWN
        return None

    def _looks_like_one(self, receiver: ast.expr, method: str) -> tuple[str, str] | None:
        """A method of boto3's name on what is not known for a client, nor for a module: a parameter, perhaps."""
        if method not in _methods() or method in _functions():
            return None
        return None if ast.unparse(receiver).partition(".")[0] in self.modules else (UNKNOWN, method)

    def _paged(self, receiver: ast.expr) -> tuple[str, str] | None:
        match receiver:
            case ast.Call(
                func=ast.Attribute(value=client, attr="get_paginator"), args=[ast.Constant(value=str(name))]
            ):
                service = self.service(client)
                return (service, name) if service else None
        return UNKNOWN, UNKNOWN


def _returned(function: Any) -> str | None:
    """The service of the client that a function returns."""
    for node in ast.walk(function):
        match node:
            case ast.Return(
                value=ast.Call(func=ast.Attribute(attr="client"), args=[ast.Constant(value=str(service)), *_])
            ):
                return service
    return None


@cache
def _methods() -> frozenset[str]:
    """What the clients of the services in use can be asked, where that cannot be taken for anything else."""
    import botocore.session
    from botocore import xform_name

    session = botocore.session.get_session()
    names = {
        xform_name(name)
        for service in SERVICES
        for name in session.get_service_model(service).operation_names
    }
    return frozenset(name for name in names if "_" in name)


@cache
def _functions() -> frozenset[str]:
    """Names of the product's own functions."""
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    return frozenset(name for path in files for name in re.findall(r"\bdef (\w+)", _text(path)))


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
