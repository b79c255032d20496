"""An example or two of every command: shown by its --help, and in docs/commands.md."""

from __future__ import annotations

from collections.abc import Sequence

import typer

EXAMPLES: dict[str, tuple[str, ...]] = {
    "init": ("medallion init shop", "medallion init rental --from-mysql mysql://reader@db.example.com/sakila"),
    "schema": ("medallion schema pipeline > configs/schema/pipeline.json", "medallion schema run"),
    "table add": (
        'medallion table add coupons --column "code VARCHAR(20) NOT NULL"',
        "medallion table add film --from-mysql mysql://reader@db.example.com/sakila --dry-run",
    ),
    "table update": ("medallion table update products", "medallion table update products --dry-run"),
    "model add": (
        "medallion model add fact_payment --kind upsert --from payments",
        "medallion model add agg_payment_daily --kind refresh --from fact_payments --key method",
    ),
    "validate": ("medallion validate", "medallion --project my-warehouse validate"),
    "plan": ("medallion plan", "medallion --env dev plan --output json"),
    "up": ("medallion up", "medallion up --yes", "medallion up --only sql"),
    "outputs": ("medallion outputs", "medallion --env dev outputs --output json"),
    "unlock": ("medallion --env dev unlock",),
    "cost": ("medallion --env dev cost",),
    "drift": ("medallion --env dev drift",),
    "pause": ("medallion --env dev pause", "medallion --env dev pause --dry-run", "medallion --env prod pause --schedule"),
    "resume": ("medallion --env dev resume",),
    "down": ("medallion down", "medallion --env dev down --dry-run"),
    "seed": ("medallion seed --rows 200000", "medallion seed --changes 1000"),
    "run": ("medallion run", "medallion run --layer silver --table orders", "medallion run --full"),
    "retry": ("medallion retry", "medallion retry --dry-run", "medallion retry run-20260101T020000Z-3f2a"),
    "replay": ("medallion replay --from run-20260101T020000Z-3f2a --dry-run", "medallion replay --from all --layer gold"),
    "merge": ("medallion merge", "medallion merge --dry-run", "medallion merge fact_sales --run run-20260101T020000Z-3f2a"),
    "status": ("medallion status", "medallion status --watch", "medallion --env prod status --deep"),
    "logs": ("medallion logs silver --since 1h", "medallion logs bronze --follow --grep error"),
    "dashboard": ("medallion dashboard", "medallion dashboard --html sales.html", "medallion dashboard --serve"),
    "verify": ("medallion verify", "medallion verify --table orders --limit 100"),
    "trace": ("medallion trace --table customers --key 42", "medallion trace -t order_items -k 7,1"),
    "query": (
        'medallion query "SELECT COUNT(*) FROM gold.fact_sales"',
        'medallion query --output csv "SELECT * FROM gold.v_revenue_by_brand" > brands.csv',
        "medallion query",
    ),
    "peek": ("medallion peek silver orders", "medallion peek source order_items --key 7,1", "medallion peek gold dim_customer"),
    "lineage": ("medallion lineage fact_sales", "medallion lineage v_total_sales.revenue", "medallion lineage -o mermaid"),
    "erase": ("medallion erase --table customers --key 42 --dry-run", "medallion erase --table customers --key 42"),
    "housekeeping": ("medallion housekeeping",),
    "policy": ("medallion --env dev policy", "medallion --env dev policy --account 111122223333 --folder policies"),
    "demo": ("medallion demo", "medallion demo --rows 20000 --html demo.html"),
    "quarantine list": ("medallion quarantine list", "medallion quarantine list orders --output json"),
    "quarantine show": ("medallion quarantine show products", "medallion quarantine show products --key 7"),
    "quarantine replay": ("medallion quarantine replay products",),
    "replicate start": ("medallion replicate start",),
    "replicate stop": ("medallion replicate stop",),
    "replicate reload": ("medallion replicate reload --yes", "medallion replicate reload --table orders --dry-run"),
    "replicate status": ("medallion replicate status",),
    "doctor": ("medallion doctor", "medallion doctor --fix"),
    "doctor explain": ("medallion doctor explain MED-DMS-030",),
    "runs": ("medallion runs", "medallion runs --limit 5 --output json"),
    "runs show": ("medallion runs show", "medallion runs show run-20260101T020000Z-3f2a"),
    "local start": ("medallion local start",),
    "local stop": ("medallion local stop",),
    "local status": ("medallion local status",),
    "local simulate": (
        "medallion local simulate", "medallion local simulate late --table orders", "medallion local simulate --clear",
    ),
    "local reset": ("medallion local reset --yes",),
}  # fmt: skip


FIRST = (
    "medallion init shop",
    "medallion up",
    "medallion run",
    "medallion status",
    "medallion --env dev plan",
)


def attach(app: typer.Typer, path: tuple[str, ...] = ()) -> None:
    """Every command's examples under its help, a line each; under a group's the first of each of its commands."""
    if not path:
        app.info.epilog = _epilog(FIRST)
    for command in app.registered_commands:
        name = command.name or str(getattr(command.callback, "__name__", "")).replace("_", "-")
        command.epilog = epilog(" ".join([*path, name]))
    for group in app.registered_groups:
        if group.typer_instance is not None:
            name = " ".join([*path, str(group.name)])
            of_its_own = [lines[0] for each, lines in EXAMPLES.items() if each.startswith(f"{name} ")]
            group.typer_instance.info.epilog = epilog(name) or _epilog(of_its_own)
            attach(group.typer_instance, (*path, str(group.name)))


def epilog(path: str) -> str | None:
    """The examples of a command."""
    return _epilog(EXAMPLES.get(path, ()))


def _epilog(lines: Sequence[str]) -> str | None:
    """One paragraph whose lines stay."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)]) if lines else None
