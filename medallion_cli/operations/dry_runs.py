"""What commands would do, a line each: found by looking alone, and nothing is changed. No line: nothing would be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from medallion_cli.aws import leftovers, schedules
from medallion_cli.aws.cloudformation import Stacks
from medallion_cli.aws.database import Database
from medallion_cli.aws.orchestration import StateMachine
from medallion_cli.aws.replication import Replication, ReplicationInstance
from medallion_cli.operations import marks, merge, paused, quarantine, replicate, retry, teardown
from medallion_cli.operations import run as runs
from medallion_cli.operations.package import STACKS

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.aws.source import Source
    from medallion_cli.aws.warehouse import Warehouse
    from medallion_cli.operations.erase import Erasure
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Pipeline

Outputs = dict[str, str]
RUNS = ("starting", "running")  # DMS's words for a task that reads, or is about to


def of_start(target: Target, outputs: Outputs) -> Iterator[str]:
    """`replicate start`, and what every run begins with; MedallionError while the environment is paused."""
    paused.refuse(target)
    yield from _begun(target, outputs)


def _begun(target: Target, outputs: Outputs) -> Iterator[str]:
    replication = Replication(target, outputs)
    task, generation = replication.task(), replication.generation()
    if task.status in RUNS:
        return
    if marks.read(target, replicate.RELOADING) == generation:
        yield f"load every table anew into bronze/{generation}"
    elif task.started:
        yield f"resume replication, which is {task.status}"
    else:
        yield f"start replication with a full load into bronze/{generation}"


def of_stop(target: Target, outputs: Outputs) -> Iterator[str]:
    """`replicate stop`."""
    status = Replication(target, outputs).task().status
    if status in (*RUNS, "stopping"):
        yield f"stop replication, which is {status}; it can resume where it stopped"


def of_run(target: Target, outputs: Outputs, plan: runs.RunPlan) -> Iterator[str]:
    """`run`: what is started before it, and the run that it attaches to, waits for or starts."""
    if "bronze" in plan.layers:
        yield from of_start(target, outputs)
        yield "write a heartbeat at the source and wait until bronze holds it"
    if not plan.input["layers"]:
        return
    for running in StateMachine(target, outputs).running():
        if running.input == plan.input:
            yield f"attach to {running.run_id}, in flight since {running.started_at:%H:%M:%S}"
            return
        yield f"wait for {running.run_id}"
    yield f"start a run of {_spoken(plan)}"


def _spoken(plan: runs.RunPlan) -> str:
    """`silver, gold: orders; fact_sales; in full`."""
    layers = ", ".join(plan.input["layers"])
    only = [", ".join(names) for names in (plan.tables, plan.models) if names]
    full = ["gold in full"] if plan.full else []
    return f"{layers}: {'; '.join([*(only or ['all tables']), *full])}"


def of_retry(target: Target, outputs: Outputs, run_id: str | None) -> Iterator[str]:
    """`retry`: which run, and whether it is redriven or started anew."""
    machine = StateMachine(target, outputs)
    execution = retry.find(machine, run_id)
    if execution.status == "SUCCEEDED":
        yield f"leave {execution.run_id} alone, which succeeded"
        return
    if execution.status == "RUNNING":
        yield f"follow {execution.run_id}, in flight since {execution.started_at:%H:%M:%S}"
        return
    if "silver" in execution.input.get("layers", ["silver"]):
        yield from of_start(target, outputs)
    yield from (f"wait for {running.run_id}" for running in machine.running())
    reason = retry.refusal(machine, execution)
    how = f"start anew what {execution.run_id} had to do, as it cannot be redriven ({reason})"
    yield how if reason else f"redrive {execution.run_id}, which {execution.status.lower()}"


def of_merge(
    target: Target,
    outputs: Outputs,
    pipeline: Pipeline,
    warehouse: Warehouse,
    model: str | None,
    run_id: str | None,
) -> Iterator[str]:
    """`merge`: the models of a run that are not in gold yet; MedallionError when gold has moved on."""
    found = merge.staged(target, outputs, pipeline, warehouse, model, run_id)
    yield from (f"merge {name} of {found.run_id} into gold" for name in found.models)


def of_quarantine(target: Target, outputs: Outputs, pipeline: Pipeline, table: str | None) -> Iterator[str]:
    """`quarantine replay`."""
    plan = quarantine.replaying(pipeline, table)
    yield from of_start(target, outputs)
    yield f"judge every row of {table or 'every table'} anew by the rules that are deployed"
    yield from of_run(target, outputs, plan)


def of_housekeeping(target: Target, outputs: Outputs, settings: Settings) -> Iterator[str]:
    """`housekeeping`: its run, and the generations of bronze that may go by their age."""
    from medallion_cli.operations.erase import generations, kept_until

    yield from of_run(target, outputs, runs.RunPlan(("housekeeping",), (), ()))
    known, today = generations(target, outputs), f"{datetime.now(UTC):%Y-%m-%d}"
    for generation, until in kept_until(target, outputs, settings, known).items():
        if until is not None and until <= today:
            yield f"delete bronze/{generation}, kept until {until}, if silver holds its successor of every table"


def of_erase(plan: Erasure) -> Iterator[str]:
    """`erase`: what is left of the key."""
    if plan.is_done:
        return
    yield from (f"erase {rows} rows of silver's {name}" for name, rows in plan.silver.items() if rows)
    if plan.staged:
        yield f"delete {len(plan.staged)} objects of staging"
    yield f"evaluate gold anew: {', '.join(plan.gold) or 'no model reads it'}"


def of_pause(target: Target, outputs: Outputs) -> Iterator[str]:
    """`pause`: what is not standing still yet."""
    yield from of_switch(target, outputs, enabled=False)
    yield from (f"wait for {running.run_id}" for running in StateMachine(target, outputs).running())
    yield from of_stop(target, outputs)
    size = ReplicationInstance(target, outputs).instance().size
    if size != paused.SMALLEST:
        yield f"make the replication instance {paused.SMALLEST}; it is {size}"
    database = Database(target, outputs["DatabaseIdentifier"])
    if database.instance().status != "stopped":
        yield f"stop the source database {database.identifier}"


def of_resume(target: Target, outputs: Outputs) -> Iterator[str]:
    """`resume`: what `pause` has stopped and is not back."""
    mark = paused.read(target)
    if mark is None:
        return
    database = Database(target, outputs["DatabaseIdentifier"])
    if database.instance().status in ("stopped", "stopping"):
        yield f"start the source database {database.identifier}"
    size = ReplicationInstance(target, outputs).instance().size
    if mark.size not in (paused.SMALLEST, size):
        yield f"make the replication instance {mark.size} again; it is {size}"
    if mark.replicating:
        yield from _begun(target, outputs)
    yield from _switched(target, outputs, mark.schedules, enabled=True)
    yield f"forget that {target.settings.prefix} is paused since {mark.at:%Y-%m-%d %H:%M} UTC"


def of_switch(target: Target, outputs: Outputs, *, enabled: bool) -> Iterator[str]:
    """`--schedule`: the schedules that are not so yet."""
    if enabled:
        paused.refuse(target)
    yield from _switched(target, outputs, None, enabled=enabled)


def _switched(
    target: Target, outputs: Outputs, names: Sequence[str] | None, *, enabled: bool
) -> Iterator[str]:
    for found in schedules.schedules(target, outputs):
        if found.enabled != enabled and (names is None or found.name in names):
            yield f"switch {found.name} {'on' if enabled else 'off'} ({found.expression})"


def of_down(target: Target, settings: Settings, delete_data: bool) -> Iterator[str]:
    """`down` of an environment on AWS; MedallionError for one that is protected."""
    teardown.check_unprotected(settings)
    stacks, prefix = Stacks(target), str(settings.prefix)
    teardown.check_stacks(target, stacks)
    names = [name for name in (f"{prefix}-{stack}" for stack in reversed(STACKS)) if stacks.find(name)]
    yield from (f"delete the stack {name}" for name in names)
    word = "delete" if delete_data else "keep"
    yield from (
        f"{word} the {left.kind} {left.name} {f'({left.detail})' if left.detail else ''}".rstrip()
        for left in leftovers.find(target, prefix)
    )
    if names:
        yield f"{word} the last snapshots of the source and of the warehouse, which deleting their stacks takes"


def of_seed(source: Source, rows: int, changes: int, seed: int | None) -> Iterator[str]:
    """`seed`: rows by table, as the source's own recipe divides them, less what an interrupted seed has done.

    Without a seed one is chosen when rows are made; of each the shares are nearly the same.
    """
    if rows:
        about = "about " if seed is None else ""
        found = source.call("foresee", wanted=rows, seed=seed)
        if found["done"]:
            yield f"go on with seed {seed} after {found['done']:,} of {rows:,} rows"
        yield from (
            f"insert {about}{count:,} rows into {table}" for table, count in found["rows"].items() if count
        )
    if changes:
        yield f"make {changes:,} changes: rows of all tables inserted, updated and deleted"
