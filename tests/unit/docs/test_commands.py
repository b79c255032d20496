"""Each `medallion …` line of the documents, and of the tool's own hints, is a command with options that there are."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.exceptions import TyperException

from medallion_cli.cli import _globals_first, app

ROOT = Path(__file__).parents[3]
GENERATED = "commands.md"  # its lines are looked at where they come from: test_reference.py
DOCUMENTS = [ROOT / "README.md", *(p for p in sorted((ROOT / "docs").rglob("*.md")) if p.name != GENERATED)]
TREE: Any = typer.main.get_command(app)
FENCED = re.compile(r"^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(medallion [^`\n]*)`")
PLACEHOLDERS = {"N": "1", "M": "1", "T": "orders", "K": "1", "MODEL": "fact_sales", "ID": "run-1", "DIR": "."}


def lines(document: Path) -> Iterator[str]:
    """Command lines of a document: of its blocks, and what stands in the text or a table."""
    text = document.read_text(encoding="utf-8")
    for block in FENCED.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if found := re.match(r"\s*(?:\$ )?(medallion .*)", line):
                yield from _parts(found[1].split(" #")[0])
    for line in INLINE.findall(FENCED.sub("", text)):
        yield from _parts(line)


def _parts(line: str) -> Iterator[str]:
    """Each command of `a && b`."""
    yield from (part.strip() for part in line.split("&&") if part.strip().startswith("medallion "))


def steps(workflow: Path) -> Iterator[str]:
    """Command lines of a workflow's steps; what the shell does with their output is left out."""
    for job in yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values():
        for line in (str(step.get("run", "")) for step in job["steps"]):
            yield from _parts(re.split(r" >>? | \|\| ", line)[0])


DOCUMENTED = [(path.name, line) for path in DOCUMENTS for line in lines(path)]
DOCUMENTED += [(path.name, line) for path in sorted((ROOT / "docs").rglob("*.yml")) for line in steps(path)]


@pytest.mark.parametrize(("document", "line"), DOCUMENTED)
def test_a_documented_command_exists(document: str, line: str) -> None:
    assert fault(line) is None


def test_there_are_documented_commands() -> None:
    assert {document for document, _ in DOCUMENTED} >= {"README.md", "aws.md", "promote.yml"}


def test_a_wrong_line_is_found() -> None:
    assert fault("medallion up --yes") is None
    assert fault("medallion --env dev pause") is None
    assert "no-such" in str(fault("medallion up --no-such"))
    assert "deploy" in str(fault("medallion deploy"))
    assert fault("medallion replicate") is not None


def fault(line: str) -> str | None:
    """What is wrong with a command line; it is parsed and never run."""
    words = _globals_first(shlex.split(_plain(line))[1:])
    if not words or words == ["--install-completion"]:  # which would be done when it is parsed
        return None
    command = TREE
    try:
        context = command.make_context("medallion", words, resilient_parsing=False)
        while hasattr(command, "commands"):
            words = [*context._protected_args, *context.args]
            if not words and command.invoke_without_command:
                break
            name, command, rest = command.resolve_command(context, words)
            context = command.make_context(name, rest, parent=context)
    except TyperException as error:
        said = str(error.format_message() or "incomplete")
        is_name = len(words) == 1 and re.match("Missing (option|argument)", said)  # named, not typed out
        return None if is_name else said
    except typer.Exit:
        return None  # --help and --version
    return None


def _plain(line: str) -> str:
    """`run [--layer bronze\\|silver] [--table T]` → one of the lines that it stands for."""
    text = line.replace("\\|", "|").replace("[", "").replace("]", "").replace("…", "").rstrip(" .,:;")
    words = (re.sub(r"^([\w-]+)\|.*", r"\1", word) for word in text.split(" "))
    return " ".join(PLACEHOLDERS.get(word, word) for word in words)


COMMAND = re.compile(r"\bmedallion ((?:--[a-z]+ [\w-]+ )*[a-z]+(?: --?[a-z-]+| [a-z]+)*)")


def hints() -> Iterator[tuple[str, str]]:
    """(file, command line) of all texts in the source that name one; what is filled in is left out."""
    for path in sorted((ROOT / "medallion_cli").rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        nodes = ast.walk(ast.parse(source)) if "hint=" in source and "medallion " in source else ()
        for text in (text for node in nodes for text in _texts(node)):
            yield from (
                (str(path.relative_to(ROOT)), f"medallion {found}") for found in COMMAND.findall(text)
            )


def _texts(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.keyword(arg="hint", value=ast.Constant(value=str(text))):
            yield text
        case ast.keyword(arg="hint", value=ast.JoinedStr(values=[ast.Constant(value=str(text)), *_])):
            yield text


def test_every_hint_names_a_command_that_there_is() -> None:
    assert sorted({f"{path}: {line}: {said}" for path, line in hints() if (said := _first_words(line))}) == []


def _first_words(line: str) -> str | None:
    """A hint's command and options; the sentence around it ends it, so arguments are not looked at."""
    words = _globals_first(line.split()[1:])
    commands = getattr(TREE, "commands", {})
    names = [word for word in words if not word.startswith("-")]
    while words and words[0].startswith("-"):
        words, names = words[2:], names[1:]
    return None if names and names[0] in commands else f"no command {' '.join(names[:1])!r}"
