"""Files are written again and again, but never over one that somebody edited."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_iginsights.dbt.marked_files import write_files
from airflow_provider_iginsights.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_iginsights.dbt.marked_files import FileState

TEXTS = {"dbt_project.yml": "name: x\n", "models/a.sql": "SELECT 1\n"}


def states(folder: Path, texts: dict[str, str], *, force: bool = False) -> dict[str, FileState]:
    """Write the files; return what was said about each, by its name in the folder."""
    return {str(file.path.relative_to(folder)): file.state for file in write_files(folder, texts, force=force)}


def contents(folder: Path) -> dict[str, str]:
    """Return the files as they stand on disk, without their first lines."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text().partition("\n")[2] for path in files}


def test_what_was_not_edited_is_renewed(tmp_path: Path) -> None:
    """New files, the same once more, and another release's."""
    assert states(tmp_path / "p", TEXTS) == dict.fromkeys(TEXTS, "new")
    assert contents(tmp_path / "p") == TEXTS
    assert states(tmp_path / "p", TEXTS) == dict.fromkeys(TEXTS, "same")
    newer = TEXTS | {"models/a.sql": "SELECT 2\n"}
    assert states(tmp_path / "p", newer) == {"dbt_project.yml": "same", "models/a.sql": "old"}
    assert contents(tmp_path / "p") == newer


@pytest.mark.parametrize(
    "edit", ["{}-- mine\n", "mine\n{}", "", "SELECT 1\n"], ids=["end", "first line", "empty", "own"]
)
def test_what_was_edited_stays(tmp_path: Path, edit: str) -> None:
    """It is named, and nothing is written, not even the other files; --force writes over it."""
    write_files(tmp_path, TEXTS)
    path = tmp_path / "models" / "a.sql"
    edited = edit.format(path.read_text())
    path.write_text(edited)
    newer = {"dbt_project.yml": "name: y\n", "models/a.sql": "SELECT 2\n"}
    with pytest.raises(ConfigurationError, match=r"somebody edited or made \S+/models/a\.sql\. Give --force"):
        write_files(tmp_path, newer)
    assert path.read_text() == edited
    assert contents(tmp_path)["dbt_project.yml"] == "name: x\n"
    assert states(tmp_path, newer, force=True) == {"dbt_project.yml": "old", "models/a.sql": "edited"}
    assert contents(tmp_path) == newer


def test_what_is_no_longer_written_is_named(tmp_path: Path) -> None:
    """A model of an earlier time is named and stays; a file of somebody's own is none of our business."""
    write_files(tmp_path, TEXTS | {"models/b.sql": "SELECT 2\n"})
    (tmp_path / "models" / "own.sql").write_text("SELECT 3\n")
    assert states(tmp_path, TEXTS) == dict.fromkeys(TEXTS, "same") | {"models/b.sql": "left over"}
    assert (tmp_path / "models" / "b.sql").exists()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """It is not written over."""
    (tmp_path / "p").write_text("mine")
    with pytest.raises(ConfigurationError, match="is a file"):
        write_files(tmp_path / "p", TEXTS)
