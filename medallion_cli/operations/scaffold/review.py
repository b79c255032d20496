"""What a person should look at before somebody's tables become a warehouse: what cannot be taken, what is guessed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from medallion_cli.errors import UsageError
from medallion_cli.operations.scaffold.existing import Existing
from medallion_cli.operations.scaffold.rendering import create_table, plain_type
from medallion_cli.operations.scaffold.words import one_line
from medallion_cli.spec import OWN_COLUMN

_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")
_INEXACT = re.compile(r"^(float|double|real|tinytext|text|mediumtext|longtext|blob|json)")
# Words of names that tell of a person, in the languages that schemas are mostly written in.
_PERSONAL = re.compile(
    r"(?i)^(e_?mail.*|.*_e_?mail|first_?name|last_?name|full_?name|sur_?name|maiden_?name|given_?name|family_?name|"
    r"(user|login)_?name|(mobile_?|cell_?)?(tele)?phone(_?(no|number))?|mobile|fax|birth_?da(te|y)|date_of_birth|dob|"
    r"pass_?word.*|passwd|pass_?hash|ssn|iban|tax_?id|ip_?address|street|address(_?line)?_?\d?|line_?[12]|postal_?code|"
    r"zip(_?code)?|vorname|nachname|strasse|plz|geburtsdatum)$"
)


@dataclass(frozen=True)
class Reviewed:
    """A table; `refused` says why it is left out, `notes` what to look at (a line each), `personal` columns by their names."""

    table: Existing
    ddl: str
    refused: str | None
    notes: tuple[str, ...]
    personal: tuple[str, ...]


def review(tables: tuple[Existing, ...]) -> list[Reviewed]:
    """Each table as it can be taken; references only to those that are."""
    refused = {table.name: reason for table in tables if (reason := _refusal(table))}
    refused = {name: one_line(reason) for name, reason in refused.items()}
    taken = {table.name for table in tables} - set(refused)
    return [
        Reviewed(
            table,
            create_table(table, taken),
            refused.get(table.name),
            tuple(one_line(note) for note in _notes(table, taken)),
            tuple(column.name for column in table.columns if _PERSONAL.match(column.name)),
        )
        for table in tables
    ]


def _refusal(table: Existing) -> str | None:
    if not _NAME.match(table.name):
        return "its name has more than letters, digits and _"
    if odd := [column.name for column in table.columns if not _NAME.match(column.name)]:
        return f"the name of its column {odd[0]!r} has more than letters, digits and _"
    if own := [column.name for column in table.columns if OWN_COLUMN.fullmatch(column.name)]:
        return f"its column {own[0]} has a name that the pipeline uses itself"
    folded = [column.name.lower() for column in table.columns]
    if len(set(folded)) < len(folded):
        return "two of its columns differ only in case, which Redshift does not tell apart"
    return _key_refusal(table) or _type_refusal(table)


def _key_refusal(table: Existing) -> str | None:
    """Changes are applied by the primary key alone: DMS writes the key's before-image for no other."""
    if not table.key:
        unique = [columns for name, columns in table.keys.items() if name not in table.prefixed]
        also = f"; make UNIQUE ({', '.join(unique[0])}) its primary key" if unique else "; give it one"
        return f"it has no primary key, so a change would not say which row it is of{also}"
    if "PRIMARY" in table.prefixed:
        return "its primary key covers only the head of a text"
    kinds = {column.name: column.type for column in table.columns}
    inexact = [name for name in table.key if _INEXACT.match(kinds[name])]
    return (
        f"its key {inexact[0]} is {kinds[inexact[0]]}, of which equal values do not compare equal"
        if inexact
        else None
    )


def _type_refusal(table: Existing) -> str | None:
    """The pipeline's own reader decides: what it takes, `validate` takes."""
    from medallion_cli.ddl import parse_tables

    for column in table.columns:
        if re.match(r"(?i)bit\((?!1\))", column.type):
            return f"its column {column.name} is {column.type}: only BIT(1), a boolean, is taken"
        wide = re.match(r"(?i)decimal\((\d+)", column.type)
        if wide and int(wide[1]) > 38:
            return f"its column {column.name} is {column.type}: Redshift has 38 digits"
    if reason := _mapping_refusal(tuple((c.name, plain_type(c.type), c.nullable) for c in table.columns)):
        return reason
    try:
        parsed = parse_tables(create_table(table, ()), "mysql", table.name).get(table.name)
        if parsed is None or [name for name, _, _ in parsed.columns] != [c.name for c in table.columns]:
            return "its columns cannot be read"
        return _mapping_refusal(parsed.columns)
    except UsageError as error:
        return f"its definition cannot be read ({error})"


def _mapping_refusal(columns: tuple[tuple[str, str, bool], ...]) -> str | None:
    from medallion_cli.ddl import Column

    for name, mysql, nullable in columns:
        column = Column(name, mysql, nullable)
        try:
            _ = column.spark, column.redshift, column.canonical
        except UsageError:
            return f"its column {name} is {mysql}, for which Redshift has nothing"
    return None


def _notes(table: Existing, taken: set[str]) -> Iterator[str]:
    for column in table.columns:
        if column.generated:
            yield f"{column.name} is computed by the source; DMS may leave it out"
        if re.match(r"(?i)long(text|blob)|mediumblob|mediumtext", column.type):
            yield f"{column.name} is {column.type}: gold keeps 65,535 bytes of a value"
        if (
            column.default
            and "(" in column.default
            and not re.match(r"(?i)current_timestamp", column.default)
        ):
            yield f"{column.name} had the default {column.default}, which is left out"
    if table.engine and table.engine.lower() != "innodb":
        yield f"it was {table.engine}: InnoDB here, as replication wants it"
    for reference in table.references:
        if reference.table not in taken:
            yield f"it refers to {reference.table}, which is left out"
