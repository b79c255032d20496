"""The shape of `configs/pipeline.yaml`, and how YAML files are read: unknown keys refused, errors with file, line and key."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from medallion_cli import durations
from medallion_cli.errors import UsageError
from medallion_cli.expectations import KINDS

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
CLEANING = ("trim", "lower", "upper", "null_if_empty")


class Entry(BaseModel):
    """Base of everything read from YAML."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, frozen=True)


class SourceEntry(Entry):
    """The source database."""

    schema_: Name = Field(alias="schema")
    ddl: str
    time_zone: str = "UTC"


class CalendarEntry(Entry):
    """First and last day of dim_date."""

    from_: date = Field(alias="from")
    to: date


class BusinessEntry(Entry):
    """What the numbers mean."""

    model_config = ConfigDict(extra="allow", populate_by_name=True, frozen=True)

    time_zone: str = "UTC"
    currency: str = "EUR"
    sales_statuses: list[str] = []
    calendar: CalendarEntry | None = None

    @field_validator("time_zone")
    @classmethod
    def known_zone(cls, value: str) -> str:
        """IANA names only, as Spark and Redshift take them."""
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"no time zone {value!r}") from error
        return value


Scalar = bool | int | float | datetime | date | str


class ExpectationEntry(Entry):
    """A row rule: exactly one of the kinds, by column; and what follows for rows that break it."""

    expression: str | None = None
    not_null: Name | Annotated[list[Name], Field(min_length=1)] | None = None
    unique: Name | Annotated[list[Name], Field(min_length=1)] | None = None
    matches: Annotated[dict[Name, str], Field(min_length=1)] | None = None
    between: Annotated[dict[Name, tuple[Scalar | None, Scalar | None]], Field(min_length=1)] | None = None
    in_: Annotated[dict[Name, Annotated[list[Scalar], Field(min_length=1)]], Field(min_length=1)] | None = (
        Field(default=None, alias="in")
    )
    references: Annotated[dict[Name, str], Field(min_length=1)] | None = None
    on_fail: Literal["warn", "drop", "quarantine", "fail"] = "warn"

    def rule(self, kind: str) -> object:
        """What stands beside the kind; None when it is not the one."""
        return getattr(self, "in_" if kind == "in" else kind)

    @property
    def kind(self) -> str:
        """The one that is given."""
        return next(kind for kind in KINDS if self.rule(kind) is not None)

    @model_validator(mode="after")
    def one_rule(self) -> Self:
        """One kind an entry; patterns compile; references name `table.column` of one table."""
        given = [kind for kind in KINDS if self.rule(kind) is not None]
        if len(given) != 1:
            raise ValueError(
                f"an expectation is one of {', '.join(KINDS)}; here are {', '.join(given) or 'none'}"
            )
        for pattern in (self.matches or {}).values():
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no pattern: {error}") from error
        for column, (low, high) in (self.between or {}).items():
            if low is None and high is None:
                raise ValueError(f"between: {column} needs a lower or an upper end")
        targets = [target.rpartition(".") for target in (self.references or {}).values()]
        if (
            any(not table or not column for table, _, column in targets)
            or len({t for t, _, _ in targets}) > 1
        ):
            raise ValueError("references is {column: table.column}, and of one table")
        return self


# As it is written; what is kept are seconds.
_LENGTH = r"^\s*\d+(\.\d+)?\s*([sS]([eE][cC])?|[mM]([iI][nN])?|[hH]|[dD]([aA][yY][sS]?)?|[wW])?\s*$"
Seconds = Annotated[
    float | None,
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": _LENGTH}, {"type": "number"}, {"type": "null"}]}),
]


class FreshnessEntry(Entry):
    """How far data may be behind the source: `30 min`, `6 h`; None: as the pipeline says."""

    warn_after: Seconds = None
    error_after: Seconds = None

    @field_validator("warn_after", "error_after", mode="before")
    @classmethod
    def length(cls, value: object) -> float | None:
        """Seconds of a length of time."""
        return None if value is None else durations.seconds(str(value))


class TableEntry(Entry):
    """A source table; columns come from the DDL. `personal` are those that tell of a person.

    `schema_drift`: what follows when the source's columns are not those of the DDL (docs/data-over-time.md).
    """

    key: list[Name] = []
    personal: list[Name] = []
    freshness: FreshnessEntry = FreshnessEntry()
    clean: dict[Name, list[Literal["trim", "lower", "upper", "null_if_empty"]]] = {}
    expectations: dict[Name, ExpectationEntry] = {}
    bad_files: Literal["set_aside", "fail"] | None = (
        None  # what a broken bronze file does; None: as the pipeline
    )
    schema_drift: Literal["evolve", "ignore", "fail"] = "evolve"


class LookupEntry(Entry):
    """A surrogate key looked up in a dimension."""

    dimension: Name
    on: dict[Name, Name] = Field(alias="match")
    as_of: Name


class ModelEntry(Entry):
    """A gold model; `personal` are columns that tell of a person, beside those that its SELECT takes from such ones."""

    kind: Literal["copy", "upsert", "scd2", "refresh"]
    key: list[Name] = []
    surrogate: Name | None = None
    source: Name | None = Field(default=None, alias="from")
    inputs: dict[Name, str] = {}
    lookups: dict[Name, LookupEntry] = {}
    personal: list[Name] = []
    freshness: FreshnessEntry = FreshnessEntry()

    @model_validator(mode="after")
    def complete(self) -> Self:
        """Each kind has what it needs."""
        if self.kind != "copy" and not self.key:
            raise ValueError(f"a model of kind {self.kind} needs a key")
        if self.kind in ("upsert", "scd2") and not self.inputs:
            raise ValueError(f"a model of kind {self.kind} needs inputs")
        if self.kind == "scd2" and not self.surrogate:
            raise ValueError("a model of kind scd2 needs a surrogate")
        if (self.kind == "refresh") != (self.source is not None):
            raise ValueError("`from` names the fact of a refresh model, and only of that")
        return self


class PipelineFile(Entry):
    """The file."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,19}$")]
    source: SourceEntry
    business: BusinessEntry = BusinessEntry()
    freshness: FreshnessEntry = FreshnessEntry()
    bad_files: Literal["set_aside", "fail"] = "set_aside"
    tables: dict[Name, TableEntry] = Field(min_length=1)
    models: dict[Name, ModelEntry] = {}

    @model_validator(mode="after")
    def references(self) -> Self:
        """Lookups and refreshes name earlier models, so that merging in order is right."""
        seen: dict[str, str] = {}
        for name, model in self.models.items():
            for column, lookup in model.lookups.items():
                if seen.get(lookup.dimension) != "scd2":
                    raise ValueError(
                        f"models.{name}.lookups.{column}: no earlier scd2 model {lookup.dimension}"
                    )
            if model.source is not None and seen.get(model.source) not in ("upsert", "copy"):
                raise ValueError(f"models.{name}.from: no earlier upsert model {model.source}")
            seen[name] = model.kind
        return self

    @classmethod
    def read(cls, path: Path) -> PipelineFile:
        """Parses `path`."""
        return parse(cls, path)


T = TypeVar("T", bound=BaseModel)


def parse(kind: type[T], path: Path, overrides: dict[str, Any] | None = None) -> T:
    """Reads a YAML file into `kind`; UsageError says file, line and dotted key of the first fault."""
    document = read_yaml(path)
    try:
        return kind.model_validate({**document, **(overrides or {})})
    except ValidationError as error:
        first = error.errors()[0]
        dotted = ".".join(str(part) for part in first["loc"])
        line = _line_of(path, first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        at = f"{path.name}:{line}: {dotted}" if dotted else f"{path.name}"
        raise UsageError(f"{at}: {message}", hint=f"edit {path}") from None


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; UsageError with the line when it is not YAML or not a mapping."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise UsageError(f"{path.name}{line}: not valid YAML: {problem}", hint=f"edit {path}") from None
    if not isinstance(document, dict):
        raise UsageError(f"{path.name}: expected a mapping of keys", hint=f"edit {path}")
    return document


def _line_of(path: Path, location: tuple[int | str, ...]) -> int:
    """The line of the deepest part of `location` that stands in the file."""
    node = yaml.compose(path.read_text(encoding="utf-8"))
    line = 1
    for part in location:
        found = None
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == str(part)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            found = (node.value[part], node.value[part])
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line
