"""``init``: the Dag file that it writes, which runs as it is, and what it refuses to write."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_iginsights.cli.main import main
from airflow_provider_iginsights.sandbox.graph import World
from tests.support.airflow_versions import run_dag
from tests.support.sandboxes import END, NOW, Sandboxes, open_sandboxes

ROOT = Path(__file__).parents[2]
FILLED = {
    "instagram_daily": (
        "instagram_account_insights",
        "instagram_accounts",
        "instagram_media",
        "instagram_media_insights",
    ),
    "instagram_stories": ("instagram_story_insights", "instagram_story_polls"),
}


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[Sandboxes]:
    """Serve two accounts."""
    with open_sandboxes(World.build(now=NOW, accounts=2, media_per_account=3, stories_per_account=1)) as opened:
        yield opened


@pytest.mark.usefixtures("airflow_db")
def test_the_written_file_runs(
    sandboxes: Sandboxes, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both Dags parse without a warning and fill their tables with the numbers of all accounts."""
    from tests.support.airflow_versions import DagBag

    # Airflow writes a Dag that is run down, where its file lies in this folder.
    monkeypatch.setattr("airflow.settings.DAGS_FOLDER", str(tmp_path))
    path = tmp_path / "brand.py"
    assert main(["init", "--output", str(path)]) == 0
    assert f"Wrote {path}: the Dags instagram_daily and instagram_stories of 2 accounts." in capsys.readouterr().out
    text = path.read_text("utf-8")
    assert '    "17841400000000001",  # @brand_0001\n    "17841400000000002",  # @brand_0002\n' in text
    assert "datetime(2026, 11, 21, tzinfo=UTC)" in text
    bag = DagBag(dag_folder=str(path))
    assert (bag.import_errors, bag.captured_warnings) == ({}, {})
    assert sorted(bag.dags) == list(FILLED)
    for dag_id, tables in FILLED.items():
        assert str(run_dag(bag.dags[dag_id], END).state) == "success"
        for table_id in tables:
            assert {row["account_id"] for row in sandboxes.rows(table_id)} == set(sandboxes.world.accounts)


@pytest.mark.parametrize(
    "config", [["--config", str(ROOT / "pyproject.toml")], ["--isolated"]], ids=["ours", "default"]
)
def test_the_written_file_is_clean(sandboxes: Sandboxes, tmp_path: Path, config: list[str]) -> None:
    """Ruff finds nothing in it and formats nothing, with our rules and with its own."""
    path = tmp_path / "brand.py"
    options = ["--dataset", "marketing", "--project", "my-project", "--location", "EU", "--gcp-conn-id", "google"]
    assert main(["init", "--output", str(path), *options, "--cron", "0 3 * * *"]) == 0
    for words in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *words, "--no-cache", *config, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout
    text = path.read_text("utf-8")
    for argument in ('"dataset_id": "marketing"', '"project_id": "my-project"', '"location": "EU"', '("0 3 * * *",'):
        assert argument in text
    assert '"gcp_conn_id": "google"' in text


def test_a_file_is_not_overwritten(sandboxes: Sandboxes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that exists stays as it is, unless --force says otherwise; nobody is asked before that is known."""
    path = tmp_path / "mine.py"
    path.write_text("mine", "utf-8")
    before = len(sandboxes.graph.log)
    assert main(["init", "--output", str(path)]) == 2
    assert "There is a file" in capsys.readouterr().err
    assert (path.read_text("utf-8"), len(sandboxes.graph.log)) == ("mine", before)
    assert main(["init", "--output", str(path), "--force"]) == 0
    assert "instagram_daily" in path.read_text("utf-8")
    assert main(["init", "--output", str(tmp_path / "nowhere" / "a.py")]) == 2
    assert "cannot be written: No such file or directory." in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a\nimport os", "a\u2028b", "#{x}", "\u202e", "", "a" * 31])
def test_a_name_is_a_comment_or_nothing(sandboxes: Sandboxes, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """What is no username stands nowhere in the file: it could end its line, and what follows would be code."""
    first = sandboxes.account
    sandboxes.world.put(dataclasses.replace(first, username=name))
    assert main(["init"]) == 0
    sandboxes.world.put(first)
    printed = capsys.readouterr().out
    assert f'    "{first.id}",\n    "17841400000000002",  # @brand_0002\n' in printed
    compile(printed, "printed", "exec")


def test_the_named_accounts(sandboxes: Sandboxes, capsys: pytest.CaptureFixture[str]) -> None:
    """Accounts that the connection names are those of the file; one that cannot be read is left out and named."""
    second = list(sandboxes.world.accounts)[1]
    sandboxes.connect(extra={"account_ids": [second, "17840000000000000"]})
    assert main(["init"]) == 1
    sandboxes.connect()
    printed = capsys.readouterr()
    assert f'ACCOUNT_IDS = [\n    "{second}",  # @brand_0002\n]' in printed.out
    assert "17840000000000000 is left out. Meta does not know account 17840000000000000" in printed.err
    compile(printed.out, "printed", "exec")


@pytest.mark.parametrize("cron", ["every day", "61 * * * *", "0 0 * *", "\"'\n", ""])
def test_a_time_that_is_none(sandboxes: Sandboxes, cron: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What Airflow would refuse in the file is refused before it is written, and before Meta is asked."""
    before = len(sandboxes.graph.log)
    assert main(["init", "--cron", cron]) == 2
    assert "is no schedule that Airflow knows" in capsys.readouterr().err
    assert len(sandboxes.graph.log) == before


def test_without_accounts(sandboxes: Sandboxes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without an account nothing is written, and the doctor is named."""
    kept = dict(sandboxes.world.accounts)
    sandboxes.world.accounts.clear()
    assert main(["init", "--output", str(tmp_path / "a.py")]) == 1
    sandboxes.world.accounts.update(kept)
    assert "`airflow instagram doctor` says what to do." in capsys.readouterr().err
    assert not (tmp_path / "a.py").exists()
