"""The settings of one environment: `configs/<env>.yaml`; flag > MEDALLION_* variable > file > default."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import Field

from medallion_cli.assets import Assets
from medallion_cli.errors import UsageError
from medallion_cli.spec_file import Entry, parse


class Schedules(Entry):
    """The schedules; all are off until `resume --schedule`."""

    pipeline: str = "rate(15 minutes)"
    generator: str = "rate(5 minutes)"
    housekeeping: str = "cron(17 3 * * ? *)"
    time_zone: str = "UTC"
    generator_changes: int = Field(default=200, ge=1)


class Guards(Entry):
    """What keeps an environment from accidents."""

    termination_protection: bool = False
    typed_confirmation: bool = False
    warehouse_hours_a_day: int | None = Field(
        default=None, ge=1
    )  # RPU-hours; the warehouse then stops until tomorrow


class EmbeddedSizes(Entry):
    """Limits of the engines on this machine (embedded target only)."""

    spark_memory: str = "2g"
    spark_cores: int = Field(default=2, ge=1)


class Settings(Entry):
    """One environment."""

    env: str
    target: Literal["aws", "embedded"] = "aws"
    region: str = "eu-central-1"
    profile: str | None = None
    prefix: str | None = None  # default: <pipeline>-<env>
    connection: Literal["data_api", "direct"] = "data_api"
    batch_seconds: int = Field(default=60, ge=1, le=3600)  # DMS CdcMaxBatchInterval
    poll_seconds: int = Field(default=10, ge=1, le=300)
    seed_chunk_rows: int = Field(default=20_000, ge=100, le=500_000)
    schedules: Schedules = Schedules()
    guards: Guards = Guards()
    embedded: EmbeddedSizes = EmbeddedSizes()
    # CloudFormation parameters by name, for every template that declares them
    parameters: dict[str, str] = Field(default_factory=dict)
    copy_from: str | None = (
        None  # mysql://user@host/database: the environment's own source gets its rows once
    )
    tags: dict[str, str] = Field(default_factory=dict)


OVERRIDES = ("region", "profile", "prefix", "connection")


def load_settings(env: str, assets: Assets, flags: dict[str, str | None] | None = None) -> Settings:
    """Reads `configs/<env>.yaml`; UsageError lists the environments there are."""
    known = [
        name.removeprefix("configs/").removesuffix(".yaml") for name in assets.listing("configs", "*.yaml")
    ]
    known = [name for name in known if name not in ("pipeline", "dashboard", "synthetic", "prices")]
    if env not in known:
        raise UsageError(f"no environment {env!r}", hint=f"one of: {', '.join(known)}")
    variables = {key: os.environ.get(f"MEDALLION_{key.upper()}") for key in OVERRIDES}
    given = {key: value for key, value in {**variables, **(flags or {})}.items() if value is not None}
    return parse(Settings, assets.path(f"configs/{env}.yaml"), {"env": env, **given})
