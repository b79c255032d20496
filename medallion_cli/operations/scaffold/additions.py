"""One more table or model in a project's files; comments and order of what is there stay."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from medallion_cli.assets import PIPELINE, Assets
from medallion_cli.errors import UsageError
from medallion_cli.spec import Pipeline, load_pipeline


@dataclass(frozen=True)
class Addition:
    """Files as they become, by their path in the project; `notes` are for a person to look at."""

    files: dict[str, str]
    notes: tuple[str, ...] = ()


def own_project(assets: Assets) -> Path:
    """The folder to write to; UsageError for the shipped example."""
    if assets.project == Assets.find_shipped().project and not (assets.project / "pyproject.toml").is_file():
        raise UsageError("this is the shipped example", hint="medallion init DIR")
    return assets.project


def difference(addition: Addition, folder: Path) -> Iterator[str]:
    """The lines of a unified diff."""
    for name, text in addition.files.items():
        before = (folder / name).read_text(encoding="utf-8") if (folder / name).is_file() else ""
        lines = difflib.unified_diff(before.splitlines(), text.splitlines(), name, name, lineterm="")
        yield from lines


def apply(addition: Addition, folder: Path) -> Pipeline:
    """Writes the files and reads the project anew; when that fails everything is as before."""
    before = {name: _bytes(folder / name) for name in addition.files}
    try:
        for name, text in addition.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        return load_pipeline(Assets.find(folder))
    except UsageError:
        for name, content in before.items():
            if content is None:
                (folder / name).unlink(missing_ok=True)
            else:
                (folder / name).write_bytes(content)
        raise


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def with_entry(folder: Path, section: str, name: str, lines: Sequence[str]) -> str:
    """pipeline.yaml with an entry (its lines, indented by 2) at the end of `section`; UsageError when it is there."""
    text = (folder / PIPELINE).read_text(encoding="utf-8")
    node: Any = yaml.compose(text)
    found = next((value for key, value in node.value if key.value == section), None)
    if isinstance(found, yaml.MappingNode) and any(key.value == name for key, _ in found.value):
        raise UsageError(f"{PIPELINE}: {section}.{name} is there already", hint="choose another name")
    every = text.splitlines()
    if not isinstance(found, yaml.MappingNode) or not found.value:
        return "\n".join([*_without(every, section), "", f"{section}:", *lines, ""])
    if found.flow_style:
        raise UsageError(f"{PIPELINE}: {section} is written in braces", hint="write one entry a line")
    indent = found.value[0][0].start_mark.column
    moved = [" " * (indent - 2) + line if indent >= 2 else line for line in lines]
    last = _last_line(found)
    return "\n".join([*every[: last + 1], *moved, *every[last + 1 :], ""])


def _without(lines: list[str], section: str) -> list[str]:
    """The file without an empty section."""
    kept = [line for line in lines if not line.startswith(f"{section}:")]
    while kept and not kept[-1].strip():
        kept.pop()
    return kept


def _last_line(node: Any) -> int:
    """The last line of what a node says, comments after it left out."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _last_line(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _last_line(node.value[-1])
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        return max(node.start_mark.line, node.end_mark.line - 1)
    return int(node.end_mark.line)
