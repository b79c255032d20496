"""The artefacts of a deployment, built from the project under content hashes; the same content is the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import UsageError
from medallion_cli.operations import quicksight

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.aws.session import Target
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Pipeline

EPOCH = (1980, 1, 1, 0, 0, 0)  # zip's first moment: no clock in the bytes
AUTHORITIES = "infra_templates/rds-ca-rsa2048-g1.pem"
LARGEST_BODY = 51_200  # bytes of TemplateBody
SHARED = "glue_scripts/medallion_glue"
SCRIPTS = ("bronze_to_silver", "silver_to_gold", "checksum", "housekeeping", "erase")
STACKS = (
    "network",
    "storage",
    "source",
    "replication",
    "transform",
    "warehouse",
    "orchestration",
    "visualization",
    "observability",
)


@dataclass(frozen=True)
class Artefact:
    """One file for the artifacts bucket."""

    parameter: str  # the CloudFormation parameter that carries its key
    key: str
    content: bytes


@dataclass(frozen=True)
class Package:
    """Everything that is uploaded, and the templates."""

    artefacts: tuple[Artefact, ...]
    templates: dict[str, str]  # stack → template body

    @property
    def parameters(self) -> dict[str, str]:
        """Keys of the artefacts by template parameter."""
        return {artefact.parameter: artefact.key for artefact in self.artefacts}


def build(pipeline: Pipeline, assets: Assets, settings: Settings) -> Package:
    """Builds it all; nothing is written anywhere."""
    document = json.dumps(pipeline.resolved(), indent=1, ensure_ascii=False).encode()
    artefacts = [
        _artefact("PipelineKey", "pipeline", "pipeline.json", document),
        _artefact(
            "SourceCodeKey", "lambda", "source.zip", _zip(dict(_function_files(pipeline, assets, settings)))
        ),
        _artefact("SharedCodeKey", "glue", "medallion_glue.zip", _zip(dict(_shared_files(assets)))),
    ]
    for name in SCRIPTS:
        parameter = "".join(part.capitalize() for part in name.split("_")) + "Key"
        artefacts.append(
            _artefact(parameter, "glue", f"{name}.py", assets.path(f"glue_scripts/{name}.py").read_bytes())
        )
    return Package(tuple(artefacts), render_templates(pipeline, assets, settings))


def upload(target: Target, bucket: str, package: Package) -> int:
    """Uploads what is not there yet; how many files."""
    from medallion_cli.aws import s3

    missing = [a for a in package.artefacts if not s3.exists(target, bucket, a.key)]
    for artefact in missing:
        s3.put_bytes(target, bucket, artefact.key, artefact.content)
    return len(missing)


def template_url(target: Target, bucket: str | None, stack: str, body: str) -> str | None:
    """Where CloudFormation reads a template that is too long to be sent along; None for one that is not."""
    from medallion_cli.aws import s3

    if len(body.encode()) <= LARGEST_BODY:
        return None
    if bucket is None:
        raise UsageError(
            f"infra_templates/{stack}.yaml is longer than the {LARGEST_BODY:,} bytes CloudFormation takes"
        )
    artefact = _artefact("", f"templates/{stack}", "template.yaml", body.encode())
    s3.put_bytes(target, bucket, artefact.key, artefact.content)
    return f"https://{bucket}.s3.{target.settings.region}.amazonaws.com/{artefact.key}"


def render_templates(pipeline: Pipeline, assets: Assets, settings: Settings) -> dict[str, str]:
    """The templates with what derives from the spec filled in; `[[ … ]]` so that `{{resolve:…}}` stays CloudFormation's."""
    import jinja2

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        variable_start_string="[[",
        variable_end_string="]]",
        block_start_string="[%",
        block_end_string="%]",
        comment_start_string="[#",
        comment_end_string="#]",
        keep_trailing_newline=True,
    )
    environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)  # JSON is YAML
    facts = template_facts(pipeline, assets, settings)
    rendered = {}
    for stack in STACKS:
        name = f"infra_templates/{stack}.yaml"
        try:
            rendered[stack] = environment.from_string(assets.read(name)).render(**facts)
        except jinja2.TemplateError as error:
            raise UsageError(f"{name}: {error}", hint="medallion validate") from error
    return rendered


def template_facts(pipeline: Pipeline, assets: Assets, settings: Settings) -> dict[str, Any]:
    """What the templates may ask for."""
    import yaml

    from medallion_cli.dashboard import load_dashboard

    dashboard = load_dashboard(assets)
    machine = yaml.safe_load(assets.read("infra_templates/state_machine.yaml"))
    return {
        "pipeline": pipeline,
        "settings": settings,
        "table_mappings": json.dumps(table_mappings(pipeline)),
        "task_settings": json.dumps(yaml.safe_load(assets.read("infra_templates/replication_settings.yaml"))),
        "state_machine": json.dumps(machine),
        "source_authority": source_authority(assets, settings.region),
        "dashboard": dashboard,
        "data_sets": quicksight.data_sets(dashboard),
        "sheets": quicksight.sheets(dashboard, str(pipeline.business.get("currency", "USD"))),
    }


def table_mappings(pipeline: Pipeline) -> dict[str, Any]:
    """DMS's rules: one selection a table, the ordering column, the key's before-image; never a `%` schema."""
    located = [(t.schema, t.name) for t in pipeline.tables] + [("medallion", "heartbeat")]
    rules: list[dict[str, Any]] = []
    for number, (schema, table) in enumerate(located, start=1):
        locator = {"schema-name": schema, "table-name": table}
        names = {"object-locator": locator, "rule-type": "selection", "rule-action": "include"}
        rules.append({**names, "rule-id": str(number), "rule-name": f"{schema}-{table}"})
    for number, schema in enumerate(sorted({schema for schema, _ in located})):
        rules += _ordering_rules(schema, 1000 + 10 * number)
    return {"rules": rules}


def _ordering_rules(schema: str, number: int) -> list[dict[str, Any]]:
    """`dms_change_seq` sorts changes; `BI_<key>` tells a changed key (aws-docs: DMS transformation expressions)."""
    common = {"rule-type": "transformation", "rule-target": "column"}
    locator = {"object-locator": {"schema-name": schema, "table-name": "%"}}
    sequence = {
        **common, **locator, "rule-id": str(number), "rule-name": f"{schema}-change-seq", "rule-action": "add-column",
        "value": "dms_change_seq", "expression": "$AR_H_CHANGE_SEQ", "data-type": {"type": "string", "length": 50},
    }  # fmt: skip
    before = {
        **common, **locator, "rule-id": str(number + 1), "rule-name": f"{schema}-before-image",
        "rule-action": "add-before-image-columns",
        "before-image-def": {"column-prefix": "BI_", "column-suffix": "", "column-filter": "pk-only"},
    }  # fmt: skip
    return [sequence, before]


def source_authority(assets: Assets, region: str) -> str:
    """The PEM that the region's RDS servers are signed by; UsageError when it is not among those shipped."""
    pattern = rf"^# {re.escape(region)}\n(-----BEGIN.*?END CERTIFICATE-----\n)"
    match = re.search(pattern, assets.read(AUTHORITIES), re.MULTILINE | re.DOTALL)
    if match is None:
        raise UsageError(
            f"{AUTHORITIES}: no certificate for {region}", hint="add it from AWS's global-bundle.pem"
        )
    return match[1]


def _function_files(pipeline: Pipeline, assets: Assets, settings: Settings) -> Iterator[tuple[str, bytes]]:
    """The Lambda's zip: the synthetic package with what it needs, pymysql, RDS's authority, the project's facts."""
    import pymysql

    from medallion_cli.operations.seed import recipe_document

    package = Path(__file__).resolve().parents[1]
    for name in ("__init__.py", "errors.py", "canonical.py"):
        yield f"medallion_cli/{name}", (package / name).read_bytes()
    yield from _tree(package / "synthetic", "medallion_cli/synthetic")
    yield from _tree(Path(pymysql.__file__).parent, "pymysql")
    yield "pipeline.json", json.dumps(pipeline.resolved(), ensure_ascii=False).encode()
    yield "synthetic.json", json.dumps(recipe_document(assets), ensure_ascii=False).encode()
    yield "rds-ca.pem", source_authority(assets, settings.region).encode()
    yield "schema.sql", assets.read(pipeline.source["ddl"]).encode()


def _shared_files(assets: Assets) -> Iterator[tuple[str, bytes]]:
    yield from _tree(assets.path(SHARED), "medallion_glue")


def _tree(folder: Path, name: str) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield f"{name}/{path.relative_to(folder).as_posix()}", path.read_bytes()


def _zip(files: dict[str, bytes]) -> bytes:
    """The same files are the same bytes everywhere: stored, since zlib's output differs from build to build."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3  # Unix, on every platform
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])
    return buffer.getvalue()


def _artefact(parameter: str, folder: str, name: str, content: bytes) -> Artefact:
    digest = hashlib.sha256(content).hexdigest()[:16]
    return Artefact(parameter, f"code/{folder}/{digest}/{name}", content)
