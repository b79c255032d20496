"""`up` on the embedded AWS: every stack fails in its middle once and is cut off once, and the next `up` always goes on."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Generator
from contextlib import closing
from graphlib import TopologicalSorter
from typing import Any

import pymysql
import pytest
import yaml
from deployed import PREFIX, ROOT, Environment

from medallion_cli.aws.cloudformation import Stacks
from medallion_cli.aws.database import Database
from medallion_cli.aws.schedules import schedules, switch
from medallion_cli.aws.warehouse import connect
from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Finished, Noted
from medallion_cli.local.engines import processes
from medallion_cli.operations import lock, marks, replicate
from medallion_cli.operations import pause as pausing
from medallion_cli.operations.deployment import change_sets
from medallion_cli.operations.deployment.graph import document

pytestmark = [
    pytest.mark.engine,
    # of connections to the daemon that is killed
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
    ),
]
SETTINGS = "infra_templates/replication_settings.yaml"


def waves(graph: dict[str, frozenset[str]]) -> list[list[str]]:
    """Stacks that can be brought at the same time, one wave after the other."""
    sorter, found = TopologicalSorter(graph), list[list[str]]()
    sorter.prepare()
    while sorter.is_active():
        found.append(sorted(sorter.get_ready()))
        sorter.done(*found[-1])
    return found


def test_every_stack_fails_in_its_middle_and_is_cut_off_and_up_goes_on(environment: Environment) -> None:
    deployment = change_sets.prepare(
        environment.target, environment.settings, environment.pipeline, environment.assets
    )
    for stack, body in deployment.package.templates.items():
        names = [n for n, entry in document(body)["Resources"].items() if "Condition" not in entry]
        environment.break_(stack, names[len(names) // 2])
    for wave in waves(deployment.graph):
        fails(environment, wave)
        for stack in wave:
            environment.mend(stack)
        is_killed(environment, wave)
        if wave == ["orchestration"]:
            loses_its_daemon(environment, "observability")
    is_killed_in_the_warehouse(environment)
    environment.up()
    assert set(environment.statuses().values()) <= {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
    assert environment.pending() == []
    assert lock.holder(environment.target) is None


def fails(environment: Environment, wave: list[str]) -> None:
    """`up` tells the root cause of one, and nothing of what only followed, until all of the wave have rolled back.

    After a failure nothing new is begun: a stack whose turn had not come fails the next time.
    """
    for _ in wave:
        with pytest.raises(MedallionError) as raised:
            environment.up()
        assert re.match(
            rf"{PREFIX}-({'|'.join(wave)}): Faulty \(AWS::Lambda::Function\) could not be created: .*"
            r"(retail-nowhere|bucket does not exist)",
            str(raised.value),
        ), raised.value
        assert "cancelled" not in str(raised.value)
        assert not refused(environment, wave), raised.value
        assert raised.value.hint == "mend it, then: medallion up"
        found = environment.statuses()
        assert "ROLLBACK_COMPLETE" not in {s for stack, s in found.items() if stack not in wave}
        if {stack for stack in wave if found.get(stack) == "ROLLBACK_COMPLETE"} == set(wave):
            return
    pytest.fail(f"{wave}: {found}")


def refused(environment: Environment, wave: list[str]) -> list[str]:
    """What would not go when a stack was rolled back."""
    stacks = Stacks(environment.target)
    names = [f"{PREFIX}-{stack}" for stack in wave if stacks.find(f"{PREFIX}-{stack}") is not None]
    told = [event for name in names for event in stacks.events(name, None)]
    return [f"{each.resource}: {each.reason}" for each in told if each.status == "DELETE_FAILED"]


def is_killed(environment: Environment, wave: list[str]) -> None:
    """SIGKILL once the operations of these stacks have begun."""
    process = environment.beside(environment.up)
    for stack in wave:
        environment.until_begun(stack)
    process.kill()
    process.join()


def loses_its_daemon(environment: Environment, stack: str) -> None:
    """The embedded AWS is killed under a command line, which says so in two lines."""
    process = environment.command("up")
    environment.until_begun(stack)
    environment.kill_daemon()
    lines = process.communicate(timeout=60)[0].splitlines()
    assert process.returncode == 1
    assert lines[-2].startswith("error ")
    assert "medallion --project" in lines[-1]


def is_killed_in_the_warehouse(environment: Environment) -> None:
    """After the stacks and the source, in the middle of its SQL."""
    process = environment.beside(environment.up)
    while marks.read(environment.target, "source") is None:
        time.sleep(0.02)
    process.kill()
    process.join()
    assert marks.read(environment.target, "warehouse") is None


def test_a_second_operator_is_refused_until_the_lock_is_broken(environment: Environment) -> None:
    def work() -> Generator[Event, None, None]:
        yield Noted("at work")

    first = lock.hold(environment.target, "up", work())
    next(first)
    second = environment.command("up")
    said = second.communicate(timeout=60)[0].splitlines()
    assert second.returncode == 1
    assert re.match(rf"error {PREFIX} is held by \S+@\S+: up since [-0-9]+ [:0-9]+ UTC", said[-2])
    assert said[-1].endswith(f"medallion --project {environment.project} unlock")
    assert "unlocked" in environment.run("unlock", "--yes")
    assert lock.holder(environment.target) is None
    first.close()


def test_a_change_to_a_running_task_loses_no_row(environment: Environment) -> None:
    environment.up()
    environment.seed(rows=3000)
    list(replicate.start(environment.target, environment.outputs(), environment.settings))
    document = yaml.safe_load((ROOT / SETTINGS).read_text())
    document["FullLoadSettings"]["CommitRate"] = 5000
    (environment.project / SETTINGS).write_text(yaml.safe_dump(document))
    busy = environment.beside(environment.seed, changes=2000, seed=2)
    events = environment.up()
    busy.join()
    assert busy.exitcode == 0
    told = [event.detail for event in events if isinstance(event, Finished) and event.step == "replication"]
    assert told == ["stopped", "resumed"]
    assert environment.pending() == []
    list(replicate.catch_up(environment.target, environment.outputs(), environment.settings))
    for table in environment.pipeline.tables:
        assert environment.bronze(table.name, list(table.key)) == rows(environment, table), table.name


def rows(environment: Environment, table: Any) -> dict[tuple[Any, ...], Any]:
    """(key → updated_at) of the source's rows."""
    with environment.source() as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(table.key)}, updated_at FROM {table.schema}.{table.name}")
        return {row[:-1]: row[-1] for row in cursor.fetchall()}


def test_an_up_that_was_killed_while_replication_stood_still_resumes_it(environment: Environment) -> None:
    """The task is stopped and marked, then everything ends; nothing is left to change for the next `up`."""
    target, found = environment.target, environment.outputs()
    marks.write(target, "replicating", "g0001")
    list(replicate.stop(target, found, environment.settings))
    environment.up()
    assert replicate.status(target, found).status == "running"
    assert marks.read(target, "replicating") is None


def test_scripts_alone_are_live_and_planned_no_more(environment: Environment) -> None:
    """And `up` brings back what the project says, although no stack's parameter has changed since."""
    script = environment.project / "glue_scripts" / "checksum.py"
    script.parent.mkdir()
    script.write_text((ROOT / "glue_scripts" / "checksum.py").read_text() + "# changed\n")
    assert environment.pending() == [(f"{PREFIX}-transform", "ChecksumJob")]
    before = location(environment)
    assert "scripts updated" in environment.run("up", "--only", "scripts")
    assert location(environment) != before
    assert environment.pending() == []
    script.unlink()
    assert environment.pending() == [(f"{PREFIX}-transform", "retail-local-checksum")]
    assert Finished("retail-local-checksum", "scripts updated") in environment.up()
    assert location(environment) == before
    assert environment.pending() == []


def location(environment: Environment) -> str:
    found = environment.target.client("glue").get_job(JobName=environment.outputs()["ChecksumJob"])
    return str(found["Job"]["Command"]["ScriptLocation"])


def test_the_functions_code_alone_is_live_and_planned_no_more(environment: Environment) -> None:
    ddl = environment.project / "sql" / "mysql" / "schema.sql"
    ddl.write_text(ddl.read_text() + "\n-- changed\n")
    assert {"code updated"} == details(environment.only("lambda"), "source", "generator")
    assert environment.pending() == []
    assert {"unchanged"} == details(environment.only("lambda"), "source", "generator")


def details(events: list[Event], *functions: str) -> set[str]:
    """What the ends of these functions' steps say."""
    names = {f"{PREFIX}-{function}" for function in functions}
    return {event.detail for event in events if isinstance(event, Finished) and event.step in names}


def test_sql_alone_is_pending_once_and_brought_whenever_it_is_asked_for(environment: Environment) -> None:
    view = environment.project / "sql" / "redshift" / "views" / "v_total_sales.sql"
    view.write_text(view.read_text() + "\n-- changed\n")
    assert environment.pending() == ["gold: schemas, procedures, views and grants are brought again"]
    assert environment.only("sql")
    assert environment.pending() == []
    assert environment.only("sql"), "somebody may have dropped what the marks call done"


def test_a_database_is_not_replaced_unless_that_is_meant(environment: Environment) -> None:
    template = (ROOT / "infra_templates" / "source.yaml").read_text()
    changed = template.replace("${Prefix}-source\n      Engine:", "${Prefix}-other\n      Engine:")
    assert changed != template
    (environment.project / "infra_templates" / "source.yaml").write_text(changed)
    with pytest.raises(
        MedallionError, match=r"Database \(AWS::RDS::DBInstance\) would be replaced"
    ) as raised:
        environment.up()
    assert "--replace-data" in str(raised.value.hint)
    environment.mend("source")
    assert environment.pending() == []


def test_pause_stops_all_that_changes_and_resume_loses_no_row(environment: Environment) -> None:
    """Twice each, and over a crash of the daemon in between."""
    target, found, settings = environment.target, environment.outputs(), environment.settings
    nightly = [found["HousekeepingScheduleName"]]  # the one that does nothing now
    switch(target, found, True, nightly)
    environment.seed(changes=500, seed=3)
    for _ in range(2):
        list(pausing.pause(target, found, settings))
    environment.kill_daemon()
    processes.ensure_dead(environment.state / "daemon.pid")
    target = environment.target
    with pytest.raises(pymysql.err.OperationalError):
        environment.source()
    assert not any(s.enabled for s in schedules(target, found))
    seeding = environment.command("seed", "--changes", "10")
    assert "is paused since" in seeding.communicate(timeout=60)[0]
    assert seeding.returncode == 1
    assert [returned(pausing.resume(target, found, settings)) for _ in range(2)] == [True, False]
    assert [s.name for s in schedules(target, found) if s.enabled] == nightly
    pausing.switch(target, found, enabled=False)
    environment.seed(changes=500, seed=4)
    list(replicate.catch_up(target, found, settings))
    for table in environment.pipeline.tables:
        assert environment.bronze(table.name, list(table.key)) == rows(environment, table), table.name


def test_a_binlog_that_was_purged_during_a_pause_is_told_and_reloaded(environment: Environment) -> None:
    assert "is paused. Next: medallion" in environment.run("pause")
    database = Database(environment.target, environment.outputs()["DatabaseIdentifier"])
    database.start()  # as AWS does after seven days
    reaches(database, "available")
    with environment.source() as connection, connection.cursor() as cursor:
        cursor.execute("FLUSH BINARY LOGS")
    database.stop()
    reaches(database, "stopped")
    purge(environment)
    resuming = environment.command("resume")
    said = resuming.communicate(timeout=60)[0]
    assert resuming.returncode == 1
    assert "replication cannot go on: it stopped in" in said
    assert "replicate reload, then: medallion" in said
    environment.run("replicate", "reload", "--yes")
    assert "goes on where it was paused" in environment.run("resume")
    found = replicate.status(environment.target, environment.outputs())
    assert (found.status, found.generation, found.loaded) == ("running", "g0002", True)


def returned(steps: Generator[Event, None, bool]) -> bool:
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return bool(stop.value)


def reaches(database: Database, status: str) -> None:
    deadline = time.monotonic() + 60
    while (found := database.instance().status) != status:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def purge(environment: Environment) -> None:
    """All binlog files but the newest, of a server that does not run."""
    (index,) = (environment.state / "engines" / "mariadb").glob("*/data/*.index")
    *old, newest = index.read_text().split()
    for name in old:
        (index.parent / name).unlink()
    index.write_text(f"{newest}\n")


def test_what_was_changed_behind_the_tools_back_is_found(environment: Environment) -> None:
    """A reload and schedules that were switched are no drift; another definition of a job or of a procedure is."""
    assert "is as it was deployed" in environment.run("drift")
    glue, job = environment.target.client("glue"), environment.outputs()["ChecksumJob"]
    definition = glue.get_job(JobName=job)["Job"]
    kept = {
        key: definition[key] for key in ("Role", "Command", "DefaultArguments", "GlueVersion", "WorkerType")
    }
    glue.update_job(JobName=job, JobUpdate={**kept, "NumberOfWorkers": 9})
    with closing(connect(environment.target, environment.outputs(), "direct")) as warehouse:
        warehouse.batch(
            ["CREATE OR REPLACE PROCEDURE etl.harmless() LANGUAGE plpgsql AS $$ BEGIN NULL; END $$"]
        )
    drifting = environment.command("drift", "--output", "json")
    said = drifting.communicate(timeout=60)[0]
    assert drifting.returncode == 3
    told = {
        (d["resource"], d["property"])
        for d in json.loads(said[said.index("{") : said.rindex("}") + 1])["differences"]
    }
    assert {("ChecksumJob", "/NumberOfWorkers"), ("etl.harmless", "source")} <= told
