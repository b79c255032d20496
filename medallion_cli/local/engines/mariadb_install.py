"""Where the MariaDB binaries come from.

What is installed, else the distribution's own packages, unpacked in the cache.

Nothing is installed and no root is needed: `apt-get download` and `dpkg -x` work for an ordinary user, with
package lists of our own when the machine has none.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from medallion_cli.errors import MedallionError

MINIMUM = (10, 6)  # binlog-row-metadata=FULL needs 10.5; 10.6 is the oldest release still maintained
_SERVERS = ("mariadbd", "mysqld")
_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/opt/mariadb/bin", "/usr/local/opt/mariadb/bin")
_INSTALLERS = ("bin/mariadb-install-db", "bin/mysql_install_db", "scripts/mariadb-install-db")
# Alternatives in order: libaio and its kin were renamed in Debian's 64-bit time transition.
_PACKAGES = (
    ("mariadb-server-core",), ("mariadb-client-core",), ("mariadb-client",), ("mariadb-common",),
    ("mysql-common",), ("libmariadb3",), ("libaio1t64", "libaio1"), ("liburing2",), ("libnuma1",),
)  # fmt: skip
_HINT = "brew install mariadb, or apt install mariadb-server"


@dataclass(frozen=True)
class Binaries:
    """A MariaDB server on disk; `libraries` is None when the system's own loader path will do."""

    server: Path
    base: Path  # the folder with bin/, sbin/ and share/
    installer: Path
    libraries: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        """A clean environment for the server and its installer."""
        path = f"{self.base}/bin:{self.base}/sbin:{os.environ.get('PATH', os.defpath)}"
        loader = {} if self.libraries is None else {"LD_LIBRARY_PATH": str(self.libraries)}
        return {"PATH": path, "LC_ALL": "C", "TZ": "UTC", **loader}


def binaries(cache: Path) -> Binaries:
    """The installed server, else the cached one, else a download; MedallionError when there is no way."""
    return installed() or _cached(cache) or _obtain(cache)


def installed() -> Binaries | None:
    """The first MariaDB on the path (or where Homebrew keeps it) that is recent enough."""
    found = [shutil.which(name) for name in _SERVERS]
    found += [f"{folder}/{name}" for folder in _FOLDERS for name in _SERVERS]
    for path in dict.fromkeys(Path(entry).resolve() for entry in found if entry and Path(entry).exists()):
        if (usable := _usable(path, path.parent.parent, None)) is not None:
            return usable
    return None


def version_of(server: Path, libraries: Path | None = None) -> tuple[int, int] | None:
    """(major, minor) of a MariaDB server; None when it is something else or does not run."""
    environment = {**os.environ, **({"LD_LIBRARY_PATH": str(libraries)} if libraries else {})}
    try:
        done = subprocess.run(
            [str(server), "--no-defaults", "--version"],
            env=environment, capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"(\d+)\.(\d+)\.\d+-MariaDB", done.stdout)
    return (int(found[1]), int(found[2])) if found else None


def _usable(server: Path, base: Path, libraries: Path | None) -> Binaries | None:
    version = version_of(server, libraries)
    installer = next((base / name for name in _INSTALLERS if (base / name).exists()), None)
    if version is None or version < MINIMUM or installer is None:
        return None
    return Binaries(server, base, installer, libraries)


def _cached(cache: Path) -> Binaries | None:
    for home in sorted(cache.glob("mariadb-*.*"), reverse=True):
        server = home / "usr/sbin/mariadbd"
        libraries = next((p for p in sorted((home / "usr/lib").glob("*-linux-gnu*")) if p.is_dir()), None)
        if server.exists() and (usable := _usable(server, home / "usr", libraries)) is not None:
            return usable
    return None


def _obtain(cache: Path) -> Binaries:
    """Downloads under a lock, so that two environments starting at once do it once."""
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise MedallionError("MariaDB is not installed", hint=_HINT)
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "mariadb.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = _cached(cache)
        if found is None:
            _download(cache)
            found = _cached(cache)
    if found is None:
        raise MedallionError("the distribution's MariaDB does not run or is older than 10.6", hint=_HINT)
    return found


def _download(cache: Path) -> None:
    """Fetches and unpacks into a temporary folder, then one rename."""
    fresh = cache / "mariadb.partial"
    shutil.rmtree(fresh, ignore_errors=True)
    (fresh / "debs").mkdir(parents=True)
    options = _lists(cache)
    names = [name for choice in _PACKAGES if (name := _available(choice, options))]
    if "mariadb-server-core" not in names:
        raise MedallionError("MariaDB is not installed and not in the package lists", hint=_HINT)
    _apt([*options, "download", *names], fresh / "debs")
    packages = sorted((fresh / "debs").glob("*.deb"))
    for package in packages:
        _run(["dpkg", "-x", str(package), str(fresh)], fresh)
    server = next(package.name for package in packages if package.name.startswith("mariadb-server-core"))
    shutil.rmtree(fresh / "debs")
    for folder in (cache, fresh):
        folder.chmod(0o755)  # the server may run as another user
    version = re.sub(r"[^0-9A-Za-z.]+", "-", server.split("_")[1].replace("%3a", ":").split(":")[-1])
    os.replace(fresh, cache / f"mariadb-{version}")


def _lists(cache: Path) -> list[str]:
    """apt options: none when the machine's lists know MariaDB, else lists of our own, updated now."""
    if _available(("mariadb-server-core",), []):
        return []
    home = cache / "apt"
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    options = ["-o", f"Dir::State={home}/state", "-o", f"Dir::Cache={home}/cache"]
    options += ["-o", f"Dir::State::lists={home}/state/lists"]
    options += ["-o", "Dir::State::status=/var/lib/dpkg/status", "-o", "Debug::NoLocking=1"]
    _apt([*options, "update"], home)
    return options


def _available(choice: tuple[str, ...], options: list[str]) -> str | None:
    """The first of the names that apt can download."""
    for name in choice:
        command = ["apt-cache", *options, "show", "--no-all-versions", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0 and "Filename:" in done.stdout:
            return name
    return None


def _apt(arguments: list[str], folder: Path) -> None:
    # The sandbox user of apt can't write below a private cache; the files are verified all the same.
    _run(["apt-get", "-qq", "-o", f"APT::Sandbox::User={_me()}", *arguments], folder)


def _me() -> str:
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"{command[0]} failed"])[-1]
        raise MedallionError(f"MariaDB could not be downloaded: {reason}", hint=_HINT)
