"""Artefacts: the same project is the same bytes, and the function's zip stands on its own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from medallion_cli.assets import Assets
from medallion_cli.errors import UsageError
from medallion_cli.operations import package
from medallion_cli.settings import Settings
from medallion_cli.spec import Pipeline

IMPORT = """
import sys
sys.path.insert(0, sys.argv[1])
from medallion_cli.synthetic import handlers
names = [m.__file__ for n, m in sys.modules.items() if n.split(".")[0] in ("medallion_cli", "pymysql") and m.__file__]
assert all(name.startswith(sys.argv[1]) for name in names), names
handlers.project()
"""


def zipped(built: package.Package, parameter: str) -> zipfile.ZipFile:
    (content,) = [a.content for a in built.artefacts if a.parameter == parameter]
    return zipfile.ZipFile(io.BytesIO(content))


def test_the_same_project_is_the_same_bytes(
    built: package.Package, pipeline: Pipeline, assets: Assets, settings: Settings
) -> None:
    script = assets.path("glue_scripts/checksum.py")
    before = script.stat()
    os.utime(script)
    try:
        assert package.build(pipeline, assets, settings).artefacts == built.artefacts
    finally:
        os.utime(script, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_zip_has_no_clock_and_no_compression(built: package.Package) -> None:
    """zlib's output differs from build to build of Python; a new key would replace the function for nothing."""
    for parameter in ("SourceCodeKey", "SharedCodeKey"):
        for entry in zipped(built, parameter).infolist():
            assert (entry.date_time, entry.compress_type) == (package.EPOCH, zipfile.ZIP_STORED)


def test_the_function_stands_on_its_own(built: package.Package, tmp_path: Path) -> None:
    """As on Lambda: only the zip (and boto3, which the runtime has); nothing of this checkout."""
    zipped(built, "SourceCodeKey").extractall(tmp_path)
    environment = {"LAMBDA_TASK_ROOT": str(tmp_path), "PIPELINE": "pipeline.json"}
    command = [sys.executable, "-I", "-c", IMPORT, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_function_is_pure_python_and_fits(built: package.Package) -> None:
    names = zipped(built, "SourceCodeKey").namelist()
    assert not [name for name in names if name.endswith((".so", ".pyd", ".dylib"))]
    assert sum(entry.file_size for entry in zipped(built, "SourceCodeKey").infolist()) < 50_000_000


def test_keys_change_with_the_content_only(built: package.Package) -> None:
    assert len({a.key for a in built.artefacts}) == len(built.artefacts)
    changed = package._artefact("PipelineKey", "pipeline", "pipeline.json", b"{}")
    assert changed.key != built.parameters["PipelineKey"]


@pytest.mark.parametrize("region", ["eu-central-1", "us-east-1", "ap-southeast-2"])
def test_the_region_s_own_authority_is_used(assets: Assets, region: str) -> None:
    import ssl

    pem = package.source_authority(assets, region)
    assert pem.count("BEGIN CERTIFICATE") == 1
    der = ssl.PEM_cert_to_DER_cert(pem)
    assert f"Amazon RDS {region} Root CA RSA2048 G1".encode() in der


def test_a_region_without_an_authority_is_refused(assets: Assets) -> None:
    with pytest.raises(UsageError, match="no certificate for mars-east-1"):
        package.source_authority(assets, "mars-east-1")


def test_templates_fit_into_what_cloudformation_reads(built: package.Package) -> None:
    assert max(len(body.encode()) for body in built.templates.values()) < 1_000_000


def test_templates_are_yaml_of_one_document(built: package.Package) -> None:
    for body in built.templates.values():
        assert len(list(yaml.compose_all(body))) == 1
