"""The report as a task and as a command: where it is written, what it is about, and what is refused in which words."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_iginsights._compat import AirflowFailException
from airflow_provider_iginsights.cli.main import main
from airflow_provider_iginsights.errors import ConfigurationError, DatasetUnavailable, GoogleProviderMissing
from airflow_provider_iginsights.operators.report import InstagramInsightsReportOperator
from airflow_provider_iginsights.report.file import write_whole
from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from tests.support.report_pages import ReadPage
from tests.support.report_rows import ACCOUNT, DATASET, LAST, OTHER, USERNAME, make_month, serve_month
from tests.support.sandboxes import END, START, RecordingTaskInstance


@pytest.fixture(scope="module")
def bigquery() -> Iterator[BigQuerySandbox]:
    """Serve five days of two accounts."""
    with serve_month(make_month(days=5, posts=3, stories=1)) as sandbox:
        sandbox.switches.pricing = True
        yield sandbox


def run(path: object, **arguments: Any) -> dict[str, Any]:
    """Run the operator as a task does."""
    options = {"dataset_id": DATASET, "account_id": ACCOUNT, "gcp_conn_id": None, "charts": "none"} | arguments
    operator = InstagramInsightsReportOperator(task_id="report", path=str(path), **options)
    context: Any = {"ti": RecordingTaskInstance(), "data_interval_start": START, "data_interval_end": END}
    operator.render_template_fields({**context, "ds": "2026-11-20", "run_account": OTHER})
    return operator.execute(context)


def test_a_task_writes_the_file(bigquery: BigQuerySandbox, tmp_path: Path) -> None:
    """Templates are rendered, folders made, and XCom says where, how large, and about which days it is."""
    before = len(bigquery.jobs)
    said = run(tmp_path / "{{ ds }}" / "{account}.html", account_id="{{ run_account }}", days="3")
    path = tmp_path / "2026-11-20" / f"{OTHER}.html"
    assert said == {
        "path": str(path),
        "bytes": path.stat().st_size,
        "bytes_billed": sum(job.bytes_billed for job in bigquery.jobs[before:]),
        "account_id": OTHER,
        "first_day": "2026-11-18",
        "last_day": str(LAST),
    }
    assert said["bytes_billed"] >= 5 * 10 * 2**20
    page = ReadPage(path.read_text("utf-8"))
    assert page.texts["h1"] == ["@somebody.else"] or "somebody.else" in page.texts["h1"][0]
    assert [row[1] for row in page.list_rows("reach")] == ["–", "–", "77"]
    assert list(path.parent.iterdir()) == [path]
    beside = tmp_path / "beside"
    beside.touch()
    assert path.stat().st_mode == beside.stat().st_mode


@pytest.mark.usefixtures("bigquery")
@pytest.mark.parametrize(
    ("given", "days"),
    [
        ({"since": "2026-11-17"}, ("2026-11-17", "2026-11-20")),
        ({"since": "2026-11-17", "until": "2026-11-19"}, ("2026-11-17", "2026-11-18")),
        ({"until": "2026-11-19", "days": 2}, ("2026-11-17", "2026-11-18")),
        ({"since": "{{ data_interval_start }}", "until": "{{ data_interval_end }}"}, ("2026-11-20", "2026-11-20")),
        ({"until": "{{ logical_date }}"}, ("2026-10-24", "2026-11-20")),
    ],
)
def test_the_period(tmp_path: Path, given: dict[str, Any], days: tuple[str, str]) -> None:
    """``since`` and ``until`` mean what they mean for the transfers; a date that the run lacks is not given."""
    said = run(tmp_path / "r.html", account_id=f"@{USERNAME}", **given)
    assert (said["first_day"], said["last_day"]) == days
    assert said["account_id"] == ACCOUNT


REFUSED: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "unknown account": (
        {"account_id": "1"},
        ConfigurationError,
        f"no row of account '1' from 2026-10-24 to 2026-11-20. There are rows of {ACCOUNT} (@{USERNAME}), {OTHER}",
    ),
    "unknown username": ({"account_id": "@nobody"}, ConfigurationError, "no row of account '@nobody'"),
    "several accounts": (
        {"account_id": None},
        ConfigurationError,
        "No account is named for the report from 2026-10-24 to 2026-11-20. There are rows of 1",
    ),
    "too many days": ({"days": 401}, ConfigurationError, "1 to 400 days, not 401"),
    "centuries": ({"days": 10_000}, ConfigurationError, "1 to 400 days, not 10000 (up to 2026-11-20)"),
    "no days": ({"days": 0}, ConfigurationError, "1 to 400 days, not 0"),
    "backward": ({"since": "2026-11-25"}, ConfigurationError, "1 to 400 days, not -4"),
    "zone": ({"timezone": "Europe/Nowhere"}, ConfigurationError, "There is no time zone 'Europe/Nowhere'"),
    "charts": ({"charts": "3d"}, ConfigurationError, "charts"),
    "table": ({"table_ids": {"posts": "x"}}, ConfigurationError, "table_ids names posts"),
    "bucket": ({"path": "gs://bucket"}, ConfigurationError, "gs://bucket/name"),
    "no connection": ({"path": "gs://bucket/a.html"}, ConfigurationError, "name a Google Cloud connection"),
    "dataset": ({"dataset_id": "elsewhere"}, DatasetUnavailable, "elsewhere does not exist"),
}


@pytest.mark.usefixtures("bigquery")
@pytest.mark.parametrize(("given", "error", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(tmp_path: Path, given: dict[str, Any], error: type[Exception], said: str) -> None:
    """The sentence names what is wrong; no retry is tried for what none can help, and no file is left."""
    with pytest.raises(error) as raised:
        run(**{"path": tmp_path / "r.html"} | given)
    assert said in str(raised.value)
    assert isinstance(raised.value, AirflowFailException)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("bigquery")
def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names what to install, and the page of tables needs nothing."""
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(ConfigurationError, match=r"airflow-provider-iginsights\[report\].*--charts none"):
        run(tmp_path / "r.html", charts="static")
    assert run(tmp_path / "r.html")["bytes"] > 1000


@pytest.mark.usefixtures("bigquery")
def test_without_the_google_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """An object needs the provider's hook; the error says so."""
    from airflow_provider_iginsights.hooks.cloud_storage import write_object

    monkeypatch.setitem(sys.modules, "airflow.providers.google.cloud.hooks.gcs", None)
    with pytest.raises(GoogleProviderMissing, match=r"airflow-provider-iginsights\[google\]"):
        write_object("gs://bucket/a.html", b"", mime_type="text/html", gcp_conn_id="google", impersonation_chain=None)


@pytest.mark.usefixtures("bigquery")
def test_the_printed_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's command line makes the file that it names."""
    text = (Path(__file__).parents[2] / "docs" / "report.md").read_text("utf-8")
    [line] = re.findall(r"^\$ airflow instagram (report .*)$", text, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    assert main([*shlex.split(line), "--charts", "none"]) == 0
    assert "Europe/Berlin" in (tmp_path / "report.html").read_text("utf-8")


@pytest.mark.usefixtures("bigquery")
def test_the_command_makes_one_file_per_account(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is named by its account; one path for two of them is refused before anything is asked."""
    line = ["report", "--dataset", DATASET, "--charts", "none", "--account", ACCOUNT, "--account", "@somebody.else"]
    assert main([*line, "--out", str(tmp_path / "same.html")]) == 2
    assert "the path needs {account}" in capsys.readouterr().err
    assert main([*line, "--out", str(tmp_path / "{account}.html")]) == 0
    assert sorted(path.stem for path in tmp_path.iterdir()) == [ACCOUNT, OTHER]
    assert f"{tmp_path}/{ACCOUNT}.html: account {ACCOUNT}, 2026-10-24 to {LAST}, " in capsys.readouterr().out


@pytest.mark.usefixtures("bigquery")
def test_the_command_refuses_more_days_than_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also more than the calendar has."""
    line = ["report", "--dataset", DATASET, "--account", ACCOUNT, "--out", str(tmp_path / "r.html")]
    assert main([*line, "--days", "999999999"]) == 2
    assert "1 to 400 days, not 999999999 (up to " in capsys.readouterr().err


def test_there_is_never_half_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails leaves the file of the day before, and nothing beside it."""
    path = tmp_path / "r.html"
    write_whole(path, b"yesterday")

    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"today")
    assert path.read_bytes() == b"yesterday"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_the_file_has_the_mode_that_the_umask_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: int) -> None:
    """To read it, it must be set, for all threads; meanwhile nothing that others create is open to anybody else."""
    set_mask, masks = os.umask, list[int]()

    def record(mask: int) -> int:
        masks.append(mask)
        return set_mask(mask)

    before = set_mask(umask)
    monkeypatch.setattr("os.umask", record)
    try:
        write_whole(tmp_path / "r.html", b"today")
    finally:
        assert set_mask(before) == umask
    assert (tmp_path / "r.html").stat().st_mode & 0o777 == 0o666 & ~umask
    assert masks == [0o077, umask]


@pytest.mark.usefixtures("bigquery")
def test_tables_that_do_not_exist_are_named(bigquery: BigQuerySandbox, tmp_path: Path) -> None:
    """Each section says what is not there; the report is made all the same."""
    ids = {
        "story_insights": "no_stories",
        "story_polls": "no_polls",
        "media": "no_media",
        "media_insights": "no_numbers",
    }
    of_runs = {"runs": "no_runs", "left_out": "no_examples"}
    run(tmp_path / "r.html", table_ids=ids | of_runs)
    notes = ReadPage((tmp_path / "r.html").read_text("utf-8")).texts["li"]
    for table_id in ids.values():
        path = f"{bigquery.project}.{DATASET}.{table_id}"
        assert f"There is no table {path}, so the report shows nothing of it." in notes
    assert not [note for note in notes if any(each in note for each in of_runs.values())]
