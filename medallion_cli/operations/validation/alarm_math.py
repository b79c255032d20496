"""Alarms over several metrics: names that the expression knows, one result, and metrics that somebody publishes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.documents import UNKNOWN, Document, at, listed, mapping, text, truthy
from medallion_cli.operations.validation.machine import TYPE, definition, substituted
from medallion_cli.operations.validation.machine_calls import calls

if TYPE_CHECKING:
    from medallion_cli.operations.validation.deployment import Deployment

NEEDED = ("ComparisonOperator", "EvaluationPeriods", "Threshold")


def math_findings(where: str, alarm: Document) -> Iterator[Finding]:
    """Findings in an alarm's expression; its metrics are checked as those of other alarms are."""
    for key in NEEDED:
        if at(alarm, key) is None:
            what = f"the alarm has no {key}, and CloudWatch refuses it"
            yield Finding(f"{where}.{key}", what, f"set {key}", "MED-ALM-006")
    queries = [query for query in listed(alarm, "Metrics") if isinstance(query, dict)]
    names = Counter(text(query, "Id") for query in queries)
    for name, number in names.items():
        if number > 1 or not re.fullmatch(r"[a-z][A-Za-z0-9_]*", name):
            what = f"Id {name!r} is there {number} times" if number > 1 else f"Id {name!r} is no name"
            yield Finding(
                f"{where}.Metrics", what, "a lower-case letter, then letters and digits", "MED-ALM-008"
            )
    told = [query for query in queries if truthy(query.get("ReturnData", True))]
    if len(told) != 1:
        what = f"{len(told)} of its metrics return data, and an alarm watches one"
        yield Finding(f"{where}.Metrics", what, "ReturnData: false for all but one", "MED-ALM-008")
    for number, query in enumerate(queries):
        place = f"{where}.Metrics[{number}]"
        if ("Expression" in query) == ("MetricStat" in query):
            yield Finding(place, "is neither an expression nor a metric", "one of the two", "MED-ALM-008")
        for name in sorted(_asked(text(query, "Expression")) - names.keys()):
            what = f"the expression reads {name}, and no metric has that Id"
            yield Finding(f"{place}.Expression", what, f"one of: {', '.join(names)}", "MED-ALM-008")


def _asked(expression: str) -> set[str]:
    """Ids begin with a lower-case letter; functions are in capitals."""
    return set(re.findall(r"\b[a-z][A-Za-z0-9_]*\b", re.sub(r"'[^']*'|\"[^\"]*\"", "", expression)))


def metrics(alarm: Document) -> list[tuple[str, Document]]:
    """(path within the alarm, metric) of what it watches."""
    if "Metrics" not in alarm:
        return [("", alarm)]
    return [
        (f".Metrics[{number}].MetricStat.Metric", mapping(query, "MetricStat", "Metric"))
        for number, query in enumerate(listed(alarm, "Metrics"))
        if mapping(query, "MetricStat")
    ]


def own_metric_findings(deployment: Deployment, where: str, metric: Document) -> Iterator[Finding]:
    """A metric of no service is one that the state machine publishes, under the same dimensions."""
    namespace = text(metric, "Namespace")
    if namespace.startswith("AWS/") or metric.get("Namespace") is UNKNOWN:
        return
    published = list(_published(deployment))
    wanted = (namespace, text(metric, "MetricName"), _dimensions(metric))
    if not any(_same(wanted, one) for one in published):
        shown = f"{namespace or 'no namespace'} {wanted[1] or '(no name)'} {dict(sorted(wanted[2]))}"
        remedy = "; ".join(f"{space} {name} {dict(sorted(kinds))}" for space, name, kinds in published)
        what = f"nobody publishes {shown}: the alarm would never ring"
        yield Finding(where, what, remedy or "a metric of a service", "MED-ALM-009")


Metric = tuple[str, str, frozenset[tuple[str, str]]]


def _published(deployment: Deployment) -> Iterator[Metric]:
    for _, _, properties in deployment.of_type(TYPE):
        machine = definition(properties)
        for _, service, operation, arguments in calls(substituted(machine, properties)) if machine else ():
            if (service, operation) == ("cloudwatch", "PutMetricData"):
                for entry in listed(arguments, "MetricData"):
                    yield text(arguments, "Namespace"), text(entry, "MetricName"), _dimensions(entry)


def _dimensions(metric: Document) -> frozenset[tuple[str, str]]:
    return frozenset((text(one, "Name"), text(one, "Value")) for one in listed(metric, "Dimensions"))


def _same(wanted: Metric, published: Metric) -> bool:
    """Names are compared; a value only where both are known."""
    if wanted[:2] != published[:2] or {n for n, _ in wanted[2]} != {n for n, _ in published[2]}:
        return False
    values = dict(published[2])
    return all(values[name] == value or "{%" in values[name] or "?" in value for name, value in wanted[2])
