"""Where templates, SQL, scripts and configuration are found: the user's project, else the repository, else the wheel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from medallion_cli.errors import UsageError

FOLDERS = ("configs", "sql", "glue_scripts", "infra_templates")
PIPELINE = "configs/pipeline.yaml"


@dataclass(frozen=True)
class Assets:
    """The search path of one invocation: the first root that holds a path wins."""

    roots: tuple[Path, ...]

    @classmethod
    def find(cls, project: Path | None = None) -> Assets:
        """A project folder (given, or the current one if it has a pipeline) over the shipped assets."""
        if project is not None and not (project / PIPELINE).is_file():
            raise UsageError(f"{project} is not a project: it has no {PIPELINE}", hint="medallion --help")
        here = Path.cwd()
        chosen = project or (here if (here / PIPELINE).is_file() else None)
        shipped = _shipped()
        return cls((chosen.resolve(), shipped) if chosen and chosen.resolve() != shipped else (shipped,))

    @classmethod
    def find_shipped(cls) -> Assets:
        """What comes with the tool alone."""
        return cls((_shipped(),))

    @property
    def project(self) -> Path:
        """The folder that owns the pipeline."""
        return self.roots[0]

    def path(self, name: str) -> Path:
        """The file or folder called `name`, such as `sql/mysql/schema.sql`; UsageError when no root has it."""
        for root in self.roots:
            if (root / name).exists():
                return root / name
        raise UsageError(f"{name} not found in {self.roots[0]}", hint="medallion validate")

    def read(self, name: str) -> str:
        """The text of the file `name`."""
        return self.path(name).read_text(encoding="utf-8")

    def listing(self, folder: str, pattern: str) -> tuple[str, ...]:
        """Names of the files in `folder` over all roots, sorted, each once.

        A project's own `sql` replaces the shipped one as a whole: its pipeline is not the shipped pipeline.
        """
        roots = (
            self.roots[:1]
            if folder.startswith("sql") and (self.roots[0] / "configs").is_dir()
            else self.roots
        )
        names = {
            path.relative_to(root).as_posix() for root in roots for path in (root / folder).glob(pattern)
        }
        return tuple(sorted(names))


def _shipped() -> Path:
    package = Path(__file__).resolve().parent
    repository = package.parent
    if (repository / PIPELINE).is_file() and (repository / "pyproject.toml").is_file():
        return repository
    return package / "_assets"
