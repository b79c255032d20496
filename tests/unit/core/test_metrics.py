"""Metrics of a program's own are kept; AWS's namespaces are refused as AWS does."""

from __future__ import annotations

from pathlib import Path

import pytest

from medallion_cli.local.protocol import ServiceError
from medallion_cli.local.runtime import Credentials, Runtime
from medallion_cli.local.services import cloudwatch


def datum(value: float) -> dict[str, object]:
    return {"MetricName": "GoldLoaded", "Value": value, "Dimensions": [{"Name": "Environment", "Value": "x"}]}


def test_values_are_kept_by_name_and_dimensions(tmp_path: Path) -> None:
    runtime = Runtime(tmp_path, tmp_path, "us-east-1", "http://127.0.0.1:1", Credentials("a", "b"), {})
    service = cloudwatch.create(runtime)
    for value in (1, 2):
        service.put_metric_data({"Namespace": "Medallion", "MetricData": [datum(value)]})
    kept = runtime.store.load("cloudwatch", {})
    assert [value for _, value in kept["Medallion|GoldLoaded|Environment=x"]] == [1.0, 2.0]


def test_a_namespace_of_awss_is_refused(tmp_path: Path) -> None:
    runtime = Runtime(tmp_path, tmp_path, "us-east-1", "http://127.0.0.1:1", Credentials("a", "b"), {})
    with pytest.raises(ServiceError, match="AWS/"):
        cloudwatch.create(runtime).put_metric_data({"Namespace": "AWS/States", "MetricData": [datum(1)]})
