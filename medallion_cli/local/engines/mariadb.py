"""A private MariaDB server standing in for RDS MySQL.

One folder, one port, a ROW binlog that survives a crash.

Loopback TCP only. Accounts are 127.0.0.1's; the administrator's password is generated and kept in a 0600
file. MySQL's defaults are kept where they differ (strict SQL mode, `local_infile` as the parameter group
says).
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import MedallionError
from medallion_cli.local.engines import processes
from medallion_cli.local.engines.mariadb_install import Binaries, binaries

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pymysql

ADMINISTRATOR = "rdsadmin"  # RDS's own account has the same name
_START_SECONDS = 120  # crash recovery included
_STOP_SECONDS = 60
_SETTINGS = {
    "bind-address": "127.0.0.1",
    "skip-name-resolve": "1",
    "server-id": "1",
    "binlog-format": "ROW",
    "binlog-row-image": "FULL",
    "binlog-row-metadata": "FULL",
    "binlog-row-event-max-size": "32768",
    "binlog-expire-logs-seconds": "259200",
    "max-binlog-size": "268435456",
    # A crash must not leave rows in one of binlog and InnoDB only: bronze would differ for ever.
    "sync-binlog": "1",
    "innodb-flush-log-at-trx-commit": "1",
    "innodb-buffer-pool-size": "268435456",
    "innodb-log-file-size": "268435456",
    "max-allowed-packet": "1073741824",
    "character-set-server": "utf8mb4",
    "collation-server": "utf8mb4_unicode_520_nopad_ci",
    "default-time-zone": "+00:00",
    "explicit-defaults-for-timestamp": "1",
    "sql-mode": "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,"
    "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
    "local-infile": "1",
    "max-connections": "100",
    "performance-schema": "0",
}
# What a DB parameter group may change here; RDS has more, and the rest have no meaning for one local process.
PARAMETERS = {
    "binlog_checksum", "binlog_format", "binlog_row_image", "binlog_row_metadata", "local_infile",
    "max_allowed_packet", "max_connections", "time_zone", "sql_mode", "innodb_lock_wait_timeout",
    "wait_timeout", "interactive_timeout", "character_set_server", "collation_server", "event_scheduler",
    "log_bin_trust_function_creators", "long_query_time", "net_read_timeout", "net_write_timeout",
    "slow_query_log", "tx_isolation",
}  # fmt: skip


class MariaDB:
    """One server on one folder; the caller chooses the port and passes it to `start`."""

    def __init__(self, folder: Path, *, cache: Path, user: tuple[int, int] | None = None) -> None:
        self.folder = folder
        self.port = 0
        self._cache = cache
        self._user = user
        self._data = folder / "data"
        self._log = folder / "mariadb.log"
        self._process: Any = None

    @property
    def running(self) -> bool:
        """Whether the server takes the administrator's connections."""
        return self.port > 0 and self._answers()

    @property
    def password(self) -> str:
        """The administrator's password, generated once."""
        path = self.folder / "administrator"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(path, secrets.token_urlsafe(24))
        return path.read_text()

    def start(self, port: int, parameters: Mapping[str, str] | None = None) -> None:
        """Starts the server (creating its data on the first start) and waits until it takes connections.

        `parameters` are a DB parameter group's; MedallionError with the log's last line when it does not
        start.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        processes.ensure_dead(self._pidfile)
        self.port = port
        found = binaries(self._cache)
        if not (_reachable(self.folder) and _reachable(found.server)):
            self._user = None  # below a closed home folder only root itself can run it
        self._own(self.folder)
        if not self._data.exists():
            self._initialise(found)
        self._configure(found, parameters or {})
        self._launch(found)

    def stop(self) -> None:
        """Clean shutdown; a server that takes longer than a minute is killed (InnoDB recovers)."""
        processes.ensure_dead(self._pidfile, patience=_STOP_SECONDS)
        if self._process is not None:
            self._process.wait()
        self._process = None

    @property
    def ended(self) -> bool:
        """Whether the server that was started here has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    @property
    def waits_for_space(self) -> bool:
        """Whether the last thing that the server said is that the disk is full: it looks again once a minute."""
        if not self._log.exists():
            return False
        with self._log.open("rb") as file:
            file.seek(max(0, self._log.stat().st_size - 2_000))
            return "Disk is full" in _last_line(file.read().decode(errors="replace"))

    def kill(self) -> None:
        """Ends the server at once, as a crash would; InnoDB and the binlog recover."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def connect(self, **options: Any) -> pymysql.connections.Connection[Any]:
        """The administrator's autocommitting connection, kept out of the binlog."""
        import pymysql

        settings = {"autocommit": True, "connect_timeout": 5, "charset": "utf8mb4", **options}
        settings.setdefault("init_command", "SET sql_log_bin=0")
        return pymysql.connect(
            host="127.0.0.1", port=self.port, user=ADMINISTRATOR, password=self.password, **settings
        )

    def write_master(self, name: str, password: str) -> None:
        """Creates the master user, or sets its password: RDS's rights, so no SUPER and no FILE."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute("CREATE USER IF NOT EXISTS %s@%s", (name, "%"))
            cursor.execute("ALTER USER %s@%s IDENTIFIED BY %s", (name, "%", password))
            cursor.execute(f"GRANT {_MASTER_RIGHTS} ON *.* TO %s@%s WITH GRANT OPTION", (name, "%"))

    def create_database(self, name: str) -> None:
        """Creates a database; NAME is validated by the caller (RDS: letters, digits and underscores)."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4")

    @property
    def _pidfile(self) -> Path:
        return self.folder / "mariadb.pid"

    def _initialise(self, found: Binaries) -> None:
        """mariadb-install-db beside the final name, then one rename: a kill never leaves half a server."""
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o750)
        self._own(fresh)
        uid, gid = self._user or (None, None)
        command = [found.installer, "--no-defaults", f"--basedir={found.base}", f"--datadir={fresh}"]
        command += ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
        if self._user is None and os.geteuid() == 0:
            command.append("--user=root")
        done = subprocess.run(
            [str(part) for part in command],
            user=uid, group=gid, extra_groups=[] if uid is not None else None,
            cwd=self.folder, env=found.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            reason = _last_line(done.stderr or done.stdout)
            raise MedallionError(f"mariadb-install-db failed: {reason}", hint=f"see {self.folder}")
        fresh.rename(self._data)

    def _configure(self, found: Binaries, parameters: Mapping[str, str]) -> None:
        """Writes my.cnf and the start-up SQL that sets the administrator's account (a hash, readable by us
        only).
        """
        settings = {
            **_SETTINGS, "port": str(self.port), "socket": "",
            "basedir": str(found.base), "datadir": str(self._data),
            "pid-file": str(self.folder / "server.pid"), "log-bin": str(self._data / "mysql-bin-changelog"),
            "tmpdir": str(self._folder("tmp")), "secure-file-priv": str(self._folder("files")),
            "init-file": str(self.folder / "start.sql"),
        }  # fmt: skip
        if self._user is None and os.geteuid() == 0:
            settings["user"] = "root"
        renamed = {"time_zone": "default-time-zone", "tx_isolation": "transaction-isolation"}
        for name, value in parameters.items():
            if name == "time_zone" and value.upper() == "UTC":
                value = "+00:00"  # names need tables that a fresh server does not have
            if name in PARAMETERS:
                settings[renamed.get(name, name).replace("_", "-")] = value
        lines = "".join(f"{name}={value}\n" for name, value in settings.items())
        for name, text in (("my.cnf", f"[mariadbd]\n{lines}"), ("start.sql", _start_sql(self.password))):
            _write(self.folder / name, text)
            self._own(self.folder / name)

    def _folder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        self._own(folder)
        return folder

    def _launch(self, found: Binaries) -> None:
        self._process = processes.spawn(
            [str(found.server), f"--defaults-file={self.folder / 'my.cnf'}"],
            log=self._log, env=found.environment, user=self._user, pidfile=self._pidfile,
        )  # fmt: skip
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None:
                raise MedallionError(f"MariaDB did not start: {self._reason()}", hint=f"see {self._log}")
            if time.monotonic() > deadline:
                self.stop()
                raise MedallionError(f"MariaDB did not answer within {_START_SECONDS} s: see {self._log}")
            time.sleep(0.05)

    def _reason(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        errors = [line for line in lines if "[ERROR]" in line and not line.endswith("Aborting")]
        return (errors or [_last_line("\n".join(lines))])[-1]

    def _answers(self) -> bool:
        import pymysql

        try:
            self.connect(read_timeout=5).close()  # what has taken the port may never greet
        except pymysql.err.MySQLError:
            return False
        return True

    def _own(self, path: Path) -> None:
        if self._user is not None:
            os.chown(path, *self._user)


# As `SHOW GRANTS` tells of RDS's master user, less what MariaDB does not have.
_MASTER_RIGHTS = (
    "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, "
    "SHOW DATABASES, CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, REPLICATION CLIENT, "
    "CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER"
)


# RDS's own setting of how long the binlog is kept. One statement a line; RDS begins with NULL, here it is kept from the start.
_RETENTION = (
    "CREATE TABLE IF NOT EXISTS mysql.rds_configuration (name VARCHAR(100) PRIMARY KEY, value VARCHAR(100));\n"
    "INSERT IGNORE INTO mysql.rds_configuration VALUES ('binlog retention hours', '72');\n"
    f"CREATE OR REPLACE DEFINER='{ADMINISTRATOR}'@'127.0.0.1' PROCEDURE "
    "mysql.rds_set_configuration(wanted VARCHAR(100), hours INT) "
    "UPDATE mysql.rds_configuration SET value = hours WHERE name = wanted;\n"
)


def _start_sql(password: str) -> str:
    """Run at every start, outside the binlog. `root` without a password can't be reached.

    No socket, no names.
    """
    digest = hashlib.sha1(hashlib.sha1(password.encode()).digest()).hexdigest().upper()
    account = f"'{ADMINISTRATOR}'@'127.0.0.1'"
    return (
        "SET sql_log_bin=0;\n"
        f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY PASSWORD '*{digest}';\n"
        f"ALTER USER {account} IDENTIFIED BY PASSWORD '*{digest}';\n"
        f"GRANT ALL PRIVILEGES ON *.* TO {account} WITH GRANT OPTION;\n"
        "DELETE FROM mysql.global_priv WHERE User IN ('', 'root');\n"
        "FLUSH PRIVILEGES;\n" + _RETENTION
    )


def _reachable(path: Path) -> bool:
    """Whether another user may enter every folder above `path`."""
    return all(folder.stat().st_mode & 0o001 for folder in path.resolve().parents)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]


def _write(path: Path, text: str) -> None:
    """A 0600 file, replaced whole."""
    fresh = path.with_name(path.name + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
