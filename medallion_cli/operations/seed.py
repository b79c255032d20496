"""Fill the source with rows, and change them: plans are recorded in the source, so a seed goes on where it
was cut off.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Finished, Noted, Progressed, Started

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.aws.session import Target
    from medallion_cli.aws.source import Source
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Pipeline

RECIPE = "configs/synthetic.yaml"
OPERATIONS = {"rows": "seed_chunk", "changes": "change_chunk"}


@dataclass(frozen=True)
class SeedPlan:
    """A plan as the source has recorded it: `done` of `wanted` rows or changes are committed."""

    plan_id: int
    kind: str
    seed: int
    wanted: int
    done: int
    finished: bool
    chunks: int


@dataclass(frozen=True)
class Seeded:
    """What a seed has done; `expected` is what the ledger says that each table must hold now."""

    plans: tuple[SeedPlan, ...]
    expected: dict[str, int]

    @property
    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def recipe_document(assets: Assets) -> dict[str, Any]:
    """The recipe as JSON, for the Lambda's zip (`synthetic.json`): the project's own; {} when it has none.

    A project never gets the shipped recipe: that one describes the shipped project's tables.
    """
    from medallion_cli.spec_file import read_yaml
    from medallion_cli.synthetic.recipe import jsonable

    path = assets.project / RECIPE
    found = jsonable(read_yaml(path)) if path.is_file() else {}
    return dict(found or {})


def plan(source: Source, kind: str, wanted: int, seed: int | None) -> SeedPlan:
    """Record a plan of `wanted` rows or changes in the source, or find the one that this seed has begun."""
    return SeedPlan(**source.call("plan", kind=kind, wanted=wanted, seed=seed))


def seed(
    target: Target,
    outputs: Mapping[str, str],
    settings: Settings,
    pipeline: Pipeline,
    rows: int,
    changes: int,
    seed: int | None,
) -> Generator[Event, None, dict[str, Any]]:
    """Add `rows` rows, then make `changes` changes; with the same `seed` again, only what is missing."""
    from medallion_cli.aws.source import Source

    source = Source(target, outputs["SourceFunctionName"])
    plans: list[SeedPlan] = []
    for kind, wanted in (("rows", rows), ("changes", changes)):
        if wanted:
            plans.append((yield from work(source, plan(source, kind, wanted, seed), given=seed is not None)))
    expected = source.call("ledger")["expected"]
    return Seeded(tuple(plans), {table.name: int(expected[table.name]) for table in pipeline.tables}).document


def work(source: Source, made: SeedPlan, given: bool) -> Generator[Event, None, SeedPlan]:
    """Call the source until the plan is finished; each call commits whole chunks or transactions."""
    yield Started(made.kind)
    if made.finished:
        yield Finished(made.kind, f"{made.wanted:,} {made.kind} of seed {made.seed} are in already")
        return made
    if made.done:
        yield Noted(f"seed {made.seed} goes on after {made.done:,} of {made.wanted:,} {made.kind}")
    elif not given:
        yield Noted(f"seed {made.seed}: if this is cut off, the same command with --seed {made.seed} goes on")
    done, finished = made.done, False
    while not finished:
        yield Progressed(made.kind, done, made.wanted, made.kind)
        before, made = done, SeedPlan(**source.call(OPERATIONS[made.kind], plan_id=made.plan_id))
        done, finished = made.done, made.finished
        if done == before and not finished:
            raise MedallionError(f"seeding stands still at {done:,} of {made.wanted:,} {made.kind}")
    yield Progressed(made.kind, done, made.wanted, made.kind)
    yield Finished(made.kind, f"{made.wanted:,} {made.kind}")
    return made
