"""Each broken situation of an environment is named by doctor, with its code and the command that mends it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clock import stopped
from fake_environment import OUTPUTS, Document
from fake_stacks import GIVEN, Stacked

from medallion_cli.errors import AwsError
from medallion_cli.operations import paused, replicate
from medallion_cli.operations.doctor.catalogue import CATALOGUE
from medallion_cli.operations.doctor.diagnose import CHECKS, Diagnosis, diagnose
from medallion_cli.operations.doctor.fixes import FIXES, fix
from medallion_cli.operations.doctor.look import Look
from medallion_cli.operations.doctor.rules import Finding
from medallion_cli.operations.lock import Holder
from medallion_cli.spec import Pipeline

FOUND = {**OUTPUTS, **GIVEN["storage"], "WorkgroupName": "shop", "WorkgroupArn": "arn:workgroup"}
RUN = "run-20260101T000000Z-ab12"


class Watched(Stacked):
    """A healthy environment that has just run; tests break one thing of it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime.now(UTC)
        self.run_status, self.cause = "SUCCEEDED", ""
        self.ran = self.now - timedelta(minutes=1)
        self.latency: float | None = 0.0
        self.changed = self.now - timedelta(minutes=5)
        self.files: dict[str, tuple[str, datetime]] = {}  # prefix → a file that silver has not taken
        self.silver: Document = {"state": "ok", "read": 5, "rows": 5}
        self.workgroup, self.skew = "AVAILABLE", 0.0
        self.settings_of_source: dict[str, str | None] = {"log_bin": "ON", "binlog_format": "ROW"}
        self.replication_user = True
        self.quotas: list[Document] = []
        self.schedules = dict.fromkeys(self.schedules, "DISABLED")
        self.bootstrapped = 0
        self.ddls = 0
        self.dropped: set[str] = set()  # tables of the source
        self.empty: list[str] = []
        self.columns: dict[str, list[list[str]]] = {}
        self.more: dict[str, list[list[str]]] = {}
        generation = {"ParameterKey": "Generation", "ParameterValue": "g0001"}
        self.stacks["shop-replication"]["Parameters"] = [generation]

    # what the fake environment lacks

    def _get_caller_identity(self, given: Document) -> Document:
        date = (self.now + timedelta(seconds=self.skew)).strftime("%a, %d %b %Y %H:%M:%S GMT")
        return {"Account": "1", "ResponseMetadata": {"HTTPHeaders": {"date": date}}}

    def _describe_account_attributes(self, given: Document) -> Document:
        return {"AccountQuotas": self.quotas}

    def _get_workgroup(self, given: Document) -> Document:
        return {"workgroup": {"status": self.workgroup}}

    def _get_metric_statistics(self, given: Document) -> Document:
        points = [] if self.latency is None else [{"Timestamp": self.now, "Maximum": self.latency}]
        return {"Datapoints": points}

    def _describe_table_statistics(self, given: Document) -> Document:
        found = super()._describe_table_statistics(given)
        return {
            "TableStatistics": [
                {**t, "LastUpdateTime": self.changed, "Ddls": self.ddls} for t in found["TableStatistics"]
            ]
        }

    def _list_executions(self, given: Document) -> Document:
        ended = {"stopDate": self.ran} if self.run_status != "RUNNING" else {}
        one = {"executionArn": "arn:run", "stateMachineArn": "arn:machine", "name": RUN}
        return {"executions": [{**one, "status": self.run_status, "startDate": self.ran, **ended}]}

    def _describe_execution(self, given: Document) -> Document:
        found: Document = self._list_executions({})["executions"][0]
        return {**found, "input": "{}", "cause": self.cause}

    def _list_objects_v2(self, given: Document) -> Document:
        if given["Prefix"] == "runs/":
            return {"CommonPrefixes": [{"Prefix": f"runs/{RUN}/"}]}
        found = self.files.get(given["Prefix"])
        return {"Contents": [{"Key": found[0], "LastModified": found[1]}] if found else []}

    def _get_object(self, given: Document) -> Document:
        if given["Key"].startswith("generations/"):
            return super()._get_object(given)
        tables = [{"table": "orders", **self.silver}]
        steps = {
            "bronze_to_silver": {"started_at": self.ran.isoformat(), "generation": "g0001", "tables": tables},
            "summary": {
                "status": self.run_status,
                "silver": {"tables": tables},
                "state": [{"model": "fact_sales", "rows": 5, "last_loaded_at": self.ran.isoformat()}],
                "error": {"Cause": self.cause},
            },
        }
        step = given["Key"].rpartition("/")[2].removesuffix(".json")
        return {"Body": io.BytesIO(json.dumps(steps[step]).encode())}

    def _invoke(self, given: Document) -> Document:
        operation = json.loads(given["Payload"])["operation"]
        more: Document = {
            "settings": {"settings": self.settings_of_source},
            "columns": {"tables": self.columns, "empty": self.empty},
            "reachable": {"source": "8.4.8", "replication_user": self.replication_user},
        }
        if operation == "bootstrap":
            self.bootstrapped += 1
            self.replication_user = True
            self.settings_of_source["binlog retention hours"] = "72"
            more["bootstrap"] = {"replication_user": "dms", "binlog_retention_hours": 72}
        more["health"] = {**more["reachable"], **more["settings"], "files": self.binlogs}
        if operation in more and self.database == "available" and not self.source_error:
            return {"Payload": io.BytesIO(json.dumps(more[operation]).encode())}
        return super()._invoke(given)

    def call(self, service: str, method: str, given: Document) -> Document:
        if method in (
            "get_caller_identity",
            "get_object",
            "get_workgroup",
        ):  # answers that no model describes here
            if refusal := self.refusals.get(f"{service}.{method}"):
                raise refusal
            found: Document = getattr(self, f"_{method}")(given)
            return found
        return super().call(service, method, given)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def look(aws: Watched, pipeline: Pipeline) -> Look:
    target: Any = aws
    own = {table.name: [[c.name, c.mysql] for c in table.columns] for table in pipeline.tables}
    aws.columns = {name: [*c, *aws.more.get(name, [])] for name, c in own.items() if name not in aws.dropped}
    return Look(target, FOUND, aws.settings, pipeline)


def diagnosis(aws: Watched, pipeline: Pipeline) -> Diagnosis:
    steps = diagnose(look(aws, pipeline))
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            found: Diagnosis = stop.value
            return found


def test_a_healthy_environment_has_no_finding(watched: Watched, pipeline: Pipeline) -> None:
    found = diagnosis(watched, pipeline)
    assert [str(one) for one in found.findings if one.code != "MED-ENV-003"] == []  # the tests' own Python
    assert found.healthy
    assert len(found.passed) >= len(CHECKS) - 2
    assert found.skipped == ["statements"]


@pytest.mark.parametrize(
    ("situation", "skipped"),
    [
        ("the database is stopped", {"source", "binary log", "schema"}),
        ("the database does not answer", {"binary log", "schema"}),
        ("replication failed", {"replication lag", "freshness"}),
        ("it is paused", {"replication", "freshness", "schedules", "schema"}),
    ],
)
def test_a_check_that_did_not_look_has_not_passed(
    situation: str, skipped: set[str], watched: Watched, pipeline: Pipeline
) -> None:
    breaks, _, _ = BROKEN[situation]
    breaks(watched)
    found = diagnosis(watched, pipeline)
    assert {*skipped, "statements"} <= set(found.skipped)
    assert set(found.passed).isdisjoint(found.skipped)
    assert found.document["skipped"] == found.skipped


def _told(aws: Watched, minutes: float) -> tuple[str, datetime]:
    at = aws.now - timedelta(minutes=minutes)
    return "g0001/shop/orders/2026/01/01/20260101-000000000.parquet", at


def _waits(minutes: float) -> Callable[[Watched], None]:
    def breaks(aws: Watched) -> None:
        aws.changed = aws.now
        aws.files["g0001/shop/orders/"] = _told(aws, minutes)

    return breaks


def _set(**values: object) -> Callable[[Watched], None]:
    def breaks(aws: Watched) -> None:
        for name, value in values.items():
            setattr(aws, name, value)

    return breaks


def _failed(cause: str, **silver: object) -> Callable[[Watched], None]:
    def breaks(aws: Watched) -> None:
        aws.run_status, aws.cause = "FAILED", cause
        aws.silver |= silver

    return breaks


def _holds(aws: Watched) -> None:
    old = (aws.now - timedelta(hours=1)).isoformat()
    holder = Holder("a@b", "up", old, "elsewhere", 1, "1", "t")
    aws.parameters["/shop/lock"] = json.dumps(vars(holder))
    renewed = aws.now - timedelta(minutes=30)
    before = aws._get_parameter

    def answer(given: Document) -> Document:
        found: Document = before(given)
        return {"Parameter": {**found["Parameter"], "LastModifiedDate": renewed}}

    aws._get_parameter = answer  # type: ignore[method-assign]


def _pauses(aws: Watched) -> None:
    target: Any = aws
    paused.write(target, paused.Paused("2026-01-01T00:00:00+00:00", (), True, "dms.t3.medium"))


def _old_schedule(aws: Watched) -> None:
    aws.schedules["shop-pipeline"] = "ENABLED"
    aws.ran = aws.now - timedelta(hours=3)
    aws.parameters["/shop/applied/schedules"] = "on"
    aws.schedules = dict.fromkeys(aws.schedules, "ENABLED")


RELOAD = "medallion replicate reload --table orders --yes && medallion run"
UPDATE = f"medallion table update orders && medallion up --yes && {RELOAD}"


def _differs(*more: tuple[str, str]) -> Callable[[Watched], None]:
    """Columns of the source's orders beyond those of the project; replication has counted a DDL statement."""

    def breaks(aws: Watched) -> None:
        aws.more, aws.ddls = {"orders": [list(column) for column in more]}, 1

    return breaks


BROKEN: dict[str, tuple[Callable[[Watched], None], str, str]] = {
    "credentials have expired": (
        lambda aws: aws.refusals.update({"sts.get_caller_identity": AwsError("ExpiredToken", "old", hint="aws sso login")}),
        "MED-ENV-001", "aws sso login",
    ),
    "the clock is wrong": (_set(skew=400.0), "MED-ENV-002", "sudo timedatectl set-ntp true"),
    "somebody died with the lock": (_holds, "MED-ENV-007", "medallion unlock --yes"),
    "it is paused": (_pauses, "MED-ENV-008", "medallion resume"),
    "a stack failed": (
        lambda aws: aws.stacks["shop-source"].update(StackStatus="UPDATE_ROLLBACK_FAILED"),
        "MED-ENV-009", "medallion up --yes",
    ),
    "a stack is gone": (lambda aws: aws.stacks.pop("shop-transform"), "MED-ENV-009", "medallion up --yes"),
    "a quota is nearly used": (
        _set(quotas=[{"AccountQuotaName": "DBInstances", "Used": 39, "Max": 40}]),
        "MED-ENV-012", "aws service-quotas list-service-quotas --service-code rds",
    ),
    "the database is stopped": (_set(database="stopped"), "MED-SRC-001", "medallion doctor --fix"),
    "the database does not answer": (
        _set(source_error="Lost connection"), "MED-SRC-002", "medallion pause && medallion resume",
    ),
    "the replication user is refused": (_set(replication_user=False), "MED-SRC-003", "medallion doctor --fix"),
    "the database is full": (_set(database="storage-full"), "MED-SRC-004", "df -h"),
    "the binlog is purged at once": (
        lambda aws: aws.settings_of_source.update({"binlog retention hours": None}),
        "MED-DMS-003", "medallion doctor --fix",
    ),
    "replication is stopped": (_set(task="stopped"), "MED-DMS-030", "medallion replicate start && medallion run"),
    "replication failed": (
        _set(task="failed", message="Last Error no memory"), "MED-DMS-031", "medallion replicate start && medallion run",
    ),
    "the binlog was purged": (
        _set(task="failed", message="the binlog position is not available any more: 1236"),
        "MED-DMS-032", "medallion replicate reload --yes && medallion run",
    ),
    "the binlog is gone while replication stands": (
        _set(task="stopped", binlogs=["mysql-bin-changelog.000040"]),
        "MED-DMS-032", "medallion replicate reload --yes && medallion run",
    ),
    "the binlog's format is wrong": (
        lambda aws: aws.settings_of_source.update(binlog_format="STATEMENT"),
        "MED-DMS-033", "medallion pause && medallion resume && medallion replicate reload --yes && medallion run",
    ),
    "the row image is wrong": (
        lambda aws: aws.settings_of_source.update(binlog_row_image="MINIMAL"),
        "MED-DMS-033", "medallion pause && medallion resume && medallion replicate reload --yes && medallion run",
    ),
    "a table has an error": (
        lambda aws: aws.tables.append(("shop", "brands", "Table error", 0)),
        "MED-DMS-034", "medallion replicate reload --yes && medallion run",
    ),
    "replication lags": (_set(latency=4000.0), "MED-DMS-035", "medallion logs bronze --since 1h"),
    "replication never ran": (_set(task="ready", started=False), "MED-DMS-036", "medallion replicate start"),
    "the replication instance is gone": (_set(instance="storage-full"), "MED-DMS-037", "medallion resume"),
    "a run failed": (_failed("boom"), "MED-RUN-001", "medallion run"),
    "a run was cut off": (_set(run_status="ABORTED"), "MED-RUN-002", "medallion run"),
    "a change waits for two days": (_waits(2 * 24 * 60), "MED-RUN-003", "medallion run"),
    "a change waits for two hours": (_waits(120), "MED-RUN-004", "medallion run"),
    "a schedule was switched on by hand": (
        lambda aws: aws.schedules.update({"shop-generator": "ENABLED"}), "MED-RUN-005", "medallion pause --schedule",
    ),
    "a schedule starts nothing": (
        _old_schedule, "MED-RUN-006", "medallion pause --schedule && medallion resume --schedule && medallion run",
    ),
    "a table of silver failed": (
        _failed("job failed", state="failed", error="boom"), "MED-SIL-001", "medallion run --table orders",
    ),
    "an expectation fails the table": (
        _failed("job failed", state="failed", error="orders: 3 row(s) break 'positive'"),
        "MED-SIL-002", "medallion run --table orders",
    ),
    "rows are in quarantine": (
        lambda aws: aws.silver.update(quarantined=7),
        "MED-SIL-003", "medallion up --yes && medallion quarantine replay",
    ),
    "a column was added at the source": (
        _differs(("coupon", "varchar(20)")), "MED-SRC-005", UPDATE,
    ),
    "a table was dropped at the source": (
        lambda aws: aws.dropped.add("payments"),
        "MED-SRC-006", "medallion up --only lambda --yes && medallion replicate reload --yes && medallion run",
    ),
    "a table was truncated at the source": (
        _set(empty=["orders"], ddls=1), "MED-SRC-007", RELOAD,
    ),
    "a drifted table fails by its policy": (
        _failed("job failed", state="failed", error="orders: schema drift at the source: a added (int)"),
        "MED-SIL-010", UPDATE,
    ),
    "values do not fit their column": (
        lambda aws: aws.silver.update(drift=[{"column": "note", "change": "retyped", "rows": 3}]),
        "MED-SIL-011", UPDATE,
    ),
    "a number is too wide for gold": (
        _failed("job failed", state="failed", error="order_id holds a number that does not fit int"),
        "MED-SIL-012", UPDATE,
    ),
    "a column of a model is too narrow": (
        _failed("fact_sales: [USER_RAISED_EXCEPTION] quantity holds a number that does not fit int"),
        "MED-SIL-012", "medallion up --yes && medallion run",
    ),
    "a bronze file is broken": (
        _failed("job failed", state="failed", error="orders.parquet is not a Parquet file"),
        "MED-SIL-004", "medallion replicate reload --yes && medallion run",
    ),
    "a bronze file is set aside": (
        lambda aws: aws.silver.update(set_aside=[{"file": "g0001/shop/orders/x.parquet", "reason": "truncated"}]),
        "MED-SIL-004", "medallion replicate reload --yes && medallion run",
    ),
    "a bronze file holds no rows": (
        lambda aws: aws.silver.update(set_aside=[{"file": "g0001/shop/orders/x.parquet", "reason": "no_rows"}]),
        "MED-SIL-005", "medallion quarantine list",
    ),
    "the warehouse is being deleted": (_set(workgroup="DELETING"), "MED-GLD-001", "medallion logs gold --since 1h"),
    "a COPY was refused": (
        _failed("COPY staging.fact_sales: Unmatched number of columns"),
        "MED-GLD-002", "medallion up --only sql --yes && medallion run --full",
    ),
    "a procedure of the warehouse is gone": (
        _failed("ERROR: procedure etl.merge_run(character varying) does not exist"),
        "MED-GLD-006", "medallion up --only sql --yes && medallion run --full",
    ),
    "a job's script is gone": (
        _failed("s3://shop/code/glue/12ab/bronze_to_silver.py does not exist"),
        "MED-RUN-007", "medallion up --yes && medallion run",
    ),
    "positions do not meet": (
        _failed("fact_sales: staged from 3, gold is at 5: restage"), "MED-GLD-003", "medallion run --full",
    ),
    "a table is locked": (_failed("canceling statement due to lock timeout"), "MED-GLD-004", "medallion run"),
}  # fmt: skip


@pytest.mark.parametrize("situation", BROKEN)
def test_a_broken_situation_is_named_with_its_remedy(
    situation: str, watched: Watched, pipeline: Pipeline
) -> None:
    breaks, code, remedy = BROKEN[situation]
    breaks(watched)
    found = {one.code: one for one in diagnosis(watched, pipeline).findings}
    assert code in found, found
    assert found[code].remedy == remedy
    assert found[code].evidence
    assert found[code].consequence


def test_a_number_too_wide_for_a_model_is_widened_where_the_model_is_written_down(
    watched: Watched, pipeline: Pipeline
) -> None:
    breaks, code, _ = BROKEN["a column of a model is too narrow"]
    breaks(watched)
    (found,) = (one for one in diagnosis(watched, pipeline).findings if one.code == code)
    assert found.evidence.endswith("widen it in sql/redshift/tables/fact_sales.sql")


def test_a_number_too_wide_for_a_copy_is_widened_by_its_table(watched: Watched, pipeline: Pipeline) -> None:
    fact = next(one for one in pipeline.models if one.name == "fact_payments")
    copied = replace(fact, name="all_payments", kind="copy")
    breaks, code, _ = BROKEN["a column of a model is too narrow"]
    breaks(watched)
    watched.cause = watched.cause.replace("fact_sales", "all_payments")
    found = diagnosis(watched, replace(pipeline, models=(*pipeline.models, copied))).findings
    (remedy,) = (one.remedy for one in found if one.code == code)
    assert remedy == UPDATE.replace("orders", fact.inputs[0].table)


def _scheduled(aws: Watched, expression: str, hours: float, switched: float | None = None) -> None:
    """A schedule that is on; the last run began, and it was switched on, so many hours ago."""
    _old_schedule(aws)
    aws.ran = aws.now - timedelta(hours=hours)
    before = aws._get_schedule
    changed = {} if switched is None else {"LastModificationDate": aws.now - timedelta(hours=switched)}
    more = {"ScheduleExpression": expression, **changed}
    aws._get_schedule = lambda given: {**before(given), **more}  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("expression", "hours", "switched", "missed"),
    [
        ("rate(15 minutes)", 3, None, True),
        ("rate(15 minutes)", 300, 0.2, False),  # it was off until a moment ago
        ("rate(1 day)", 3, None, False),
        ("cron(0/15 * * * ? *)", 4, None, True),
        ("cron(0 6 ? * MON-FRI *)", 72, None, False),
        ("cron(0 6 * * ? *)", 80, None, True),
        ("at(2026-01-01T00:00:00)", 300, None, False),
    ],
)
def test_a_schedule_that_starts_nothing_is_judged_by_how_often_it_fires(
    expression: str, hours: float, switched: float | None, missed: bool, watched: Watched, pipeline: Pipeline
) -> None:
    _scheduled(watched, expression, hours, switched)
    assert ("MED-RUN-006" in {one.code for one in diagnosis(watched, pipeline).findings}) == missed


@pytest.mark.parametrize("switched", [0.2, 5])
def test_a_schedule_that_never_started_anything_is_found(
    switched: float, watched: Watched, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    _scheduled(watched, "rate(15 minutes)", 0, switched)
    monkeypatch.setattr(watched, "_list_executions", lambda _: {"executions": []})
    found = {one.code: one for one in diagnosis(watched, pipeline).findings}
    assert ("MED-RUN-006" in found) == (switched > 1)


def test_a_run_that_failed_of_stopped_replication_still_failed_when_it_runs_again(
    watched: Watched, pipeline: Pipeline
) -> None:
    _failed("replication is stopped: nothing brings changes")(watched)
    found = diagnosis(watched, pipeline)
    assert not found.healthy
    assert [one.remedy for one in found.findings if one.code == "MED-RUN-001"] == ["medallion run"]
    watched.task = "stopped"
    codes = {one.code for one in diagnosis(watched, pipeline).findings}
    assert "MED-DMS-030" in codes
    assert "MED-RUN-001" not in codes


def test_a_check_that_can_not_look_says_so_and_stops_no_other(watched: Watched, pipeline: Pipeline) -> None:
    watched.refusals["scheduler.get_schedule"] = AwsError(
        "AccessDenied", "no", hint="ask for scheduler:GetSchedule"
    )
    watched.task = "stopped"
    found = {one.code: one for one in diagnosis(watched, pipeline).findings}
    assert found["MED-ENV-013"].remedy == "ask for scheduler:GetSchedule"
    assert "MED-DMS-030" in found


def fixed(aws: Watched, pipeline: Pipeline, findings: list[Finding]) -> list[Any]:
    steps = fix(look(aws, pipeline), findings)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            made: list[Any] = stop.value
            return made


@pytest.mark.parametrize(
    "situation",
    ["the database is stopped", "the replication user is refused", "the binlog is purged at once",
     "replication is stopped", "somebody died with the lock"],
)  # fmt: skip
def test_what_is_safe_is_fixed_and_said(
    situation: str, watched: Watched, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped(monkeypatch, replicate)
    breaks, code, _ = BROKEN[situation]
    breaks(watched)
    made = fixed(watched, pipeline, diagnosis(watched, pipeline).findings)
    assert [one.code for one in made] == [code]
    assert made[0].done
    assert not made[0].error
    assert code not in {one.code for one in diagnosis(watched, pipeline).findings}


def _works(aws: Watched) -> None:
    """Somebody's `up` on another machine, which renews its lock."""
    holder = Holder("a@b", "up", aws.now.isoformat(), "elsewhere", 1, "1", "t")
    aws.parameters["/shop/lock"] = json.dumps(vars(holder))


@pytest.mark.parametrize("situation", ["replication is stopped", "replication never ran", "a stack is gone"])
def test_what_an_up_under_way_has_stopped_is_no_finding(
    situation: str, watched: Watched, pipeline: Pipeline
) -> None:
    breaks, _, _ = BROKEN[situation]
    breaks(watched)
    _works(watched)
    (told,) = (one for one in diagnosis(watched, pipeline).findings if one.code != "MED-ENV-003")
    assert (told.code, told.severity) == ("MED-ENV-016", "note")
    assert told.evidence.startswith("a@b: up since ")


def test_nothing_is_mended_under_somebody_s_hands(watched: Watched, pipeline: Pipeline) -> None:
    watched.task, watched.database = "stopped", "stopped"
    findings = diagnosis(watched, pipeline).findings
    _works(watched)
    made = fixed(watched, pipeline, findings)
    assert [(one.code, one.done) for one in made] == [("MED-SRC-001", ""), ("MED-DMS-030", "")]
    assert all("is held by a@b: up since" in one.error for one in made)
    assert (watched.task, watched.starts, watched.database) == ("stopped", [], "stopped")


def test_what_is_mended_is_mended_under_the_lock(
    watched: Watched, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped(monkeypatch, replicate)
    held: list[bool] = []
    before = watched._start_replication_task

    def start(given: Document) -> None:
        held.append("/shop/lock" in watched.parameters)
        before(given)

    monkeypatch.setattr(watched, "_start_replication_task", start)
    watched.task = "stopped"
    fixed(watched, pipeline, diagnosis(watched, pipeline).findings)
    assert held == [True]
    assert "/shop/lock" not in watched.parameters


def test_only_what_the_catalogue_calls_safe_is_done_by_itself() -> None:
    safe = {rule.code for rule in CATALOGUE.values() if rule.safe}
    assert safe == {*FIXES, "MED-ENV-010"}  # an embedded AWS is started before anything can be asked


def test_a_run_in_flight_is_no_finding(watched: Watched, pipeline: Pipeline) -> None:
    watched.run_status = "RUNNING"
    assert diagnosis(watched, pipeline).healthy
