"""What an environment costs: quantities from its templates as they would be deployed, prices from a dated file.

Nothing is asked of AWS. What depends on the amount of data (buckets, logs, the warehouse's storage) is told by its unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from medallion_cli.operations.deployment.graph import document
from medallion_cli.operations.frequency import times_an_hour
from medallion_cli.operations.paused import SMALLEST
from medallion_cli.operations.prices import Assumed, Prices, Region, load_prices

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.operations.validation.deployment import Deployment
    from medallion_cli.settings import Settings

HOURS = 730  # of a month, as AWS's own calculator has it
# data processing units of a Glue worker (docs.aws.amazon.com/glue: AddJobTypes)
UNITS = {"G.025X": 0.25, "G.1X": 1, "G.2X": 2, "G.4X": 4, "G.8X": 8, "G.12X": 12, "G.16X": 16}
INCLUDED = {"t2": 50, "t3": 50}  # GB of a replication instance's storage in its price, by family
INCLUDED_OTHERWISE = 100
MINIMUM_GLUE, MINIMUM_WAREHOUSE = 1.0, 60.0  # minutes, seconds that AWS counts at least
# Which schedule makes a job run; the others run when somebody asks.
SCHEDULED = {
    "BronzeToSilverJob": "pipeline",
    "SilverToGoldJob": "pipeline",
    "HousekeepingJob": "housekeeping",
}


@dataclass(frozen=True)
class CostLine:
    """One resource; amounts an hour. Idle: it stands and nothing works; paused: after `medallion pause`."""

    stack: str
    resource: str
    type: str
    what: str  # what is counted: `db.t4g.micro, 20 GB`
    idle_hour: float
    running_hour: float
    paused_hour: float
    idle_month: float = 0.0
    running_month: float = 0.0
    paused_month: float = 0.0


@dataclass(frozen=True)
class ByUse:
    """What is paid by an amount that nobody knows before."""

    what: str
    price: float
    unit: str


@dataclass(frozen=True)
class CostEstimate:
    """An environment's cost; `missing` are things whose price the file lacks, which no total has."""

    env: str
    region: str
    currency: str
    as_of: str
    source: str
    lines: list[CostLine]
    by_use: list[ByUse] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    idle_hour: float = 0.0
    running_hour: float = 0.0
    paused_hour: float = 0.0
    idle_month: float = 0.0
    running_month: float = 0.0
    paused_month: float = 0.0

    def paused_by_type(self) -> list[tuple[str, float]]:
        """What costs on while it is paused, by kind of thing, the dearest first; a month."""
        sums: dict[str, float] = {}
        for line in self.lines:
            sums[line.type.removeprefix("AWS::")] = (
                sums.get(line.type.removeprefix("AWS::"), 0.0) + line.paused_month
            )
        return sorted(((name, month) for name, month in sums.items() if month), key=lambda pair: -pair[1])

    def __str__(self) -> str:
        if not self.lines:
            return self.notes[0]
        amounts = (self.idle_month, self.running_month, self.paused_month)
        idle, running, paused = (f"{amount:,.0f}" for amount in amounts)
        more = f", without {', '.join(self.missing)}" if self.missing else ""
        return (
            f"about {idle} {self.currency} a month idle, {running} with the schedules on, {paused} paused{more}; "
            f"prices as of {self.as_of}, {self.source}"
        )


def estimate(settings: Settings, templates: dict[str, str], assets: Assets | None = None) -> CostEstimate:
    """The cost of rendered templates with these settings; no call to anywhere."""
    from medallion_cli.assets import Assets as Found

    prices = load_prices(assets or Found.find())
    if settings.target == "embedded":
        note = f"{settings.prefix} costs nothing: all of it runs on this machine"
        facts = (prices.currency, prices.as_of.isoformat(), prices.source)
        return CostEstimate(settings.env, settings.region, *facts, [], notes=[note])
    return _Estimate(settings, templates, prices).whole()


class _Estimate:
    """One estimate in the making."""

    def __init__(self, settings: Settings, templates: dict[str, str], prices: Prices) -> None:
        from medallion_cli.operations.validation.deployment import simulate

        self.settings, self.prices = settings, prices
        self.region, elsewhere = prices.of(settings.region)
        self.notes = [elsewhere] if elsewhere else []
        self.missing: list[str] = []
        parsed = {stack: document(body) for stack, body in templates.items()}
        self.deployment: Deployment = simulate(settings, parsed)
        self.per_hour = {
            name: times_an_hour(getattr(settings.schedules, name))
            for name in ("pipeline", "generator", "housekeeping")
        }

    def whole(self) -> CostEstimate:
        """All lines and their sums."""
        lines = [line for line in self._lines() if line is not None]
        sums = {
            f"{column}_{unit}": round(sum(getattr(line, f"{column}_hour") for line in lines) * hours, 4)
            for column in ("idle", "running", "paused")
            for unit, hours in (("hour", 1), ("month", HOURS))
        }
        prices = self.prices
        return CostEstimate(
            self.settings.env,
            self.settings.region,
            prices.currency,
            prices.as_of.isoformat(),
            prices.source,
            lines,
            list(_by_use(self.region, self.settings)),
            [*self.notes, *_notes(self.settings, prices.assumed)],
            self.missing,
            **sums,
        )

    def _lines(self) -> Iterator[CostLine | None]:
        for stack in self.deployment.stacks.values():
            for name, resource in stack.resources.items():
                kind = str(resource.get("Type"))
                if kind in PRICED:
                    yield PRICED[kind](self, (stack.name, name, kind), resource.get("Properties", {}))

    def price(self, among: dict[str, float], name: str) -> float:
        """The price of a class; one that the file lacks counts nothing and is told."""
        if name not in among:
            self.missing.append(name)
        return among.get(name, 0.0)


Place = tuple[str, str, str]  # stack, logical id, type


def _line(
    place: Place, what: str, idle: float, running: float | None = None, paused: float | None = None
) -> CostLine:
    running, paused = idle if running is None else running, idle if paused is None else paused
    hours = [round(amount, 6) for amount in (idle, running, paused)]
    return CostLine(*place, what, *hours, *(round(amount * HOURS, 2) for amount in (idle, running, paused)))


def _database(made: _Estimate, place: Place, given: dict[str, Any]) -> CostLine:
    zones = 2 if str(given.get("MultiAZ")) == "true" else 1
    name, size = str(given["DBInstanceClass"]), float(given["AllocatedStorage"])
    storage = size * made.region.database_storage * zones / HOURS
    hour = made.price(made.region.database, name) * zones + storage
    return _line(place, f"{name}, {size:.0f} GB{_zones(zones)}", hour, paused=storage)


def _replication(made: _Estimate, place: Place, given: dict[str, Any]) -> CostLine:
    zones = 2 if str(given.get("MultiAZ")) == "true" else 1
    name, size = str(given["ReplicationInstanceClass"]), float(given.get("AllocatedStorage", 50))

    def hour(kind: str) -> float:
        more = max(0.0, size - INCLUDED.get(kind.split(".")[1], INCLUDED_OTHERWISE))
        storage = more * made.region.replication_storage / HOURS
        return (made.price(made.region.replication, kind) + storage) * zones

    paused = hour(SMALLEST if SMALLEST in made.region.replication else name)
    return _line(place, f"{name}, {size:.0f} GB{_zones(zones)}", hour(name), paused=paused)


def _zones(count: int) -> str:
    return ", two zones" if count == 2 else ""


def _endpoint(made: _Estimate, place: Place, given: dict[str, Any]) -> CostLine | None:
    """Gateway endpoints cost nothing; an interface endpoint costs by the zone."""
    if given.get("VpcEndpointType") != "Interface":
        return None
    zones = len(given["SubnetIds"])
    what = f"interface endpoint, {zones} zone{'s' if zones > 1 else ''}"
    return _line(place, what, made.region.endpoint * zones)


def _key(made: _Estimate, place: Place, given: dict[str, Any]) -> CostLine:
    return _line(place, "key", made.region.key / HOURS)


def _secret(made: _Estimate, place: Place, given: dict[str, Any]) -> CostLine:
    return _line(place, "secret", made.region.secret / HOURS)


def _alarm(made: _Estimate, place: Place, given: dict[str, Any]) -> CostLine:
    metrics = len([m for m in given.get("Metrics", []) if "MetricStat" in m]) or 1
    return _line(
        place, f"alarm, {metrics} metric{'s' if metrics > 1 else ''}", made.region.alarm * metrics / HOURS
    )


def _workgroup(made: _Estimate, place: Place, given: dict[str, Any]) -> CostLine:
    """Nothing while no query runs; a day's limit, where there is one, bounds the rest."""
    capacity, runs = float(given["BaseCapacity"]), made.per_hour["pipeline"]
    seconds = max(MINIMUM_WAREHOUSE, made.prices.assumed.warehouse_seconds)
    used = capacity * min(1.0, runs * seconds / 3600)
    if (limit := made.settings.guards.warehouse_hours_a_day) is not None:
        used = min(used, limit / 24)
        most = limit * made.region.rpu * HOURS / 24
        made.notes.append(
            f"the warehouse stops at {limit} RPU-hours a day: never more than {most:,.0f} a month"
        )
    what = f"{capacity:.0f} RPU, {used * 24:.1f} RPU-hours a day"
    return _line(place, what, 0.0, used * made.region.rpu, 0.0)


def _job(made: _Estimate, place: Place, given: dict[str, Any]) -> CostLine:
    kind, workers = str(given["WorkerType"]), float(given["NumberOfWorkers"])
    if kind not in UNITS:
        made.missing.append(kind)
    schedule = SCHEDULED.get(place[1], "")
    runs = made.per_hour.get(schedule, 0.0)
    minutes = max(MINIMUM_GLUE, made.prices.assumed.glue_minutes)
    running = UNITS.get(kind, 0.0) * workers * made.region.dpu * min(1.0, runs * minutes / 60)
    often = f"{runs * 24:.4g} runs a day" if schedule else "when asked"
    return _line(place, f"{workers:.0f} × {kind}, {often}", 0.0, running, 0.0)


def _function(made: _Estimate, place: Place, given: dict[str, Any]) -> CostLine | None:
    """The generator; the source function works for milliseconds a run."""
    if not place[1].startswith("Generator"):
        return None
    runs, seconds = made.per_hour["generator"], made.prices.assumed.generator_seconds
    size = float(given["MemorySize"]) / 1024
    running = runs * seconds * size * made.region.function_gb_second
    return _line(place, f"{size:g} GB, {runs * 24:.4g} calls a day", 0.0, running, 0.0)


def _machine(made: _Estimate, place: Place, given: dict[str, Any]) -> CostLine:
    runs, transitions = made.per_hour["pipeline"], made.prices.assumed.transitions
    return _line(place, f"{runs * 24:.4g} runs a day", 0.0, runs * transitions * made.region.transition, 0.0)


PRICED: dict[str, Callable[[_Estimate, Place, dict[str, Any]], CostLine | None]] = {
    "AWS::RDS::DBInstance": _database,
    "AWS::DMS::ReplicationInstance": _replication,
    "AWS::EC2::VPCEndpoint": _endpoint,
    "AWS::KMS::Key": _key,
    "AWS::SecretsManager::Secret": _secret,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::RedshiftServerless::Workgroup": _workgroup,
    "AWS::Glue::Job": _job,
    "AWS::Lambda::Function": _function,
    "AWS::StepFunctions::StateMachine": _machine,
}


def _by_use(region: Region, settings: Settings) -> Iterator[ByUse]:
    yield ByUse("buckets: bronze, silver, staging, artefacts", region.bucket, "GB and month")
    yield ByUse("gold in the warehouse, and its snapshots", region.warehouse_storage, "GB and month")
    yield ByUse("logs, the network's flow log where it is kept", region.logs, "GB written")
    yield ByUse("database snapshots beyond the database's own size", region.database_storage, "GB and month")
    yield ByUse("queries by people and dashboards", region.rpu, "RPU-hour")
    if settings.parameters.get("QuickSightPrincipalArn"):
        yield ByUse("QuickSight: its own subscription, by user", 0.0, "see QuickSight's prices")


def _notes(settings: Settings, assumed: Assumed) -> list[str]:
    return [
        f"running: schedules as configured (pipeline {settings.schedules.pipeline}); assumed a run: "
        f"{assumed.glue_minutes:g} min a Glue job, {assumed.warehouse_seconds:g} s of the warehouse",
        "paused: the database is stopped (AWS starts it again after 7 days), the replication instance is the "
        "smallest there is (DMS stops none); endpoints, key, secrets, alarms and storage go on",
    ]
