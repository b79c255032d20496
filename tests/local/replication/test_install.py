"""MariaDB comes without root and without anything installed, or says what to do."""

from __future__ import annotations

import os
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from medallion_cli.errors import MedallionError
from medallion_cli.local.engines import mariadb_install, processes
from medallion_cli.local.engines.mariadb import MariaDB

pytestmark = pytest.mark.engine


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mariadb_install, "installed", lambda: None)


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs apt")
def test_obtained_once_by_many_on_a_machine_without_package_lists(
    tmp_path: Path, nothing_installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "no-lists" / "partial").mkdir(parents=True)
    (tmp_path / "apt.conf").write_text(f'Dir::State::lists "{tmp_path}/no-lists";\n')
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    cache = tmp_path / "cache"
    with ThreadPoolExecutor(3) as pool:
        found = set(pool.map(lambda _: mariadb_install.binaries(cache), range(3)))
    assert len(found) == 1
    assert mariadb_install.version_of(
        found.pop().server, next(cache.glob("mariadb-*/usr/lib/*-linux-gnu"))
    ) >= (10, 6)
    assert [path.name for path in cache.glob("*.partial")] == []


def test_no_way_to_obtain_it_names_the_packages(
    tmp_path: Path, nothing_installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MedallionError) as error:
        mariadb_install.binaries(tmp_path / "cache")
    assert error.value.hint == "brew install mariadb, or apt install mariadb-server"


def test_old_and_foreign_servers_are_not_used(tmp_path: Path) -> None:
    for name, text in (
        ("old", "mysqld Ver 10.3.39-MariaDB"),
        ("foreign", "mysqld Ver 8.4.8 for Linux"),
        ("dead", ""),
    ):
        server = tmp_path / name / "bin" / "mariadbd"
        server.parent.mkdir(parents=True)
        server.write_text(f"#!/bin/sh\necho '{text}'\n")
        server.chmod(server.stat().st_mode | stat.S_IXUSR)
        (server.parent / "mariadb-install-db").touch()
        assert mariadb_install._usable(server, server.parent.parent, None) is None


def test_a_crash_keeps_what_was_committed_and_the_account(server: MariaDB, tmp_path: Path) -> None:
    own = MariaDB(tmp_path / "own", cache=server._cache)
    own.start(processes.free_port())
    own.write_master("admin", 'it\'s "secret"')
    own.create_database("shop")
    with own.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE shop.t (n INT PRIMARY KEY)")
        cursor.execute("INSERT INTO shop.t VALUES (1)")
    own._process.kill()
    own._process.wait()
    assert not own.running
    own.start(own.port)
    with own.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT n FROM shop.t")
        assert cursor.fetchall() == ((1,),)
        cursor.execute("SELECT user, host FROM mysql.global_priv ORDER BY user")
        assert {user for user, _ in cursor.fetchall()} == {"admin", "mariadb.sys", "rdsadmin"}
    own.stop()
    assert stat.S_IMODE((own.folder / "administrator").stat().st_mode) == 0o600
    assert stat.S_IMODE((own.folder / "my.cnf").stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can drop to another user")
def test_root_drops_to_another_user_where_that_one_may_enter(server: MariaDB) -> None:
    import pwd
    import tempfile

    nobody = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder, cache = Path(name), Path(name) / "cache"
        folder.chmod(0o755)
        for home in server._cache.glob("mariadb-*.*"):
            shutil.copytree(home, cache / home.name, symlinks=True)
        own = MariaDB(folder / "own", cache=cache, user=(nobody.pw_uid, nobody.pw_gid))
        own.start(processes.free_port())
        try:
            assert Path(f"/proc/{own._process.pid}").stat().st_uid == nobody.pw_uid
        finally:
            own.stop()
