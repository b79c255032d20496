"""Multipart uploads: parts wait as files until the upload is complete."""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from medallion_cli.local.protocol import ServiceError


class Uploads:
    """Uploads in progress."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self) -> str:
        """A new upload id."""
        upload = secrets.token_hex(16)
        (self.folder / upload).mkdir(parents=True)
        return upload

    def part(self, upload: str, number: int, chunks: Iterable[bytes]) -> str:
        """Keeps one part; its ETag."""
        digest = hashlib.md5(usedforsecurity=False)
        with self._file(upload, number).open("wb") as file:
            for chunk in chunks:
                digest.update(chunk)
                file.write(chunk)
        return f'"{digest.hexdigest()}"'

    def content(self, upload: str, numbers: list[int]) -> Iterator[bytes]:
        """The parts' bytes in the order given."""
        for number in numbers:
            file = self._file(upload, number)
            if not file.exists():
                raise ServiceError("InvalidPart", f"part {number} was not uploaded")
            with file.open("rb") as source:
                while chunk := source.read(1 << 20):
                    yield chunk

    def abort(self, upload: str) -> None:
        """Forgets the upload."""
        shutil.rmtree(self._file(upload, 1).parent)

    def _file(self, upload: str, number: int) -> Path:
        folder = self.folder / upload
        if not upload.isalnum() or not folder.is_dir():
            raise ServiceError("NoSuchUpload", "The specified upload does not exist.", 404)
        return folder / f"{number:05d}"
