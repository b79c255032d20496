"""The files of a new project: of the shipped example, of one table, or of a database that is there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from medallion_cli import schemas
from medallion_cli.assets import PIPELINE, Assets
from medallion_cli.errors import UsageError
from medallion_cli.operations.scaffold.words import flow, one_line, schema_name

if TYPE_CHECKING:
    from medallion_cli.operations.scaffold.existing import Address, Catalogue, Existing
    from medallion_cli.operations.scaffold.review import Reviewed

DDL = "sql/mysql/schema.sql"
LOCAL = "configs/local.yaml"
EXAMPLE = ("configs/pipeline.yaml", "configs/dashboard.yaml", "configs/synthetic.yaml")
EMPTY_DDL = """-- The source's tables: replace them by your own (mysqldump --no-data gives them).
CREATE TABLE items (
  item_id BIGINT NOT NULL AUTO_INCREMENT,
  name VARCHAR(200) NOT NULL,
  price DECIMAL(12,2) NULL,
  created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (item_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
"""
EMPTY = """# The one declarative place: tables, cleaning, expectations, gold models. medallion table add, model add.
name: {name}
source:
  schema: {schema}
  ddl: sql/mysql/schema.sql
  time_zone: UTC   # what a DATETIME of the source means

business: {{time_zone: UTC, currency: EUR}}

tables:
  items: {{}}

models:
  items: {{kind: copy}}
"""
README = """# {name}

A warehouse of `medallion`: `configs/pipeline.yaml` names tables and gold models, `sql/` holds their SQL.

```
medallion --project . validate
medallion --project . up --yes
medallion --project . run
medallion --project . verify
```
"""


@dataclass(frozen=True)
class Draft:
    """Files by their path in the project; `notes` are for a person to look at."""

    name: str
    files: dict[str, str]
    notes: tuple[str, ...] = ()


def write(draft: Draft, folder: Path) -> list[str]:
    """Writes a project into a folder that is no project yet; its files. Nothing is overwritten."""
    files = content(draft, folder)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return sorted(files)


def content(draft: Draft, folder: Path) -> dict[str, str]:
    """Every file of a project; UsageError where the folder has one of them, or is a project."""
    if (folder / PIPELINE).exists():
        raise UsageError(f"{folder} is a project already", hint=f"medallion --project {folder} validate")
    files = {**draft.files, **{f"{schemas.FOLDER}/{name}.json": schemas.text(name) for name in schemas.NAMES}}
    if there := [name for name in files if (folder / name).exists()]:
        raise UsageError(f"{folder / there[0]} is there already", hint="choose another folder")
    return files


def example(folder: Path) -> Draft:
    """The shipped retail project under the folder's name."""
    shipped = Assets.find_shipped()
    names = [*EXAMPLE, *shipped.listing("sql", "**/*.sql")]
    name = slug(folder.name)
    files = {
        path: shipped.read(path) for path in names if "/procedures/" not in path and "/schemas/" not in path
    }
    files[PIPELINE] = schemas.modeline("pipeline") + re.sub(
        r"(?m)^name: .*$", f"name: {flow(name)}", files[PIPELINE], count=1
    )
    files["configs/dashboard.yaml"] = schemas.modeline("dashboard") + files["configs/dashboard.yaml"]
    return Draft(name, {**files, "README.md": README.format(name=name)})


def empty(folder: Path) -> Draft:
    """One table, to be replaced."""
    name = slug(folder.name)
    pipeline = EMPTY.format(name=flow(name), schema=flow(name.replace("-", "_")))
    files = {PIPELINE: schemas.modeline("pipeline") + pipeline, DDL: EMPTY_DDL}
    return Draft(name, {**files, "README.md": README.format(name=name)})


def from_database(folder: Path, address: Address, found: Catalogue) -> Draft:
    """A project of every table that can be taken; what cannot be is named with its reason."""
    from medallion_cli.operations.scaffold.review import review

    reviewed = review(found.tables)
    if not any(each.refused is None for each in reviewed):
        reasons = "; ".join(f"{each.table.name}: {each.refused}" for each in reviewed[:3]) or "it has none"
        raise UsageError(
            f"no table of {found.database} can be taken ({reasons})", hint="give one a primary key"
        )
    name = slug(found.database)
    local = Assets.find_shipped().read(LOCAL)
    files = {
        PIPELINE: schemas.modeline("pipeline") + _pipeline(name, address, found, reviewed),
        DDL: _schema(address, found, reviewed),
        LOCAL: schemas.modeline("environment") + local + _copied(address),
        "README.md": README.format(name=name),
    }
    return Draft(name, files, tuple(_notes(found, reviewed)))


def slug(text: str) -> str:
    """A project's name: small letters, digits and dashes, at most 20."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:20].strip("-")
    return plain if re.match(r"[a-z]", plain) else f"p-{plain}"[:20].strip("-") if plain else "warehouse"


def table_entry(each: Reviewed) -> list[str]:
    """The lines of a table's entry in pipeline.yaml, indented, with what to look at."""
    references = [f"{', '.join(r.columns)} → {r.table}" for r in each.table.references]
    facts = one_line("; ".join([volume(each.table), *references]))
    lines = [f"    # review: {note}" for note in each.notes]
    name = flow(each.table.name)
    if each.personal:
        personal = f"    personal: {flow(list(each.personal))}   # review: guessed by their names"
        return [f"  {name}:   # {facts}", *lines, personal]
    return [*(line[2:] for line in lines), f"  {name}: {{}}   # {facts}"]


def volume(table: Existing) -> str:
    """`about 1,000 rows, 96 KB`."""
    size, unit = table.bytes / 1024, "KB"
    if size >= 1024:
        size, unit = (size / 1024, "MB") if size < 1024**2 else (size / 1024**2, "GB")
    return f"about {table.rows:,} rows, {size:,.0f} {unit}"


def _pipeline(name: str, address: Address, found: Catalogue, reviewed: Sequence[Reviewed]) -> str:
    taken = [each for each in reviewed if each.refused is None]
    left = [
        f"  # {one_line(each.table.name)}   # review: left out, since {each.refused}"
        for each in reviewed
        if each.refused
    ]
    origin = f"{one_line(found.database)} at {address.host} ({found.server})"
    return "\n".join(
        [
            f"# Read from {origin}; search for `review:`; nothing else is needed.",
            f"name: {flow(name)}",
            "source:",
            f"  schema: {flow(schema_name(found.database))}",
            f"  ddl: {DDL}",
            f"  time_zone: UTC   # review: what a DATETIME means; the server's clock is {one_line(found.time_zone)}",
            "",
            "business: {time_zone: UTC, currency: EUR}   # review",
            "",
            "tables:",
            *(line for each in taken for line in table_entry(each)),
            *left,
            "",
            "# Every table as it is; medallion model add NAME --kind upsert|scd2|refresh adds one that is made of them.",
            "models:",
            *(f"  {flow(each.table.name)}: {{kind: copy}}" for each in taken),
            "",
        ]
    )


def _schema(address: Address, found: Catalogue, reviewed: Sequence[Reviewed]) -> str:
    lines = [
        f"-- Tables of {one_line(found.database)} at {address.host} ({found.server}), as MySQL 8.4 and MariaDB take them.\n"
    ]
    lines += [f"{each.ddl};\n" for each in reviewed if each.refused is None]
    left = [(one_line(each.table.name), each.refused) for each in reviewed if each.refused]
    lines += [f"-- left out: {name}, since {reason}" for name, reason in left]
    return "\n".join(lines).rstrip() + "\n"


def _copied(address: Address) -> str:
    return (
        f"# `up` fills the environment's own source from here, once; the password: MYSQL_PWD, or it asks.\n"
        f"copy_from: {flow(address.url)}\n"
    )


def _notes(found: Catalogue, reviewed: Sequence[Reviewed]) -> list[str]:
    taken = [each for each in reviewed if each.refused is None]
    rows = sum(each.table.rows for each in taken)
    notes = [f"{len(taken)} tables of {found.server}, about {rows:,} rows"]
    notes += [f"{each.table.name} is left out: {each.refused}" for each in reviewed if each.refused]
    notes += [f"{each.table.name}: {note}" for each in taken for note in each.notes]
    guessed = [f"{each.table.name}.{column}" for each in taken for column in each.personal]
    if guessed:
        shown = ", ".join(guessed[:6]) + (" …" if len(guessed) > 6 else "")
        notes.append(f"{len(guessed)} columns look personal and are masked for analysts: {shown}")
    if found.views:
        notes.append(
            f"views are not taken: {', '.join(found.views[:6])}{' …' if len(found.views) > 6 else ''}"
        )
    return notes


def renamed(draft: Draft, name: str | None) -> Draft:
    """The draft under another name of the project."""
    if name is None:
        return draft
    if slug(name) != name:
        raise UsageError(f"{name!r} is no project's name", hint=f"for example {slug(name)}")
    pipeline = re.sub(r"(?m)^name: .*$", f"name: {flow(name)}", draft.files[PIPELINE], count=1)
    return replace(draft, name=name, files={**draft.files, PIPELINE: pipeline})
