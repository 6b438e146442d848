"""Writes files over those of an earlier time, but never over one that somebody edited.

Each file says on its first line who wrote it, and a checksum of the rest: a file that does not match it was edited.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from airflow_provider_iginsights.errors import ConfigurationError

FileState = Literal["new", "old", "same", "edited", "left over"]

_MARK = "Written by airflow-provider-iginsights"
# What begins and ends a comment that the file's reader drops. Of SQL, dbt drops only its own.
_COMMENTS = {".yml": ("# ", ""), ".sql": ("{# ", " #}")}
_FIRST_LINE = re.compile(rf"\W*{_MARK}; checksum ([0-9a-f]{{16}})\W*")


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file and what it is beside what should be written; ``left over``: nothing should, and nobody edited it."""

    path: Path
    state: FileState

    def __str__(self) -> str:
        """Return what was done about it, as a sentence."""
        done = {
            "new": "written",
            "old": "written anew",
            "same": "left as it is",
            "edited": "written anew, over what somebody had edited",
            "left over": "belongs to no table of today: delete it",
        }
        return f"{self.path}: {done[self.state]}."


def write_files(folder: Path, texts: Mapping[str, str], *, force: bool = False) -> list[WrittenFile]:
    """Write the texts to files of these names in the folder, and return what was done about each.

    :param force: also over files that were edited.
    :raises ConfigurationError: a file was edited, and then nothing is written, or the folder is none.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigurationError(f"{folder} is a file, and the dbt project needs a folder. Name another one.")
    marked = {folder / name: _mark(name, text) for name, text in texts.items()}
    found = [WrittenFile(path, _state(path, text)) for path, text in marked.items()]
    edited = [str(file.path) for file in found if file.state == "edited"]
    if edited and not force:
        raise ConfigurationError(
            f"Nothing was written, since somebody edited or made {', '.join(edited)}. Give --force to write over it, "
            "or name another folder."
        )
    for path, text in marked.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [*found, *_find_left_over(folder, set(marked))]


def _mark(name: str, text: str) -> str:
    begin, end = _COMMENTS[Path(name).suffix]
    return f"{begin}{_MARK}; checksum {_checksum(text)}{end}\n{text}"


def _state(path: Path, text: str) -> FileState:
    if not path.exists():
        return "new"
    stored = path.read_text("utf-8")
    if stored == text:
        return "same"
    return "old" if _is_ours(stored) else "edited"


def _is_ours(text: str) -> bool:
    """Say whether the text is as it was written."""
    first, _, rest = text.partition("\n")
    found = _FIRST_LINE.fullmatch(first)
    return found is not None and found[1] == _checksum(rest)


def _find_left_over(folder: Path, wanted: set[Path]) -> Iterator[WrittenFile]:
    for path in sorted((folder / "models").rglob("*")):
        is_candidate = path.is_file() and path.suffix in _COMMENTS and path not in wanted
        if is_candidate and _is_ours(path.read_text("utf-8", errors="replace")):
            yield WrittenFile(path, "left over")


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
