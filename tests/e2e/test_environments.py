"""Environments as wholes: side by side, taken down, and in a machine that is in the way (ports, disk, no MariaDB)."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from command_line import REPOSITORY, Medallion, two_lines
from engines import ports, processes, running

pytestmark = pytest.mark.engine
COUNT = "SELECT COUNT(*) AS n FROM gold.{}"
WRONG = {  # words of a command and its exit code
    "query|SELECT nothing FROM nowhere": 1,
    "query|SELEC 1": 2,
    "query|DELETE FROM gold.dim_date": 2,
    "run|--table|nothing": 2,
    "run|--layer|nothing": 2,
    "merge|nothing": 2,
    "merge|--run|run-nothing": 2,
    "--env|nowhere|status": 2,
}


@pytest.fixture(scope="module")
def retail(home: Path) -> Medallion:
    """The shipped project; its temporary files go to a folder that the test looks at."""
    temporary = home / "temporary"
    temporary.mkdir(mode=0o777)
    temporary.chmod(0o1777)
    tool = Medallion(home / "states", variables={"TMPDIR": str(temporary)})
    tool("up", "--yes")
    return tool


def test_two_projects_run_side_by_side(retail: Medallion) -> None:
    sakila = Medallion(
        retail.home, "sakila-local", REPOSITORY / "tests" / "projects" / "sakila", variables=retail.variables
    )
    sakila("up", "--yes")
    mine, theirs = ports(retail.state), ports(sakila.state)
    assert len(mine) >= 3
    assert len(theirs) >= 3
    assert mine & theirs == set()
    assert retail.query(COUNT.format("fact_sales")) == [{"n": 0}]
    assert sakila.query(COUNT.format("payment")) == [{"n": 0}]
    sakila("down", "--yes")
    assert not sakila.state.exists()
    assert processes(sakila.state) == []
    assert retail.query(COUNT.format("fact_sales")) == [{"n": 0}]


@pytest.mark.parametrize("engine", ["the daemon", "the warehouse"])
def test_a_port_that_was_taken_meanwhile_is_given_up(retail: Medallion, engine: str) -> None:
    taken = listening(retail, engine)
    retail("local", "stop")
    with held(taken):
        assert retail.query(COUNT.format("fact_sales")) == [{"n": 0}]
        assert retail.json("replicate", "status")["status"] in ("ready", "stopped", "running")
        retail("seed", "--rows", "50", "--seed", str(taken[0]))
        assert not ports(retail.state) & set(taken)


def test_the_source_waits_for_its_port_which_secrets_name(retail: Medallion) -> None:
    taken = listening(retail, "the source")
    retail("local", "stop")
    with held(taken, silent=False):
        assert retail.query(COUNT.format("fact_sales")) == [{"n": 0}]
        retail.refused("seed", "--rows", "60", "--seed", "60", code=1)
    deadline = time.monotonic() + 60
    while listening(retail, "the source") != taken:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    retail("seed", "--rows", "60", "--seed", "60")


@contextmanager
def held(numbers: list[int], silent: bool = True) -> Iterator[None]:
    """Another program has these ports; it takes connections and says nothing, or hangs up."""
    with ExitStack() as sockets:
        for number in numbers:
            other = sockets.enter_context(socket.socket())
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", number))
            other.listen()
            if not silent:
                threading.Thread(target=_hang_up, args=[other], daemon=True).start()
        yield


def _hang_up(other: socket.socket) -> None:
    with suppress(OSError):  # closed at the end of the test
        while True:
            other.accept()[0].close()


def listening(tool: Medallion, engine: str) -> list[int]:
    """The ports of one of its processes; none while it does not run."""
    name = {"the daemon": "daemon.pid", "the source": "engines/mariadb/*/mariadb.pid"}.get(engine)
    files = tool.state.glob(name or "engines/redshift-*-warehouse/postgres.pid")
    try:
        process = psutil.Process(int(next(iter(files)).read_text().split()[0]))
        return [c.laddr.port for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    except (psutil.NoSuchProcess, StopIteration):
        return []


def test_wrong_input_is_two_lines_and_changes_nothing(retail: Medallion) -> None:
    def held() -> tuple[int, object]:
        executions = sum(1 for _ in (retail.state / "store" / "executions").glob("*"))
        return executions, retail.query("SELECT COUNT(*) AS n, MAX(date_day) AS last FROM gold.dim_date")

    before = held()
    for words, code in WRONG.items():
        retail.refused(*words.split("|"), code=code)
    assert held() == before


def test_down_leaves_nothing_and_up_works_again(retail: Medallion) -> None:
    retail("replicate", "start")
    engines, held = processes(retail.state), ports(retail.state)
    assert {"mariadbd", "postgres"} <= {process.name() for process in engines}
    retail("down", "--yes")
    assert running(engines) == []
    assert list(retail.home.iterdir()) == []
    assert list(Path(retail.variables["TMPDIR"]).iterdir()) == []
    for port in held:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
    retail("down", "--yes")
    retail("up", "--yes")
    assert retail.query(COUNT.format("fact_sales")) == [{"n": 0}]
    retail("down", "--yes")


def test_mariadb_that_cannot_be_had(home: Path, tmp_path: Path) -> None:
    if installed():
        pytest.skip("this machine has a MariaDB of its own")
    nothing = tmp_path / "bin"
    nothing.mkdir()
    cache = home / "cache"
    cache.mkdir()
    tool = Medallion(home / "bare", variables={"PATH": str(nothing), "MEDALLION_CACHE_HOME": str(cache)})
    assert "MariaDB is not installed; brew install" in tool.refused("up", "--yes", code=1)
    tool("local", "stop")  # what runs has its PATH and cache
    able = Medallion(home / "bare")
    able("up", "--yes")
    able("down", "--yes")


def installed() -> bool:
    """Whether the tool would find a MariaDB outside of its cache."""
    found = subprocess.run(
        [sys.executable, "-c", "from medallion_cli.local.engines.mariadb_install import installed as i; print(i())"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return found.stdout.strip() != "None"


@pytest.fixture
def small_disk(home: Path) -> Iterator[Path]:
    """A disk of 800 MB of its own; only root can mount one."""
    folder = home / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("needs a disk of its own, which only root can mount")
    made = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=800m,mode=755", "tmpfs", str(folder)], check=False
    )
    if made.returncode:
        pytest.skip("this machine lets nobody mount a disk")
    yield folder
    from medallion_cli.local import lifecycle

    for state in folder.glob("*-local"):
        lifecycle.reset(state)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """A file that takes all that is left of a disk."""
    path = folder / "filler"
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(folder).free)
    return path


@pytest.mark.recovery
def test_a_full_disk_is_told_and_the_same_command_goes_on(small_disk: Path) -> None:
    tool = Medallion(small_disk)
    filler = fill(small_disk)
    assert "no space left" in tool.refused("up", "--yes", code=1)
    filler.unlink()
    tool("up", "--yes")
    tool("seed", "--rows", "3000", "--seed", "1")
    filler = fill(small_disk)
    for words in (("seed", "--rows", "100"), ("run",), ("query", "SELECT 1 AS one")):
        assert "no space left" in tool.refused(*words, code=1)
    filler.unlink()
    filled_during_a_run(tool)
    (small_disk / "filler").unlink()
    tool("run")
    tool.verified()
    assert tool.json("status")["healthy"] is True


def filled_during_a_run(tool: Medallion) -> None:
    """A run whose disk is full from its first silver file on: it fails with the reason."""
    process = tool.start("run")
    silver = tool.objects("silver")
    while not any(silver.rglob("*.parquet")):
        assert process.poll() is None
        time.sleep(0.01)
    fill(tool.home)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 1, err
    assert "space" in two_lines(err).lower(), err
