"""docs/schemas/, a file a command: what `--output json` prints, kept so that nothing of it is taken back unnoticed.

`python -m medallion_cli.documents.schemas docs/schemas` writes them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from medallion_cli.commands.documents import DOCUMENTS, schema


def files() -> dict[str, str]:
    """Every schema as text, by the name of its file."""
    return {
        f"{command.replace(' ', '-')}.json": json.dumps(schema(command), indent=2, ensure_ascii=False) + "\n"
        for command in DOCUMENTS
    }


def taken_back(old: Any, new: Any, place: str = "$") -> Iterator[str]:
    """Where a schema promises less than it did: keys that are gone, not sure any more, or of another type."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        if old != new:
            yield f"{place}: {old!r} is {new!r}"
        return
    for name in sorted(set(old.get("required", ())) - set(new.get("required", ()))):
        yield f"{place}: {name} is not sure any more"
    for key, value in old.items():
        if key in ("required", "title", "description", "default"):
            continue
        if key not in new:
            yield f"{place}.{key} is gone"
        elif key in ("anyOf", "oneOf"):
            kept = [one for one in value if any(not list(taken_back(one, other)) for other in new[key])]
            yield from (f"{place}.{key}: {one} is gone" for one in value if one not in kept)
        else:
            yield from taken_back(value, new[key], f"{place}.{key}")


def write(folder: Path) -> None:
    """Writes them all; files of commands that are gone are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    made = files()
    for path in folder.glob("*.json"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
