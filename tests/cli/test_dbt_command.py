"""``dbt``: writes a project, and says what it wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_iginsights.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

WHERE = ["--dataset", "instagram"]


def test_it_writes_once_and_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line a file; the second time nothing is to be done; without stories, their model is left over."""
    folder = tmp_path / "p"
    assert main(["dbt", str(folder), *WHERE]) == 0
    said = capsys.readouterr().out.splitlines()
    files = {str(path) for path in folder.rglob("*") if path.is_file()}
    assert set(said) == {f"{path}: written." for path in files}
    assert main(["dbt", str(folder), *WHERE]) == 0
    assert set(capsys.readouterr().out.splitlines()) == {f"{path}: left as it is." for path in files}
    assert main(["dbt", str(folder), *WHERE, "--without", "story_insights"]) == 1
    left = folder / "models" / "instagram_story_insights_latest.sql"
    assert f"{left}: belongs to no table of today: delete it." in capsys.readouterr().out


def test_it_keeps_what_was_edited(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file is named, the code is 2; with --force it is 0."""
    assert main(["dbt", str(tmp_path), *WHERE]) == 0
    edited = tmp_path / "models" / "sources.yml"
    edited.write_text("mine")
    assert main(["dbt", str(tmp_path), *WHERE]) == 2
    assert f"somebody edited or made {edited}. Give --force" in capsys.readouterr().err
    assert edited.read_text() == "mine"
    assert main(["dbt", str(tmp_path), *WHERE, "--force"]) == 0
    assert f"{edited}: written anew, over what somebody had edited." in capsys.readouterr().out


def test_ids_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What can be no id is refused, and nothing is written."""
    for wrong in (["--dataset", "a.b"], [*WHERE, "--project", "P!"], [*WHERE, "--table", "media=a`b"]):
        assert main(["dbt", str(tmp_path / "p"), *wrong]) == 2
        assert "is not a BigQuery" in capsys.readouterr().err
    for same in (["media=x", "accounts=x"], ["media=instagram_accounts"], ["left_out=x", "runs=x"]):
        options = [word for each in same for word in ("--table", each)]
        assert main(["dbt", str(tmp_path / "p"), *WHERE, *options]) == 2
        assert f"cannot both be called {same[0].partition('=')[2]}." in capsys.readouterr().err
    assert main(["dbt", str(tmp_path / "p"), *WHERE, "--table", "media=my media"]) == 2
    assert "dbt takes no names with spaces, and a table is called 'my media'" in capsys.readouterr().err
    assert main(["dbt", str(tmp_path / "p"), *WHERE, "--without", "posts"]) == 2
    assert "There is no table posts. The tables are account_insights, " in capsys.readouterr().err
    assert not (tmp_path / "p").exists()
