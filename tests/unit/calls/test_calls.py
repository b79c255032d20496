"""No call reaches AWS with a name or a value that its model rules out, and none is left out of that check."""

from __future__ import annotations

from functools import cache

import botocore.session
import pytest
import strict_calls
from call_sites import Site, sites
from offline_aws import OfflineAws
from strict_calls import Call, RefusedByModel

from medallion_cli.operations import own_calls

pytestmark = pytest.mark.broad
MODELS = botocore.session.get_session()


def test_every_call_site_makes_calls_that_the_models_take(calls: list[Call]) -> None:
    """A new call without an exercise in exercises.py is named here."""
    assert [str(site) for site in sites() if not any(_is_of(call, site) for call in calls)] == []


def test_every_call_comes_from_a_site_that_the_inventory_knows(calls: list[Call]) -> None:
    assert [call for call in calls if not any(_is_of(call, site) for site in sites())] == []


def _is_of(call: Call, site: Site) -> bool:
    if call.path != site.path:
        return False
    return call.shape == _input(site) if site.paged else site.first <= call.line <= site.last


@cache
def _input(site: Site) -> str:
    """The input shape's name of a site's operation."""
    model = MODELS.get_service_model(site.service)
    operation = next(name for name in model.operation_names if botocore.xform_name(name) == site.operation)
    return str(model.operation_model(operation).input_shape.name)


def test_the_deployer_may_make_every_call(calls: list[Call]) -> None:
    """operations/own_calls.py, from which the deployer's policy is made, names what is called, and nothing else."""
    assert calls
    named = {(service, name) for service, names in own_calls.CALLS.items() for name in names}
    assert named == OfflineAws.log


def test_every_operation_named_in_the_source_exists() -> None:
    def exists(site: Site) -> bool:
        model = MODELS.get_service_model(site.service)
        names = {botocore.xform_name(name) for name in model.operation_names}
        return site.operation == "?" or site.operation in names

    assert [str(site) for site in sites() if site.service != "?" and not exists(site)] == []


@pytest.mark.parametrize(
    ("service", "operation", "params", "said"),
    [
        (
            "dms",
            "StartReplicationTask",
            {"ReplicationTaskArn": "a", "StartReplicationTaskType": "start"},
            "none of",
        ),
        ("stepfunctions", "ListExecutions", {"stateMachineArn": "a", "maxResults": 1001}, "over 1000"),
        ("scheduler", "GetSchedule", {"Name": "two words"}, "does not match"),
        ("ssm", "GetParameter", {"Name": ""}, "under 1"),
        ("kms", "ScheduleKeyDeletion", {"KeyId": "k", "PendingWindowInDays": 400}, "over 365"),
    ],
)
def test_values_that_boto3_lets_through_are_refused(
    service: str, operation: str, params: dict[str, object], said: str
) -> None:
    shape = MODELS.get_service_model(service).operation_model(operation).input_shape
    with pytest.raises(RefusedByModel, match=said):
        strict_calls.check(params, shape)
