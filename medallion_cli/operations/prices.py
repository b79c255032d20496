"""What AWS asks, from `configs/prices.yaml`: dated, by region, with what is assumed about how long things work."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from pydantic import Field

from medallion_cli.spec_file import Entry, parse

if TYPE_CHECKING:
    from medallion_cli.assets import Assets

ELSEWHERE = "us-east-1"  # whose prices stand for a region that the file lacks


class Assumed(Entry):
    """How long things work in one run."""

    glue_minutes: float = Field(gt=0)
    warehouse_seconds: float = Field(gt=0)
    transitions: int = Field(gt=0)
    generator_seconds: float = Field(gt=0)


class Region(Entry):
    """Prices of one region; an hour of database, replication, endpoint, dpu and rpu, a month of the rest."""

    database: dict[str, float]
    database_storage: float
    replication: dict[str, float]
    replication_storage: float
    endpoint: float
    dpu: float
    rpu: float
    warehouse_storage: float
    key: float
    secret: float
    alarm: float
    bucket: float
    logs: float
    function_gb_second: float
    transition: float


class Prices(Entry):
    """The file."""

    as_of: date
    source: str
    currency: str
    assumed: Assumed
    regions: dict[str, Region] = Field(min_length=1)

    def of(self, region: str) -> tuple[Region, str | None]:
        """A region's prices; with a word when they are another's."""
        if region in self.regions:
            return self.regions[region], None
        other = ELSEWHERE if ELSEWHERE in self.regions else next(iter(self.regions))
        return (
            self.regions[other],
            f"no prices of {region}, these are those of {other}: add it to configs/prices.yaml",
        )


def load_prices(assets: Assets) -> Prices:
    """Reads the file; UsageError names line and key of what is wrong in it."""
    return parse(Prices, assets.path("configs/prices.yaml"))
