"""`--dry-run` says what would be done and does nothing; what changes something prints one JSON document of its schema."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from clock import Clock, stopped
from fake_environment import OUTPUTS, Environment
from fake_stacks import Stacked
from jsonschema import Draft202012Validator
from test_retry import INPUT, Runs

from medallion_cli.aws.warehouse_values import Rows
from medallion_cli.cli import main
from medallion_cli.commands import demo, local
from medallion_cli.commands.context import Invocation, invocation
from medallion_cli.commands.documents import DOCUMENTS, schema
from medallion_cli.errors import CheckFailed, MedallionError
from medallion_cli.operations import dry_runs, erase, lock, paused, replicate, source_database
from medallion_cli.operations import pause as pausing
from medallion_cli.operations.deployment import apply
from medallion_cli.operations.deployment import plan as plans
from medallion_cli.operations.deployment.findings import Finding, Severity
from medallion_cli.operations.deployment.plan import DeployPlan
from medallion_cli.operations.erase import Erasure
from medallion_cli.operations.lock import Holder
from medallion_cli.operations.package import STACKS
from medallion_cli.operations.paused import SMALLEST

ROOT = Path(__file__).parents[3]
HOLDER = Holder("me@here", "up", "2026-01-01T00:00:00+00:00", "here", 1, "1", "token")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stopped(monkeypatch, replicate, source_database, pausing)


class Typed:
    """Types command lines in an environment that is in memory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys
        monkeypatch.chdir(ROOT)
        monkeypatch.setattr(Invocation, "change", lambda call, _, steps: call.terminal.follow(steps))
        self.on(Runs())

    def on(self, environment: Any) -> None:
        self.environment = environment
        self.monkeypatch.setattr(Invocation, "target", environment)
        self.monkeypatch.setattr(Invocation, "outputs", OUTPUTS)

    def json(self, *words: str, code: int = 0, env: str = "dev") -> Any:
        """The one document of a command, which is as its schema says."""
        with pytest.raises(SystemExit) as ended:
            main(["--env", env, "--output", "json", *words])
        said = self.capsys.readouterr()
        assert ended.value.code == code, said.err
        document = json.loads(said.out)
        path = next(name for name in (" ".join(words[:2]), words[0]) if name in DOCUMENTS)
        Draft202012Validator(schema(path)).validate(document)
        return document

    def would(self, *words: str, env: str = "dev") -> list[str]:
        """What it would do; and that it did none of it."""
        found = self.json(*words, "--dry-run", env=env)
        assert self.environment.asked == []
        assert (found["version"], found["dry_run"]) == (1, True)
        return list(found["would"])


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    return Typed(monkeypatch, capsys)


def test_pause_and_resume(typed: Typed) -> None:
    off = ["switch shop-pipeline off (rate(15 minutes))", "switch shop-housekeeping off (rate(15 minutes))"]
    assert typed.would("resume") == []
    assert typed.would("pause", "--schedule") == off
    assert typed.would("resume", "--schedule") == ["switch shop-generator on (rate(15 minutes))"]
    assert typed.would("pause") == [
        *off,
        "stop replication, which is running; it can resume where it stopped",
        f"make the replication instance {SMALLEST}; it is dms.t3.medium",
        "stop the source database shop-source",
    ]
    target: Any = typed.environment
    list(pausing.pause(target, OUTPUTS, target.settings))
    target.asked.clear()
    assert typed.would("pause") == []
    since = paused.read(target)
    assert since is not None
    assert typed.would("resume") == [
        "start the source database shop-source",
        f"make the replication instance dms.t3.medium again; it is {SMALLEST}",
        "resume replication, which is stopped",
        "switch shop-pipeline on (rate(15 minutes))",
        "switch shop-housekeeping on (rate(15 minutes))",
        f"forget that shop is paused since {since.at:%Y-%m-%d %H:%M} UTC",
    ]


def test_resume_tells_whether_anything_was_paused(typed: Typed) -> None:
    assert typed.json("resume") == {"version": 1, "resumed": False}
    target: Any = typed.environment
    list(pausing.pause(target, OUTPUTS, target.settings))
    assert typed.json("resume") == {"version": 1, "resumed": True}


@pytest.mark.parametrize(
    ("task", "started", "start", "stop"),
    [
        ("running", True, [], ["stop replication, which is running; it can resume where it stopped"]),
        ("stopped", True, ["resume replication, which is stopped"], []),
        ("ready", False, ["start replication with a full load into bronze/g0001"], []),
    ],
)
def test_replicate(typed: Typed, task: str, started: bool, start: list[str], stop: list[str]) -> None:
    typed.environment.task, typed.environment.started = task, started
    assert typed.would("replicate", "start") == start
    typed.environment.task = task
    assert typed.would("replicate", "stop") == stop


def test_replicate_prints_where_it_stands(typed: Typed) -> None:
    assert typed.json("replicate", "stop") == {"version": 1, "status": "stopped", "generation": "g0001"}
    dry = typed.json("replicate", "reload", "--dry-run")
    assert (dry["generation"], dry["would"][1]) == ("g0002", "writes bronze/g0002; what is in g0001 stays")


def test_a_run_is_started_attached_to_or_waited_for(typed: Typed) -> None:
    beat = "write a heartbeat at the source and wait until bronze holds it"
    assert typed.would("run") == [beat, "start a run of silver, gold: all tables"]
    assert typed.would("run", "--layer", "bronze") == [beat]
    one = typed.would("run", "--layer", "gold", "--table", "orders", "--full")
    assert one[0].startswith("start a run of gold: orders; ")
    assert one[0].endswith("; gold in full")
    typed.on(Runs(("run-1", "RUNNING")))
    assert typed.would("run", "--layer", "gold") == ["wait for run-1", "start a run of gold: all tables"]
    typed.on(Runs(("run-1", "RUNNING")))
    assert typed.would("run")[1] == "attach to run-1, in flight since 00:00:00"
    assert INPUT["layers"] == ["silver", "gold"]


def test_a_retry_says_how(typed: Typed) -> None:
    typed.on(Runs(("run-1", "FAILED")))
    assert typed.would("retry") == ["redrive run-1, which failed"]
    typed.on(Runs(("run-1", "FAILED"), redriveStatus="NOT_REDRIVABLE", redriveStatusReason="too old"))
    assert typed.would("retry") == ["start anew what run-1 had to do, as it cannot be redriven (too old)"]
    typed.on(Runs(("run-1", "SUCCEEDED")))
    assert typed.would("retry", "run-1") == ["leave run-1 alone, which succeeded"]


def test_quarantine_and_housekeeping_are_runs(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    judged = typed.would("quarantine", "replay", "orders")
    assert judged[0] == "judge every row of orders anew by the rules that are deployed"
    assert judged[1].startswith("start a run of silver, gold: orders; ")
    monkeypatch.setattr(erase, "generations", lambda *_: ["g0001", "g0002", "g0003"])
    until = {"g0001": "2026-01-01", "g0002": "9999-01-01", "g0003": None}
    monkeypatch.setattr(erase, "kept_until", lambda *_: until)
    assert typed.would("housekeeping") == [
        "start a run of housekeeping: all tables",
        "delete bronze/g0001, kept until 2026-01-01, if silver holds its successor of every table",
    ]


def test_what_the_real_one_refuses_is_refused(typed: Typed) -> None:
    target: Any = typed.environment
    list(pausing.pause(target, OUTPUTS, target.settings))
    with pytest.raises(MedallionError, match="is paused"):
        list(dry_runs.of_start(target, OUTPUTS))


def test_a_lock(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "holder", lambda _: None)
    assert typed.would("unlock") == []
    assert typed.json("unlock", "--yes") == {"version": 1, "unlocked": False, "holder": None}
    monkeypatch.setattr(lock, "holder", lambda _: HOLDER)
    assert typed.would("unlock") == [f"break the lock of {HOLDER}"]
    assert typed.json("unlock", "--yes") == {"version": 1, "unlocked": True, "holder": str(HOLDER)}
    assert typed.environment.asked == ["delete_parameter"]


def test_down_names_stacks_and_what_stays() -> None:
    target: Any = Stacked()
    kept = list(dry_runs.of_down(target, target.settings, delete_data=False))
    assert kept[: len(STACKS)] == [f"delete the stack shop-{stack}" for stack in reversed(STACKS)]
    assert "keep the bucket shop-bronze-0123456789ab (2 objects)" in kept
    gone = list(dry_runs.of_down(target, target.settings, delete_data=True))
    assert "delete the bucket shop-bronze-0123456789ab (2 objects)" in gone
    assert target.told == target.asked == []


def test_down_and_reset_of_what_is_on_this_machine(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[str] = []
    monkeypatch.setattr(local, "exists", lambda _: not gone)
    monkeypatch.setattr(local, "remove", lambda call: gone.append(call.env))
    both = (typed.would("local", "reset", env="local"), typed.json("down", "--dry-run", env="local")["would"])
    assert both[0] == both[1]
    assert gone == []
    assert typed.json("local", "reset", "--yes", env="local")["removed"] is True
    assert typed.json("down", "--yes", env="local") == []


def test_a_merge_names_what_gold_lacks(typed: Typed) -> None:
    class Gold:
        def execute(self, sql: str, _: object = None) -> Rows:
            if "etl.shape" in sql:
                return Rows((), (("fact_sales", "hash-of-its-columns"),))
            return Rows((), (("dim_customer", "to", "hash"),) if "etl.load" in sql else ())

    target: Any = Environment()
    models = [{"model": n, "from": None, "to": "to", "hash": "hash"} for n in ("dim_customer", "fact_sales")]
    step = {"run_id": "run-1", "models": models, "load_batches": []}
    target.objects["runs/run-1/silver_to_gold.json"] = json.dumps(step)
    pipeline, gold = Invocation("local", ROOT, terminal=None).pipeline, Gold()  # type: ignore[arg-type]
    found = dry_runs.of_merge(target, OUTPUTS, pipeline, gold, None, "run-1")  # type: ignore[arg-type]
    assert list(found) == ["merge fact_sales of run-1 into gold"]
    assert target.asked == []


def test_an_erasure_counts() -> None:
    nothing = Erasure("orders", {}, {"orders": 0}, {"fact": 0}, [], [], {}, {}, {})
    assert list(dry_runs.of_erase(nothing)) == []
    some = Erasure("orders", {}, {"orders": 1, "orders_changes": 3}, {"fact": None}, ["a"], [], {}, {}, {})
    assert list(dry_runs.of_erase(some)) == [
        "erase 1 rows of silver's orders",
        "erase 3 rows of silver's orders_changes",
        "delete 1 objects of staging",
        "evaluate gold anew: fact",
    ]


def test_a_look_before_erasing_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"live": True, "rows": {}}
    monkeypatch.setattr(erase, "refuse_living", lambda *_: None)
    monkeypatch.setattr(erase.runs, "run", lambda *_: pytest.fail("a run was started"))
    monkeypatch.setattr(erase, "_job", lambda *_: found)
    call: Any = Invocation("local", ROOT, terminal=None)  # type: ignore[arg-type]
    table = call.pipeline.table("orders")
    with pytest.raises(MedallionError, match="not from silver yet"):
        list(erase.look(call, {}, call.settings, call.pipeline, call, table, {"order_id": "1"}, arrive=False))


def test_a_seed_asks_the_source() -> None:
    class Foreseeing:
        def call(self, operation: str, **given: object) -> Any:
            assert (operation, given) == ("foresee", {"wanted": 100, "seed": 7})
            return {"rows": {"brands": 10, "orders": 60, "parts": 0}, "done": 30}

    source: Any = Foreseeing()
    assert list(dry_runs.of_seed(source, 100, 5, 7)) == [
        "go on with seed 7 after 30 of 100 rows",
        "insert 10 rows into brands",
        "insert 60 rows into orders",
        "make 5 changes: rows of all tables inserted, updated and deleted",
    ]


def test_init_writes_nothing(typed: Typed, tmp_path: Path) -> None:
    found = typed.json("init", str(tmp_path / "shop"), "--dry-run")
    assert f"write {tmp_path / 'shop/configs/pipeline.yaml'}" in found["would"]
    assert not (tmp_path / "shop").exists()


def test_up_prints_one_document(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "deploy", lambda *_, **__: iter(()))
    monkeypatch.setattr("medallion_cli.commands.provision.fill", lambda _: False)
    found = typed.json("up", "--yes", env="local")
    assert (found["changed"], found["plan"], found["copied"]) == (True, None, False)


@pytest.mark.parametrize(("severity", "code"), [("note", 0), ("stop", 3)])
def test_up_on_aws_prints_one_document_with_its_plan(
    typed: Typed, monkeypatch: pytest.MonkeyPatch, severity: Severity, code: int
) -> None:
    def planned(*_: object, **__: object) -> Generator[Any, None, DeployPlan]:
        yield from ()
        return DeployPlan([], [Finding("MED-UP-001", severity, "what is told")])

    monkeypatch.setattr(plans, "plan", planned)
    monkeypatch.setattr(apply, "deploy", lambda *_, **__: iter(()))
    monkeypatch.setattr("medallion_cli.commands.provision.fill", lambda _: False)
    found = typed.json("up", "--yes", code=code)
    assert found["changed"] is (code == 0)
    assert found["plan"]["findings"][0]["code"] == "MED-UP-001"


def test_a_demo_prints_one_document_even_when_a_step_fails(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(name: str, fails: bool = False) -> Any:
        def step(context: Any, **_: object) -> None:
            invocation(context).terminal.document({"of": name})
            if fails:
                raise CheckFailed("different")

        return step

    monkeypatch.setattr(demo.provision, "up", told("up"))
    monkeypatch.setattr(demo, "seed", told("seed"))
    monkeypatch.setattr(demo, "run", told("run"))
    monkeypatch.setattr(demo.checks, "verify", told("verify", fails=True))
    found = typed.json("demo", code=3, env="local")
    assert [(s["command"], s["document"]["of"]) for s in found["steps"]] == [
        (name, name) for name in ("up", "seed", "run", "seed", "run", "verify")
    ]
