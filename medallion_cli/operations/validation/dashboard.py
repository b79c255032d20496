"""The dashboard: its file against gold's views, and QuickSight's definition against its own data sets."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.documents import UNKNOWN, Document, at, listed, mapping, text, words

if TYPE_CHECKING:
    from medallion_cli.dashboard import Dashboard, Visual
    from medallion_cli.operations.validation.deployment import Deployment

FILE = "configs/dashboard.yaml"
GRID = 36  # columns of QuickSight's sheet
WHERE = "infra_templates/visualization.yaml"
PRINCIPAL = r"arn:aws[\w-]*:quicksight:[a-z0-9-]+:\d{12}:(user|group|namespace)/.+"
NUMBERS = ("DECIMAL", "INTEGER")
# field of a visual → types of column that it takes
FIELDS = {
    "NumericalMeasureField": NUMBERS,
    "NumericalDimensionField": NUMBERS,
    "DateDimensionField": ("DATETIME",),
    "DateMeasureField": ("DATETIME",),
    "CategoricalDimensionField": ("STRING", "BOOLEAN"),
    "CategoricalMeasureField": ("STRING", "BOOLEAN", "INTEGER", "DECIMAL", "DATETIME"),
}

# type → (a reader's actions, what an owner's has besides); QuickSight's guide, "IAM policy examples" and permissions of assets
PERMISSIONS = {
    "AWS::QuickSight::Dashboard": (
        words("DescribeDashboard ListDashboardVersions QueryDashboard"),
        words(
            """
            UpdateDashboard DeleteDashboard UpdateDashboardPermissions DescribeDashboardPermissions
            UpdateDashboardPublishedVersion
            """
        ),
    ),
    "AWS::QuickSight::DataSet": (
        words("DescribeDataSet DescribeDataSetPermissions PassDataSet DescribeIngestion ListIngestions"),
        words("UpdateDataSet DeleteDataSet CreateIngestion CancelIngestion UpdateDataSetPermissions"),
    ),
    "AWS::QuickSight::DataSource": (
        words("DescribeDataSource DescribeDataSourcePermissions PassDataSource"),
        words("UpdateDataSource DeleteDataSource UpdateDataSourcePermissions"),
    ),
}


def file_findings(dashboard: Dashboard, views: Mapping[str, list[str]]) -> Iterator[Finding]:
    """Every visual's columns are columns of its view; nothing else checks that before QuickSight does."""
    for number, visual in enumerate(dashboard.visuals):
        where = f"{FILE} visuals[{number}] {visual.id}"
        if visual.view not in views:
            near = difflib.get_close_matches(visual.view, views, 1)
            remedy = f"did you mean {near[0]}?" if near else f"make sql/redshift/views/{visual.view}.sql"
            yield Finding(f"{where}.view", f"there is no view {visual.view}", remedy, "MED-DSH-001")
            continue
        yield from _slice_findings(where, visual, views)
        for key, column in _columns(visual):
            if column not in views[visual.view]:
                near = difflib.get_close_matches(str(column), views[visual.view], 1)
                remedy = f"did you mean {near[0]}?" if near else f"one of: {', '.join(views[visual.view])}"
                yield Finding(
                    f"{where}.{key}", f"gold.{visual.view} has no column {column}", remedy, "MED-DSH-002"
                )


def _slice_findings(where: str, visual: Visual, views: Mapping[str, list[str]]) -> Iterator[Finding]:
    """The columns that the page's filters take are there."""
    for number, each in enumerate(visual.slices):
        place = f"{where}.slices[{number}]"
        if each.view not in views:
            remedy = f"make sql/redshift/views/{each.view}.sql"
            yield Finding(f"{place}.view", f"there is no view {each.view}", remedy, "MED-DSH-001")
            continue
        x = [] if visual.kind == "kpi" else [str(visual.x)]
        for column in [*x, *each.by.values(), *visual.sums(each)]:
            if column not in views[each.view]:
                what = f"gold.{each.view} has no column {column}"
                yield Finding(place, what, f"one of: {', '.join(views[each.view])}", "MED-DSH-002")


def _columns(visual: Visual) -> list[tuple[str, str | None]]:
    if visual.kind == "kpi":
        return [(f"measures[{n}].column", m.column) for n, m in enumerate(visual.measures)]
    return [("x", visual.x), ("y", visual.y)] + ([("sort.column", visual.sort.column)] if visual.sort else [])


def quicksight_findings(
    deployment: Deployment, views: Mapping[str, list[str]], dashboard: Dashboard
) -> Iterator[Finding]:
    """Findings in the templates' data sets and dashboards."""
    sets: dict[str, dict[str, str]] = {}
    for stack, logical, data_set in deployment.of_type("AWS::QuickSight::DataSet"):
        arn = f"arn:aws:quicksight:{deployment.settings.region}:111122223333:dataset/{text(data_set, 'DataSetId')}"
        sets[arn] = {}
        for name, table in mapping(data_set, "PhysicalTableMap").items():
            where = deployment.place(stack, logical, "PhysicalTableMap", name)
            columns = {text(c, "Name"): text(c, "Type") for c in listed(table, "CustomSql", "Columns")}
            sets[arn] |= columns
            yield from _query(where, text(table, "CustomSql", "SqlQuery"), list(columns), views)
            yield from _source(deployment, where, at(table, "CustomSql", "DataSourceArn"))
    for stack, logical, found in deployment.of_type("AWS::QuickSight::Dashboard"):
        yield from _definition(
            deployment.place(stack, logical, "Definition"), mapping(found, "Definition"), sets
        )
        yield from _shown(
            deployment.place(stack, logical, "Definition"), mapping(found, "Definition"), dashboard
        )
    yield from _connected(deployment)
    yield from _refreshed(deployment)
    yield from _permitted(deployment)


def _refreshed(deployment: Deployment) -> Iterator[Finding]:
    """What is imported is imported again; what is refreshed is there."""
    sets = {text(p, "DataSetId"): (s, n, p) for s, n, p in deployment.of_type("AWS::QuickSight::DataSet")}
    done = set[str]()
    for stack, logical, schedule in deployment.of_type("AWS::QuickSight::RefreshSchedule"):
        done.add(text(schedule, "DataSetId"))
        if schedule.get("DataSetId") is not UNKNOWN and text(schedule, "DataSetId") not in sets:
            where = deployment.place(stack, logical, "DataSetId")
            what = f"{text(schedule, 'DataSetId')} is no data set of the templates"
            yield Finding(where, what, f"one of: {', '.join(sorted(sets))}", "MED-DSH-010")
    for name, (stack, logical, data_set) in sets.items():
        if text(data_set, "ImportMode") == "SPICE" and name not in done:
            what = "is imported once and never again: the dashboard would show old numbers"
            where = deployment.place(stack, logical, "ImportMode")
            yield Finding(where, what, "an AWS::QuickSight::RefreshSchedule", "MED-DSH-011")


def _permitted(deployment: Deployment) -> Iterator[Finding]:
    """QuickSight takes a reader's actions or an owner's, whole."""
    for kind, (reader, more) in PERMISSIONS.items():
        for stack, logical, properties in deployment.of_type(kind):
            for number, given in enumerate(listed(properties, "Permissions")):
                actions = {str(a).removeprefix("quicksight:") for a in listed(given, "Actions")}
                if actions not in (reader, reader | more):
                    where = deployment.place(stack, logical, "Permissions", number)
                    missing = sorted((reader | more) - actions if actions & more else reader - actions)
                    what = f"is neither a reader's set of actions nor an owner's: without {', '.join(missing) or 'none'}"
                    remedy = f"a reader's: {', '.join(sorted(reader))}; an owner's, besides: {', '.join(sorted(more))}"
                    yield Finding(where, what, remedy, "MED-DSH-012")


def _query(where: str, sql: str, columns: list[str], views: Mapping[str, list[str]]) -> Iterator[Finding]:
    from medallion_cli.operations.validation.models import parse_fault, selected, unknown_names

    if fault := parse_fault(sql, "redshift"):
        yield Finding(f"{where}.CustomSql.SqlQuery", fault, "one SELECT", "MED-DSH-003")
        return
    known = tuple((name, tuple(found)) for name, found in views.items())
    if fault := unknown_names(sql, "redshift", known):
        yield Finding(
            f"{where}.CustomSql.SqlQuery",
            fault,
            "a view of sql/redshift/views and its columns",
            "MED-DSH-003",
        )
    if (given := selected(sql, "redshift", known)) != columns:
        what = f"declares {', '.join(columns)}; the query returns {', '.join(given)}"
        yield Finding(f"{where}.CustomSql.Columns", what, "the query's columns, in order", "MED-DSH-004")


def _source(deployment: Deployment, where: str, arn: Any) -> Iterator[Finding]:
    known = {
        f"arn:aws:quicksight:{deployment.settings.region}:111122223333:datasource/{text(p, 'DataSourceId')}"
        for _, _, p in deployment.of_type("AWS::QuickSight::DataSource")
    }
    if arn is not UNKNOWN and str(arn) not in known:
        yield Finding(
            f"{where}.CustomSql.DataSourceArn",
            "leads to no data source",
            "the Arn of the data source",
            "MED-DSH-005",
        )


def _definition(where: str, definition: Document, sets: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    declared = {}
    for number, one in enumerate(listed(definition, "DataSetIdentifierDeclarations")):
        arn = at(one, "DataSetArn")
        declared[text(one, "Identifier")] = sets.get(text(one, "DataSetArn"), {})
        if arn is not UNKNOWN and text(one, "DataSetArn") not in sets:
            place = f"{where}.DataSetIdentifierDeclarations[{number}]"
            yield Finding(place, "leads to no data set", "the Arn of a data set", "MED-DSH-005")
    for number, sheet in enumerate(listed(definition, "Sheets")):
        place = f"{where}.Sheets[{number}]"
        yield from _fields(place, sheet, declared)
        yield from _layout(place, sheet)


def _fields(where: str, sheet: Any, declared: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    used: list[str] = []
    for number, visual in enumerate(listed(sheet, "Visuals")):
        place, own = f"{where}.Visuals[{number}]", set[str]()
        for kind, field in _found(visual, FIELDS):
            identifier, column = (
                text(field, "Column", "DataSetIdentifier"),
                text(field, "Column", "ColumnName"),
            )
            own.add(text(field, "FieldId"))
            used.append(text(field, "FieldId"))
            if identifier not in declared:
                yield Finding(
                    f"{place}.{kind}",
                    f"no data set is declared as {identifier!r}",
                    "a declared identifier",
                    "MED-DSH-006",
                )
            elif column not in declared[identifier]:
                near = difflib.get_close_matches(column, declared[identifier], 1)
                remedy = f"did you mean {near[0]}?" if near else f"one of: {', '.join(declared[identifier])}"
                yield Finding(
                    f"{place}.{kind}",
                    f"the data set {identifier} has no column {column}",
                    remedy,
                    "MED-DSH-006",
                )
            elif declared[identifier][column] not in FIELDS[kind]:
                what = (
                    f"{column} is {declared[identifier][column]}; a {kind} takes {' or '.join(FIELDS[kind])}"
                )
                yield Finding(
                    f"{place}.{kind}", what, "another field, or a cast in the data set", "MED-DSH-007"
                )
        for _, sort in _found(visual, {"FieldSort": ()}):
            if text(sort, "FieldId") not in own:
                what = f"sorts by {text(sort, 'FieldId')}, which the visual has not"
                yield Finding(f"{place}.FieldSort", what, f"one of: {', '.join(sorted(own))}", "MED-DSH-008")
    for name in sorted({name for name in used if used.count(name) > 1}):
        yield Finding(where, f"two fields have the id {name}", "an id of its own for each", "MED-DSH-008")


def _found(value: Any, names: Mapping[str, Any]) -> Iterator[tuple[str, Document]]:
    match value:
        case dict():
            for key, inner in value.items():
                if key in names and isinstance(inner, dict):
                    yield key, inner
                yield from _found(inner, names)
        case list():
            for inner in value:
                yield from _found(inner, names)


def _layout(where: str, sheet: Any) -> Iterator[Finding]:
    ids = [text(body, "VisualId") for visual in listed(sheet, "Visuals") for body in mapping(visual).values()]
    for name in sorted({one for one in ids if ids.count(one) > 1}):
        yield Finding(where, f"two visuals have the id {name}", "an id of its own for each", "MED-DSH-009")
    elements = listed(sheet, "Layouts", 0, "Configuration", "GridLayout", "Elements")
    placed = [text(element, "ElementId") for element in elements]
    for name in sorted(set(placed) ^ set(ids)):
        what = (
            f"{name} is laid out and is no visual" if name in placed else f"{name} has no place in the layout"
        )
        yield Finding(f"{where}.Layouts", what, "one element a visual", "MED-DSH-009")
    for element in elements:
        start, span = at(element, "ColumnIndex") or 0, at(element, "ColumnSpan")
        if not isinstance(span, int) or not isinstance(start, int) or span < 1 or start + span > GRID:
            what = f"{text(element, 'ElementId')} ends beyond column {GRID}"
            yield Finding(
                f"{where}.Layouts", what, f"ColumnIndex + ColumnSpan of at most {GRID}", "MED-DSH-009"
            )


def _shown(where: str, definition: Document, dashboard: Dashboard) -> Iterator[Finding]:
    """Every visual of the file is in QuickSight, so that it shows what the web page does."""
    ids = {
        text(body, "VisualId")
        for sheet in listed(definition, "Sheets")
        for visual in listed(sheet, "Visuals")
        for body in mapping(visual).values()
    }
    for visual in dashboard.visuals:
        if not any(name == visual.id or name.startswith(f"{visual.id}-") for name in ids):
            yield Finding(
                where,
                f"does not show {visual.id} of {FILE}",
                "render the template from the file",
                "MED-DSH-010",
            )


def _connected(deployment: Deployment) -> Iterator[Finding]:
    """The data source speaks to the warehouse: its port, its database, inside the network, over TLS."""
    names = {text(n, "DbName") for _, _, n in deployment.of_type("AWS::RedshiftServerless::Namespace")}
    for stack, logical, source in deployment.of_type("AWS::QuickSight::DataSource"):
        redshift = mapping(source, "DataSourceParameters", "RedshiftParameters")
        where = deployment.place(stack, logical, "DataSourceParameters", "RedshiftParameters")
        if str(redshift.get("Port")) != "5439":
            yield Finding(
                f"{where}.Port",
                f"is {redshift.get('Port')}: the workgroup listens on 5439",
                "Port: 5439",
                "MED-DSH-011",
            )
        if redshift.get("Database") is not UNKNOWN and redshift.get("Database") not in names:
            yield Finding(
                f"{where}.Database", "is not the warehouse's database", "the output Database", "MED-DSH-011"
            )
        if str(at(source, "SslProperties", "DisableSsl")).lower() != "false":
            where = deployment.place(stack, logical, "SslProperties")
            yield Finding(
                where, "speaks without TLS, which the workgroup refuses", "DisableSsl: false", "MED-DSH-011"
            )
        if not at(source, "VpcConnectionProperties", "VpcConnectionArn"):
            where = deployment.place(stack, logical, "VpcConnectionProperties")
            yield Finding(where, "the warehouse has no public address", "VpcConnectionArn", "MED-DSH-011")
        if not source.get("Credentials"):
            where = deployment.place(stack, logical, "Credentials")
            yield Finding(where, "has no way to log in", "Credentials: {SecretArn: …}", "MED-DSH-011")
        if source.get("Type") != "REDSHIFT":
            yield Finding(
                deployment.place(stack, logical, "Type"),
                f"is {source.get('Type')}",
                "Type: REDSHIFT",
                "MED-DSH-011",
            )
    kinds = ("AWS::QuickSight::DataSource", "AWS::QuickSight::DataSet", "AWS::QuickSight::Dashboard")
    for kind in kinds:
        for stack, logical, properties in deployment.of_type(kind):
            yield from _permissions(
                deployment.place(stack, logical, "Permissions"), kind.rpartition("::")[2], properties
            )


def _permissions(where: str, kind: str, properties: Document) -> Iterator[Finding]:
    """QuickSight takes actions of the resource's own kind only; each is an operation of its API, or one of a few."""
    from medallion_cli.operations.validation.properties import service_model

    known = {*service_model("quicksight").operation_names, "PassDataSource", "PassDataSet", "QueryDashboard"}
    actions = [action for p in listed(properties, "Permissions") for action in listed(p, "Actions")]
    for action in map(str, actions):
        name = action.removeprefix("quicksight:")
        if not action.startswith("quicksight:") or (
            re.sub(r"^List(Ingestions|DashboardVersions)$", "", name) and name not in known
        ):
            near = difflib.get_close_matches(name, known, 1)
            remedy = f"did you mean quicksight:{near[0]}?" if near else "an action of QuickSight"
            yield Finding(f"{where}.Actions", f"QuickSight has no action {action}", remedy, "MED-DSH-012")
    for number, permission in enumerate(listed(properties, "Permissions")):
        principal = at(permission, "Principal")
        if isinstance(principal, str) and not re.fullmatch(PRINCIPAL, principal):
            what = f"{principal!r} is no user, group or namespace of QuickSight"
            yield Finding(
                f"{where}[{number}].Principal",
                what,
                "arn:aws:quicksight:<region>:<account>:user/default/<name>",
                "MED-DSH-013",
            )
    if not actions:
        yield Finding(where, f"nobody may see the {kind}", "Permissions for the principal", "MED-DSH-012")
