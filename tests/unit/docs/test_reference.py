"""The command reference, the examples, the JSON schemas and what Tab offers are those of the commands that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from test_commands import TREE, fault

from medallion_cli.cli import _globals_first, _run, app
from medallion_cli.commands import completion
from medallion_cli.commands.documents import DOCUMENTS, schema
from medallion_cli.commands.examples import EXAMPLES
from medallion_cli.documents import schemas
from medallion_cli.documents.reference import reference
from medallion_cli.settings import OVERRIDES

ROOT = Path(__file__).parents[3]


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """(path, command) of everything that does something."""
    for name, each in command.commands.items():
        if not hasattr(each, "commands") or each.invoke_without_command:
            yield " ".join([*path, name]), each
        if hasattr(each, "commands"):
            yield from commands(each, (*path, name))


READ = re.compile(r"(?:environ\.get\(|environ\[|envvar=|_root\()\"(MEDALLION_\w+|JAVA_HOME|PAGER)\"")
COLOUR = re.compile(r"\x1b\[(?:3|4|9)\d")
ALL = dict(commands(TREE))


def test_the_reference_is_what_the_commands_say() -> None:
    again = "python -m medallion_cli.documents.reference > docs/commands.md"
    assert (ROOT / "docs/commands.md").read_text(encoding="utf-8") == reference(), again


def test_the_reference_names_every_variable_that_is_read() -> None:
    read = {f"MEDALLION_{name.upper()}" for name in OVERRIDES}
    sources = [path for path in (ROOT / "medallion_cli").rglob("*.py") if path.name != "spark_job.py"]
    for path in sources:  # that one's are set by what starts it
        read |= set(READ.findall(path.read_text(encoding="utf-8")))
    assert {"MEDALLION_ENV", "MEDALLION_STATE_HOME", "JAVA_HOME", "PAGER"} <= read
    section = reference().partition("## Environment variables")[2].partition("\n## ")[0]
    assert [name for name in sorted(read) if f"`{name}`" not in section] == []


@pytest.mark.parametrize("path", ALL)
def test_every_command_shows_an_example_that_can_be_typed(path: str) -> None:
    assert path in EXAMPLES
    assert [line for line in EXAMPLES[path] if fault(line.partition(" > ")[0])] == []
    context = typer.Context(ALL[path], info_name=path)
    shown = ALL[path].get_help(context)
    assert f"Examples:\n    {EXAMPLES[path][0]}" in shown


GROUPS = {"": TREE} | {name: each for name, each in TREE.commands.items() if hasattr(each, "commands")}


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_shows_examples_that_can_be_typed(group: str) -> None:
    shown = GROUPS[group].get_help(typer.Context(GROUPS[group], info_name=group))
    examples = [line.strip() for line in shown.partition("Examples:\n")[2].splitlines()]
    assert examples
    assert [
        line for line in examples if not line.startswith(f"medallion {group}".rstrip()) or fault(line)
    ] == []


def test_there_are_no_examples_of_what_is_gone() -> None:
    assert sorted(set(EXAMPLES) - set(ALL)) == []
    assert sorted(set(DOCUMENTS) - set(ALL)) == []


@pytest.mark.parametrize("path", DOCUMENTS)
def test_every_document_has_a_schema_with_a_version(path: str) -> None:
    from jsonschema import Draft202012Validator

    found = schema(path)
    Draft202012Validator.check_schema(found)
    assert found["$id"] == f"urn:medallion:{path.replace(' ', '-')}:1"


def test_every_command_prints_json_that_has_a_schema() -> None:
    assert sorted(set(ALL) - {"schema"} - set(DOCUMENTS)) == []  # which prints a schema itself


SCHEMAS = ROOT / "docs/schemas"
WRITTEN = "python -m medallion_cli.documents.schemas docs/schemas"


@pytest.mark.parametrize("name", schemas.files())
def test_a_schema_takes_nothing_back(name: str) -> None:
    """Within a version keys are only added."""
    kept = SCHEMAS / name
    assert kept.is_file(), f"a command's first schema: {WRITTEN}"
    old, new = json.loads(kept.read_text(encoding="utf-8")), json.loads(schemas.files()[name])
    raised = old["$id"] != new["$id"]
    broken = [] if raised else list(schemas.taken_back(old, new))
    assert broken == [], "additions only; otherwise raise its version in medallion_cli/commands/documents.py"
    assert kept.read_text(encoding="utf-8") == schemas.files()[name], f"only additions, so: {WRITTEN}"


def test_no_schema_of_a_command_that_is_gone_is_kept() -> None:
    assert sorted({path.name for path in SCHEMAS.iterdir()} - set(schemas.files())) == [], WRITTEN


OLD = {"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["a", "b"]}


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ({**OLD, "properties": {**OLD["properties"], "c": {}}, "required": ["a", "b", "c"]}, []),
        ({**OLD, "required": ["a"]}, ["$: b is not sure any more"]),
        ({**OLD, "properties": {"a": {"type": "string"}}}, ["$.properties.b is gone"]),
        ({**OLD, "properties": {"a": {"type": "integer"}, "b": {}}}, ["$.properties.a.type: 'string' is 'integer'"]),
        ({"anyOf": [OLD]}, ["$.type is gone", "$.properties is gone"]),
    ],
)  # fmt: skip
def test_what_a_schema_takes_back_is_named(new: Any, said: list[str]) -> None:
    found = list(schemas.taken_back(OLD, new))
    assert [one for one in found if "not sure" not in one] == [one for one in said if "not sure" not in one]
    assert ("$: b is not sure any more" in found) == (bool(said) and new.get("required") != OLD["required"])


READ_ONLY = {
    "schema", "validate", "plan", "outputs", "cost", "drift", "status", "logs", "runs", "runs show", "verify", "trace",
    "query", "peek", "lineage", "policy", "quarantine list", "quarantine show", "replicate status", "doctor explain",
    "local status", "dashboard",
}  # fmt: skip
WITHOUT = {
    "up": "`plan` says it",
    "demo": "`up`, `seed`, `run`: each of them says it",
    "doctor": "without --fix it says what --fix would do",
    "local start": "starts processes; what they hold is as it was",
    "local stop": "ends processes; what they hold stays",
    "local simulate": "a rehearsal; --clear takes it back",
}


def test_every_command_that_changes_something_can_say_so_first() -> None:
    has = {path for path, command in ALL.items() if any("--dry-run" in p.opts for p in command.params)}
    assert sorted(set(ALL) - READ_ONLY - set(WITHOUT)) == sorted(has)
    helps = {p.help for path in has for p in ALL[path].params if "--dry-run" in p.opts}
    assert helps == {"Say what would be done; change nothing."}


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("medallion run --table or", ["orders", "order_items"]),
        ("medallion merge fact", ["fact_sales", "fact_payments"]),
        ("medallion run --layer ", ["bronze", "silver", "gold"]),
        ("medallion --env d", ["dev"]),
        ("medallion status --env ", ["dev", "local", "prod"]),
        ("medallion run --full --tab", ["--table"]),
        ("medallion doctor explain MED-DMS-03", ["MED-DMS-030"]),
        ("medallion peek sil", ["silver"]),
        ("medallion --project tests/projects/sakila peek gold fact_p", ["fact_payment"]),
        ("medallion peek silver orders_", ["orders_changes"]),
        ("medallion peek gold orders_c", []),
        ("medallion logs ", ["source", "stepfunctions", "mysql", "engines", "bronze"]),
        ("medallion replay --layer ", ["silver", "gold"]),
        ("medallion replay --from ", ["all"]),
        ("medallion lineage v_tot", ["v_total_sales"]),
        ("medallion lineage sales_over", ["sales_over_time"]),
        ("medallion lineage v_total_sales.rev", ["v_total_sales.revenue"]),
        ("medallion lineage orders.sta", ["orders.status"]),
        ("medallion run --outp", ["--output"]),
        ("medallion --project no/such/folder run --table ", []),
    ],
)
def test_tab_offers_names(
    line: str, offered: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    words = line.split()
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - (0 if line.endswith(" ") else 1)))
    assert completion.answer(typer.main.get_command(app), "complete_bash", _globals_first) == 0
    found = capsys.readouterr().out.split()
    assert set(offered) <= set(found)
    assert bool(offered) == bool(found)


def accepted() -> dict[tuple[str, str], list[str]]:
    """(command, parameter) → the words that the command itself takes, of all that take a few words only."""
    from medallion_cli.local.replication.simulation import KINDS
    from medallion_cli.operations import logs, peek, replay, run
    from medallion_cli.operations.deployment import code

    return {
        ("run", "layer"): list(run.LAYERS),
        ("replay", "layer"): list(replay.LAYERS),
        ("peek", "layer"): list(peek.LAYERS),
        ("logs", "where"): list(logs.GROUPS),
        ("up", "only"): list(code.PARTS),
        ("local simulate", "kind"): list(KINDS),
        ("model add", "kind"): ["copy", "upsert", "scd2", "refresh"],
    }


def test_tab_offers_the_words_that_a_command_takes() -> None:
    line = completion.Line(typer.Context(TREE))
    for place, words in accepted().items():
        names = completion.OWN.get(place) or completion.COMMON[place[1]]
        assert sorted(names(line)) == sorted(words), place


def test_there_are_no_other_fixed_words() -> None:
    offers = [
        (
            (path, parameter.name),
            completion.OWN.get((path, parameter.name)) or completion.COMMON.get(parameter.name),
        )
        for path, command in ALL.items()
        for parameter in command.params
    ]
    fixed = {place for place, names in offers if getattr(names, "__name__", "") in ("<lambda>", "logged")}
    assert fixed == set(accepted())


def test_tab_offers_runs_and_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from medallion_cli.operations import runs

    class Brief:
        run_id = "run-20260101T020000Z-3f2a"

    asked: list[str] = []
    monkeypatch.setattr(runs, "recent", lambda *_: asked.append("runs") or [Brief()])
    monkeypatch.setattr("medallion_cli.commands.local.exists", lambda call: True)
    monkeypatch.setattr("medallion_cli.commands.local.seen", lambda call: ["stopped"])
    assert completion.runs(completion.Line(typer.Context(TREE))) == []
    assert asked == []


def test_a_pipe_gets_neither_colour_nor_animation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert _run(["lineage", "fact_sales"]) == 0
    said = capsys.readouterr()
    assert "fact_sales" in said.out
    assert "\x1b" not in said.out + said.err


def test_a_terminal_gets_no_colour_where_nobody_wants_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert _run(["lineage", "fact_sales"]) == 0
    assert COLOUR.search(capsys.readouterr().out)
    monkeypatch.setenv("NO_COLOR", "1")
    assert _run(["lineage", "fact_sales"]) == 0
    assert not COLOUR.search(capsys.readouterr().out)
