"""What the code asks for: environment variables of the functions, arguments of the jobs, outputs that the tool reads."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2]
RUNTIME = {"LAMBDA_TASK_ROOT", "AWS_REGION", "AWS_DEFAULT_REGION", "TZ"}  # Lambda sets these itself


@dataclass(frozen=True)
class Asked:
    """Names that must be given, and names that may be."""

    needed: frozenset[str]
    optional: frozenset[str]

    @property
    def known(self) -> frozenset[str]:
        """All names that the code reads."""
        return self.needed | self.optional


@cache
def environment_variables() -> Asked:
    """What the functions' code reads from its environment: by subscript it has to be there, by `get` it may be."""
    needed, optional = set[str](), set[str]()
    for path in sorted((PACKAGE / "synthetic").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Subscript(value=ast.Attribute(attr="environ"), slice=ast.Constant(value=str(name))):
                    needed.add(name)
                case ast.Call(
                    func=ast.Attribute(value=ast.Attribute(attr="environ"), attr="get"),
                    args=[ast.Constant(value=str(name)), *_],
                ):
                    optional.add(name)
    # Without it the code goes on, and makes no user for DMS.
    needed |= {"REPLICATION_SECRET_ARN"} & optional
    return Asked(frozenset(needed - RUNTIME), frozenset(optional - RUNTIME - needed))


@cache
def has_handler(dotted: str) -> bool:
    """Whether `package.module.function` is a function of the tool's own package."""
    module, _, function = dotted.rpartition(".")
    path = PACKAGE.parent / (module.replace(".", "/") + ".py")
    if not path.is_file():
        return False
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == function for node in tree.body)


@cache
def script_arguments(source: str) -> Asked:
    """What a Glue script reads by `read_arguments("needed", …, optional="default")`."""
    needed, optional = set[str](), set[str]()
    tree = ast.parse(source)
    lists = {
        target.id: [element.value for element in node.value.elts if isinstance(element, ast.Constant)]
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "read_arguments"
        ):
            needed |= set(_names(node, lists))
            optional |= {keyword.arg for keyword in node.keywords if keyword.arg}
    return Asked(frozenset(needed), frozenset(optional))


def _names(call: ast.Call, lists: Mapping[str, Sequence[object]]) -> Iterator[str]:
    for argument in call.args:
        match argument:
            case ast.Constant(value=str(name)):
                yield name
            case ast.Starred(value=ast.Name(id=name)):
                yield from map(str, lists.get(name, []))


@cache
def given_by_the_tool() -> frozenset[str]:
    """`--name` arguments that the tool's own operations give to jobs."""
    names = set[str]()
    for folder in ("operations", "aws"):
        for path in (PACKAGE / folder).glob("*.py"):
            names |= set(re.findall(r'"--([a-z_]+)":', path.read_text(encoding="utf-8")))
    return frozenset(names)


@cache
def outputs_read() -> frozenset[str]:
    """Outputs of stacks that operations look up by name."""
    names = set[str]()
    for folder in ("operations", "aws", "commands"):
        for path in (PACKAGE / folder).rglob("*.py"):
            if "validation" not in path.parts:
                found = re.findall(r'\boutputs\["([A-Z]\w+)"\]', path.read_text(encoding="utf-8"))
                names |= set(found)
    return frozenset(names)
