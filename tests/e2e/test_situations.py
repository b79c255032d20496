"""Broken situations made for real: `status` shows it, `doctor` names it, and the remedy, typed as it stands, heals it.

A line of SITUATIONS is all that another situation takes. They are made one after the other in one environment.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import situations as made
from command_line import Medallion
from situations import Situation

pytestmark = [pytest.mark.engine, pytest.mark.recovery]
ENOUGH = 4  # remedies that it may take: a killed database leaves replication failed, and a run behind
SITUATIONS = {
    # replication
    "replication is stopped": Situation(made.stop_replication, "MED-DMS-030"),
    "replication is stopped in the console": Situation(made.stop_replication_by_the_console, "MED-DMS-030"),
    "replication fails": Situation(made.fail_replication, "MED-DMS-031", equal=True),
    "DMS suspends a table": Situation(made.suspend_the_table, "MED-DMS-034", equal=True),
    # the source
    "the replication user's password is another": Situation(made.change_password, "MED-SRC-003"),
    "the replication user is dropped": Situation(made.drop_replication_user, "MED-SRC-003"),
    "the replication secret is another": Situation(made.change_secret, "MED-SRC-003"),
    "the binlog is purged at once": Situation(made.short_retention, "MED-DMS-003"),
    "the database is stopped": Situation(made.stop_database, "MED-SRC-001"),
    "the database takes no more connections": Situation(made.use_up_connections, "MED-SRC-002"),
    "the binlog is purged": Situation(made.purge, "MED-DMS-032", equal=True),
    "the binlog's format is STATEMENT": Situation(made.statement_format, "MED-DMS-033", equal=True),
    "the row image is MINIMAL": Situation(made.minimal_image, "MED-DMS-033", equal=True),
    # runs and schedules
    "Spark is killed": Situation(made.kill_spark, "MED-RUN-001", equal=True),
    "a run is cut off": Situation(made.abort_the_run, "MED-RUN-002", equal=True),
    "a job's script is deleted": Situation(made.lose_a_script, "MED-RUN-007", equal=True),
    "data is stale": Situation(made.get_stale, "MED-RUN-003", after=made.any_age, equal=True),
    "a schedule is switched on by hand": Situation(made.switch_schedule_on, "MED-RUN-005"),
    "a schedule is switched off by hand": Situation(
        made.switch_schedule_off, "MED-RUN-005", after=made.no_schedules
    ),
    # silver
    "a bronze file is cut": Situation(made.cut_a_bronze_file, "MED-SIL-004", equal=True),
    "a bronze file is no Parquet": Situation(made.overwrite_a_bronze_file, "MED-SIL-004", equal=True),
    "a row breaks a rule that fails": Situation(
        made.break_a_rule_that_fails, "MED-SIL-002", mended=made.mend_the_row, equal=True
    ),
    "a row is in quarantine": Situation(
        made.break_a_rule_that_quarantines, "MED-SIL-003", mended=made.mend_the_row, equal=True
    ),
    # the warehouse
    "COPY has a column too many": Situation(made.misfit_staging, "MED-GLD-002", equal=True),
    "a table of gold is dropped": Situation(made.drop_gold, "MED-GLD-006", equal=True),
    "a procedure of gold is dropped": Situation(made.drop_a_procedure, "MED-GLD-006", equal=True),
    "gold is locked": Situation(made.lock_gold, "MED-GLD-004", equal=True),
    # the environment
    "it is paused": Situation(made.pause, "MED-ENV-008"),
    "somebody died with the lock": Situation(made.leave_a_lock, "MED-ENV-007"),
    "a stack is deleted": Situation(made.delete_a_stack, "MED-ENV-009"),
    "the daemon is stopped": Situation(made.stop_the_daemon, "MED-ENV-010"),
    "the daemon is killed": Situation(made.kill_the_daemon, "MED-ENV-010"),
    "everything is killed": Situation(made.kill_all, "MED-ENV-010", equal=True),
    "another program has its port": Situation(made.take_the_port, "MED-ENV-006", until_typed=True),
    "the disk is full": Situation(made.fill_the_disk, "MED-ENV-004", mended=made.make_room, equal=True),
    # the source's schema
    "a column is added": Situation(made.add_a_column, "MED-SRC-005", equal=True),
    "a column is added where none may be": Situation(
        made.add_a_column_where_it_may_not, "MED-SIL-010", after=made.evolve, equal=True
    ),
    "the table is emptied": Situation(made.truncate_the_table, "MED-SRC-007", equal=True),
    "the table is dropped": Situation(made.drop_the_table, "MED-SRC-006", equal=True),
}


@pytest.fixture(scope="module")
def broken(home: Path) -> Iterator[Medallion]:
    """A project of one small table, up and run, on a small disk of its own where one may be mounted."""
    from medallion_cli.local import lifecycle

    mounted = _mount(home)
    try:
        yield stand_up(home)
    finally:
        lifecycle.reset(home / "broken-local")
        if mounted:
            subprocess.run(["umount", "--lazy", str(home)], check=False)


def _mount(folder: Path) -> bool:
    """A disk in memory; False where that is not allowed, or where memory is short."""
    if psutil.virtual_memory().available < 3 * made.ROOM:
        return False
    words = ["mount", "-t", "tmpfs", "-o", f"size={made.ROOM},mode=755", "tmpfs", str(folder)]
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def stand_up(home: Path) -> Medallion:
    """The project `broken` of one table."""
    project = home / "projects" / "broken"
    tool = Medallion(home, "broken-local")
    tool("init", str(project), "--empty", "--name", "broken")
    tool.project = project
    tool("table", "add", "parts", "--column", "name VARCHAR(20) NOT NULL", "--column", "n INT NOT NULL")
    made.described(tool, made.RULES)
    tool("up", "--yes")
    made.change(tool, "INSERT INTO parts (name, n) VALUES ('a', 1), ('b', 2)")
    tool("run")
    return tool


def findings(tool: Medallion, *words: str) -> dict[str, dict[str, Any]]:
    """What a look finds, by code, the gravest of each; it exits 3 with errors, else 0."""
    return found(tool.start("--output", "json", *words))


def found(process: subprocess.Popen[str]) -> dict[str, dict[str, Any]]:
    """What a look that was started has found."""
    out, err = process.communicate(timeout=120)
    assert out, err
    listed = json.loads(out)["findings"]
    errors = any(one["severity"] == "error" for one in listed)
    assert process.returncode == (3 if errors else 0), err
    return {one["code"]: one for one in reversed(listed)}


def typed(tool: Medallion, line: str) -> None:
    """Types a remedy as it stands, in a folder that has nothing to do with the project."""
    for part in line.split(" && "):
        name, *words = shlex.split(part)
        assert name == "medallion", line
        Medallion(tool.home, tool.name, None, tool.home).ended(*words, code=0)


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_situation_is_seen_named_and_healed(broken: Medallion, name: str) -> None:
    situation = SITUATIONS[name]
    if situation.code == "MED-ENV-004" and not broken.home.is_mount():
        pytest.skip("no disk of its own may be mounted here")
    heals(broken, situation)


def heals(tool: Medallion, situation: Situation) -> None:
    """Breaks it, looks, types what is told until nothing is told any more."""
    held = situation.broken(tool)
    looks = [tool.start("--output", "json", look) for look in ("status", "doctor")]
    seen, named = map(found, looks)
    assert situation.code in seen, seen
    assert situation.code in named, named
    situation.mended(tool)
    if held is not None and not situation.until_typed:
        held.close()
    if situation.code != "MED-ENV-004":  # which has room again by now
        typed(tool, named[situation.code]["remedy"])
    if held is not None:
        held.close()
    left = healed(tool)
    assert situation.code not in left, left
    if situation.equal:
        if " run" not in named[situation.code]["remedy"]:
            tool("run")  # as the schedule does: changes that waited meanwhile are merged
        tool.verified()
    situation.after(tool)


def healed(tool: Medallion) -> dict[str, dict[str, Any]]:
    """Types what follows of it, too; what is found in the end, which holds no error."""
    for _ in range(ENOUGH):
        left = findings(tool, "doctor")
        errors = [one for one in left.values() if one["severity"] == "error"]
        if not errors:
            return left
        typed(tool, errors[-1]["remedy"])
    raise AssertionError(f"not healed: {left}")


def test_everything_is_equal_in_the_end(broken: Medallion) -> None:
    broken("run")
    broken.verified()
