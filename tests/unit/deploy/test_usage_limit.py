"""What the warehouse may use a day: set once, followed when the settings change, left alone otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from fake_services import Services

from medallion_cli.events import Finished
from medallion_cli.operations.bootstrap import limit_usage
from medallion_cli.settings import Guards, Settings

ARN = "arn:aws:redshift-serverless:eu-central-1:000000000000:workgroup/retail-dev"


class Warehouse(Services):
    """A workgroup and its limits."""

    def __init__(self, hours: int | None) -> None:
        self.limits: list[dict[str, Any]] = []
        settings = Settings(env="dev", prefix="retail-dev", guards=Guards(warehouse_hours_a_day=hours))
        answers: dict[str, Any] = {
            "redshift-serverless.get_workgroup": {"workgroup": {"workgroupArn": ARN}},
            "redshift-serverless.list_usage_limits": lambda **_: (
                {"usageLimits": self.limits} if self.limits else {}
            ),
            "redshift-serverless.create_usage_limit": self.create,
            "redshift-serverless.update_usage_limit": self.update,
        }
        super().__init__(settings, answers)

    def create(self, **given: Any) -> dict[str, Any]:
        self.limits.append(given | {"usageLimitId": "1"})
        return {"usageLimit": self.limits[-1]}

    def update(self, usageLimitId: str, **given: Any) -> dict[str, Any]:
        self.limits[0] |= given
        return {"usageLimit": self.limits[0]}

    def limit(self) -> list[Any]:
        return list(limit_usage(self, {"WorkgroupName": "retail-dev"}, self.settings))  # type: ignore[arg-type]


def test_a_limit_is_set_once() -> None:
    warehouse = Warehouse(24)
    assert warehouse.limit() == [Finished("usage limit", "24 RPU-hours a day")]
    assert warehouse.limit() == []
    (limit,) = warehouse.limits
    wanted = {"resourceArn": ARN, "usageType": "serverless-compute", "amount": 24, "period": "daily"}
    assert wanted.items() <= limit.items()
    assert limit["breachAction"] == "deactivate"


@pytest.mark.parametrize("hours", [12, 48])
def test_a_limit_follows_the_settings(hours: int) -> None:
    warehouse = Warehouse(24)
    warehouse.limit()
    changed = Guards(warehouse_hours_a_day=hours)
    warehouse.settings = warehouse.settings.model_copy(update={"guards": changed})
    assert warehouse.limit() == [Finished("usage limit", f"{hours} RPU-hours a day")]
    assert warehouse.limits[0]["amount"] == hours


def test_without_a_limit_nobody_is_asked() -> None:
    warehouse = Warehouse(None)
    assert warehouse.limit() == []
    assert warehouse.asked == []
