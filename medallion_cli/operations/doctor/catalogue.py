"""The catalogue: every code that `status`, `doctor` and `up` name, by room. docs/findings.md is made of it."""

from __future__ import annotations

from typing import Any

from medallion_cli import INSTALL_LOCAL
from medallion_cli.operations.doctor.drift_rules import DRIFT
from medallion_cli.operations.doctor.preflight_rules import PREFLIGHT
from medallion_cli.operations.doctor.rules import Finding, Rule, found
from medallion_cli.operations.doctor.verify_rules import VERIFIED

ROOMS = {
    "ENV": "The environment and this machine",
    "SRC": "The source database",
    "DMS": "Replication",
    "RUN": "Runs and schedules",
    "SIL": "Silver and data quality",
    "GLD": "The warehouse and gold",
    "VER": "What `medallion verify` finds",
    "UP": "Before an up on AWS",
}
AGAIN = "then the command that failed"

_RULES = (
    # The environment and this machine
    Rule(
        "MED-ENV-001",
        "credentials are missing, expired or refused",
        "Nothing of the environment can be seen or changed.",
        "{remedy}",
    ),
    Rule(
        "MED-ENV-002",
        "this machine's clock differs from AWS's",
        "AWS refuses requests signed more than five minutes apart; ages and freshness shown here are wrong.",
        "sudo timedatectl set-ntp true",
    ),
    Rule(
        "MED-ENV-003",
        "a version that this release was not tried with",
        "Behaviour of the tool, or of local engines, may differ from what was tested.",
        "{remedy}",
        severity="warning",
    ),
    Rule(
        "MED-ENV-004",
        "the disk is nearly full",
        "Databases stop and wait, Spark fails, replication stands still until there is room.",
        "df -h {folder}",
        note="Free space on that disk; everything goes on by itself, or with the same command, once there is room.",
    ),
    Rule(
        "MED-ENV-005",
        "no Java that Spark can use",
        "Jobs of silver and gold do not start.",
        INSTALL_LOCAL,
        note="The extra brings Java 17; JAVA_HOME, when set, has to lead to a Java of version 17.",
    ),
    Rule(
        "MED-ENV-006",
        "a port is taken by another program",
        "The engine behind it does not answer under the address that everybody knows.",
        "medallion local stop && medallion local start",
        note="Engines get free ports when they start.",
    ),
    Rule(
        "MED-ENV-007",
        "a lock is held by somebody who has ended",
        "Commands that change the environment wait, or are refused.",
        "medallion unlock --yes",
        severity="warning",
        safe=True,
    ),
    Rule(
        "MED-ENV-008",
        "the environment is paused",
        "Nothing moves: no replication, no runs.",
        "medallion resume",
    ),
    Rule(
        "MED-ENV-009",
        "a stack is not as it should be",
        "What it holds may be missing or half changed.",
        "medallion up --yes",
    ),
    Rule(
        "MED-ENV-010",
        "the embedded AWS does not run",
        "Nothing local works until it is started; state is kept.",
        "medallion local start",
        safe=True,
    ),
    Rule(
        "MED-ENV-011",
        "something is not as it was deployed",
        "It was changed behind the tool's back; the next `up` may change it back.",
        "medallion drift",
        severity="warning",
    ),
    Rule(
        "MED-ENV-012",
        "a quota is nearly used up",
        "The next resource, run or statement may be refused.",
        "aws service-quotas list-service-quotas --service-code {service}",
        severity="warning",
    ),
    Rule(
        "MED-ENV-013",
        "something could not be looked at",
        "It may be in order, or not: nothing is known about it.",
        "{remedy}",
        severity="warning",
    ),
    Rule(
        "MED-ENV-014",
        "the environment is not up",
        "There is nothing to look at.",
        "medallion up --yes",
    ),
    Rule(
        "MED-ENV-015",
        "AWS does not answer",
        "Nothing of the environment can be seen or changed.",
        "{remedy}",
    ),
    Rule(
        "MED-ENV-016",
        "somebody works on the environment",
        "Stacks and replication are on their way from one state to another: nothing is said of them, nor mended.",
        "medallion status --watch",
        severity="note",
    ),
    # The source database
    Rule(
        "MED-SRC-001",
        "the source database does not run",
        "Nothing can be read from it; replication waits or fails.",
        "medallion doctor --fix",
        safe=True,
        note="Starts the instance. AWS itself starts one that was stopped after seven days.",
    ),
    Rule(
        "MED-SRC-002",
        "the source database does not answer",
        "Replication waits; seeding, runs and verification stop.",
        "medallion pause && medallion resume",
        note="Restarts the database; nothing is lost. What it says before that (connections, memory, locks, space): "
        "`medallion logs source --since 1h`.",
    ),
    Rule(
        "MED-SRC-003",
        "the source refuses the replication user",
        "Replication can not start, or stops at its next connection.",
        "medallion doctor --fix",
        safe=True,
        note="Writes user, password and grants anew, by the same operation as `medallion up`.",
    ),
    Rule(
        "MED-SRC-004",
        "the source has no room",
        "Writers at the source wait or fail; so does everything behind them.",
        "df -h",
        note="On AWS: a larger DatabaseStorage in configs, then `medallion up`.",
    ),
    # Replication
    Rule(
        "MED-DMS-003",
        "the binlog is kept for too short a time",
        "A stop of replication that lasts longer loses changes: everything has to be loaded again.",
        "medallion doctor --fix",
        safe=True,
        note="Sets 72 hours, by the same operation as `medallion up`.",
    ),
    Rule(
        "MED-DMS-030",
        "replication is stopped",
        "Changes stay at the source; they are lost if it lasts longer than the binlog is kept.",
        "medallion replicate start && medallion run",
        safe=True,
    ),
    Rule(
        "MED-DMS-031",
        "replication has failed",
        "Changes stay at the source; they are lost if it lasts longer than the binlog is kept.",
        "medallion replicate start && medallion run",
        note="It goes on where it stopped. What it failed of: `medallion logs bronze`.",
    ),
    Rule(
        "MED-DMS-032",
        "the binlog that replication needs is gone",
        "Changes between its last position and the oldest binlog are not in bronze and never will be.",
        "medallion replicate reload --yes && medallion run",
        note="A new generation: every row is read again, and what was deleted meanwhile is deleted.",
    ),
    Rule(
        "MED-DMS-033",
        "the binlog does not hold whole rows",
        "Changes are written without the values that replication needs: they are lost to it.",
        "medallion pause && medallion resume && medallion replicate reload --yes && medallion run",
        note="A restart brings the values of the parameter group; the reload brings what was missed.",
    ),
    Rule(
        "MED-DMS-034",
        "a table can not be replicated",
        "Its rows in silver and gold stand still.",
        "medallion replicate reload --yes && medallion run",
    ),
    Rule(
        "MED-DMS-035",
        "replication lags behind the source",
        "Numbers are older than they should be, and the binlog has to be kept for longer.",
        "medallion logs bronze --since 1h",
        severity="warning",
    ),
    Rule(
        "MED-DMS-036",
        "replication has never been started",
        "Bronze is empty.",
        "medallion replicate start",
        severity="warning",
    ),
    Rule(
        "MED-DMS-037",
        "the replication instance is not available",
        "The task that runs on it stands still.",
        "medallion resume",
    ),
    # Runs and schedules
    Rule(
        "MED-RUN-001",
        "the last run failed",
        "Silver or gold are older than they should be; what was committed is right, nothing is half.",
        "medallion run",
        note="Its cause first, then its log: `medallion logs --run ID`.",
    ),
    Rule(
        "MED-RUN-002",
        "the last run was cut off",
        "Silver or gold are older than they should be; what was committed is right, nothing is half.",
        "medallion run",
    ),
    Rule(
        "MED-RUN-007",
        "a job of the run can not start: its script is gone",
        "Silver or gold are older than they should be.",
        "medallion up --yes && medallion run",
        note="Somebody deleted it from the artifacts bucket; `up` brings it again.",
    ),
    Rule(
        "MED-RUN-003",
        "data is older than its error threshold",
        "Who reads it sees the past.",
        "medallion run",
    ),
    Rule(
        "MED-RUN-004",
        "data is older than its warning threshold",
        "It becomes stale soon.",
        "medallion run",
        severity="warning",
    ),
    Rule(
        "MED-RUN-005",
        "a schedule is not as the tool left it",
        "Runs do not start by themselves, or start when nobody wants them.",
        "medallion {way} --schedule",
    ),
    Rule(
        "MED-RUN-006",
        "a schedule is on and nothing ran",
        "The scheduler can not start runs: numbers get old.",
        "medallion pause --schedule && medallion resume --schedule && medallion run",
    ),
    # Silver and quality
    Rule(
        "MED-SIL-001",
        "a table of silver failed",
        "It stays as it was, and so do the models that read it; other tables went on.",
        "medallion run --table {table}",
        note="The cause first, then the log: `medallion logs silver`.",
    ),
    Rule(
        "MED-SIL-002",
        "rows break an expectation that fails the table",
        "Silver keeps the last good state of the table; its models are as old.",
        "medallion run --table {table}",
        note="Mend the rows at the source, or the rule in configs/pipeline.yaml (then `medallion up`), and run again.",
    ),
    Rule(
        "MED-SIL-003",
        "rows are in quarantine",
        "They count in no number of gold.",
        "medallion up --yes && medallion quarantine replay",
        severity="warning",
        note="First mend the rows at the source, or the rule in configs/pipeline.yaml. Which they are: "
        "`medallion quarantine list`; rows that still break a rule stay.",
    ),
    Rule(
        "MED-SIL-004",
        "a bronze file can not be read",
        "Its changes are not in silver.",
        "medallion replicate reload --yes && medallion run",
        note="A reload writes a new generation, which holds what the broken file held. Or put a whole file in its place: the "
        "next run takes it. Which files: `medallion quarantine list`.",
    ),
    Rule(
        "MED-SIL-005",
        "a bronze file holds no rows",
        "Nothing: it is left out from now on, and looked at again should it change.",
        "medallion quarantine list",
        severity="note",
    ),
    # The warehouse
    Rule(
        "MED-GLD-001",
        "the warehouse does not answer",
        "Nothing can be loaded or queried; dashboards are empty.",
        "medallion logs gold --since 1h",
    ),
    Rule(
        "MED-GLD-002",
        "a COPY was refused",
        "Gold is as it was before the run.",
        "medallion up --only sql --yes && medallion run --full",
        note="What is staged does not fit the staging table. `up --only sql` brings the project's, a full run stages anew.",
    ),
    Rule(
        "MED-GLD-003",
        "a merge was refused because positions do not meet",
        "Gold is as it was; what was staged last can not be put on top of it.",
        "medallion run --full",
    ),
    Rule(
        "MED-GLD-004",
        "a statement waited for a lock, or was cut off",
        "Gold is as it was before the run.",
        "medallion run",
        note="Somebody held a table of gold or staging for too long: an open transaction of another session.",
    ),
    Rule(
        "MED-GLD-006",
        "a table or procedure of the warehouse is gone",
        "Gold is as it was before the run.",
        "medallion up --only sql --yes && medallion run --full",
        note="`up --only sql` makes what is missing, a full run loads it.",
    ),
    Rule(
        "MED-GLD-005",
        "the warehouse may use no more today",
        "Redshift stops taking queries until midnight UTC.",
        "medallion status",
        note="The limit is guards.warehouse_hours_a_day in configs.",
    ),
)  # fmt: skip
CATALOGUE: dict[str, Rule] = {rule.code: rule for rule in (*_RULES, *VERIFIED, *DRIFT, *PREFLIGHT)}


def finding(code: str, evidence: str, *, where: str = "", **fields: Any) -> Finding:
    """A case of the rule `code`; KeyError for a code that the catalogue lacks."""
    return found(CATALOGUE[code], evidence, where=where, **fields)
