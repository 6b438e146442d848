"""``sandbox``, run as users run it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_iginsights.cli.main import main
from airflow_provider_iginsights.sandbox.bigquery.refusals import REFUSALS
from airflow_provider_iginsights.sandbox.environment import FAULTS, SandboxSettings, run_sandbox

PACKAGE = "airflow_provider_iginsights"


@contextmanager
def running(*options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Start the command; yield the process and the variables that it prints. Kill what has not ended by then."""
    # A shell starts what runs in its background with SIGINT ignored, and so do all processes that it starts (POSIX,
    # "Asynchronous Lists"). A signal that has a handler here is one that does its default there.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        command = [sys.executable, "-m", PACKAGE, "sandbox", *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        words = [shlex.split(line) for line in lines]
        assert [word[0] for word in words] == ["export"] * 3
        yield process, dict(word[1].split("=", 1) for word in words)
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def test_the_command_prints_what_airflow_needs_and_ends_on_interrupt() -> None:
    """Three export lines point at two live servers with the world that was asked for; Ctrl-C ends both with code 0.

    The second call of the app is above its limit.
    """
    options = ("--accounts", "3", "--now", "2026-11-21T12:00:00-08:00", "--project", "brand-1", "--app-limit", "1")
    with running(*options) as (process, variables):
        assert variables.keys() == {"AIRFLOW_CONN_INSTAGRAM_DEFAULT", "BIGQUERY_EMULATOR_HOST", "GOOGLE_CLOUD_PROJECT"}
        connection = json.loads(variables["AIRFLOW_CONN_INSTAGRAM_DEFAULT"])
        bearer = {"Authorization": f"Bearer {connection['password']}"}
        fields = {"fields": "instagram_business_account{username}"}
        listing = f"{connection['host']}/v25.0/me/accounts"
        pages, refused = (requests.get(listing, fields, headers=bearer, timeout=10).json() for _ in range(2))
        names = [page["instagram_business_account"]["username"] for page in pages["data"] if len(page) > 1]
        assert names == ["brand_0001", "brand_0002", "brand_0003"]
        assert refused["error"]["code"] == 4
        datasets = f"{variables['BIGQUERY_EMULATOR_HOST']}/bigquery/v2/projects/brand-1/datasets"
        assert requests.get(datasets, timeout=10).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
        with pytest.raises(requests.ConnectionError):
            requests.get(datasets, timeout=1)


def test_an_interrupt_while_it_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever presses Ctrl-C as soon as the first lines are there ends it as well as later."""
    before = set(threading.enumerate())

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("airflow_provider_iginsights.cli.sandbox.print_result", interrupt)
    assert main(["sandbox", "--accounts", "1"]) == 0
    assert set(threading.enumerate()) <= before


def test_sigterm_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A supervisor ends it as Ctrl-C does: with code 0; both servers are gone, and the signal's handler is back."""
    before, threads = signal.getsignal(signal.SIGTERM), set(threading.enumerate())
    monkeypatch.setattr(
        "airflow_provider_iginsights.cli.sandbox.print_result", lambda *_: os.kill(os.getpid(), signal.SIGTERM)
    )
    assert main(["sandbox", "--accounts", "1"]) == 0
    assert signal.getsignal(signal.SIGTERM) is before
    assert set(threading.enumerate()) <= threads


CHILD = """
import json, os, sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
connection = json.loads(os.environ["AIRFLOW_CONN_INSTAGRAM_DEFAULT"])
ask = urllib.request.Request(connection["host"] + "/v25.0/me")
ask.add_header("Authorization", "Bearer " + connection["password"])
print(json.load(opener.open(ask))["name"], os.environ["GOOGLE_CLOUD_PROJECT"], os.environ["NO_PROXY"], *sys.argv[1:])
opener.open(os.environ["BIGQUERY_EMULATOR_HOST"] + "/bigquery/v2/projects/sandbox-project/datasets")
sys.exit(7)
"""


def test_a_command_runs_in_its_environment(capfd: pytest.CaptureFixture[str]) -> None:
    """Behind -- stands a command with its options: it finds both servers, and its exit code is the sandbox's."""
    with pytest.raises(SystemExit) as ended:
        main(["sandbox", "--accounts", "1", "--", sys.executable, "-c", CHILD, "--port", "x"])
    assert ended.value.code == 7
    assert capfd.readouterr().out == "Sandbox System User sandbox-project 127.0.0.1,localhost --port x\n"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("import os, signal, time; os.kill(os.getppid(), signal.SIGTERM); time.sleep(60)", 143),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137),
    ],
)
def test_a_command_that_a_signal_ends(script: str, code: int) -> None:
    """SIGTERM to the sandbox ends its command, too; a command that died by a signal is told as a shell tells it."""
    with pytest.raises(SystemExit) as ended:
        main(["sandbox", "--accounts", "1", "--", sys.executable, "-c", script])
    assert ended.value.code == code


def test_a_command_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that cannot be run ends with 2 and a sentence."""
    assert main(["sandbox", "--accounts", "1", "--", "no-such-command"]) == 2
    assert "The command no-such-command cannot be run: No such file or directory." in capsys.readouterr().err


def test_what_is_kept(tmp_path: Path) -> None:
    """With --keep and ports the next sandbox has the same addresses, posts and tables, also on another day."""
    found = []
    ports: dict[str, int] = {}
    for day in (21, 25):
        now = datetime(2026, 11, day, 20, tzinfo=UTC)
        settings = SandboxSettings(accounts=1, media=4, now=now, keep=tmp_path / "kept", **ports)
        with run_sandbox(settings) as environment:
            connection = json.loads(environment["AIRFLOW_CONN_INSTAGRAM_DEFAULT"])
            posts = ask(connection, "17841400000000001/media", fields="id,timestamp")["data"]
            datasets = f"{environment['BIGQUERY_EMULATOR_HOST']}/bigquery/v2/projects/sandbox-project/datasets"
            if not ports:
                requests.post(datasets, json={"datasetReference": {"datasetId": "mine"}}, timeout=10).raise_for_status()
            listed = requests.get(datasets, timeout=10).json()["datasets"]
            found.append((connection["host"], datasets, posts, [each["datasetReference"] for each in listed]))
        ports = {
            "port": int(connection["host"].rpartition(":")[2]),
            "bigquery_port": int(environment["BIGQUERY_EMULATOR_HOST"].rpartition(":")[2]),
        }
    assert found[0] == found[1]
    assert found[0][3] == [{"projectId": "sandbox-project", "datasetId": "mine"}]
    assert len(found[0][2]) == 4


def ask(connection: dict[str, str], path: str, **params: str) -> dict[str, Any]:
    """Return the Graph API's answer to the connection's token."""
    headers = {"Authorization": f"Bearer {connection['password']}"}
    answer: dict[str, Any] = requests.get(
        f"{connection['host']}/v25.0/{path}", params, headers=headers, timeout=10
    ).json()
    return answer


SMALL = {"metric": "follower_demographics", "period": "lifetime", "metric_type": "total_value", "breakdown": "age"}


@pytest.mark.parametrize(
    ("settings", "path", "params", "code"),
    [
        ({"expired_token": True}, "me", {}, (190, 463)),
        ({"throttle": True}, "17841400000000001/media", {}, (80002, None)),
        ({"followers": 50}, "17841400000000001/insights", SMALL | {"timeframe": "this_month"}, (10, 2874010)),
    ],
    ids=str,
)
def test_a_bad_day(settings: dict[str, Any], path: str, params: dict[str, str], code: tuple[int, int | None]) -> None:
    """A token that has expired, a used-up limit and an account of few followers are played by one option each."""
    with run_sandbox(SandboxSettings(accounts=1, media=1, **settings)) as environment:
        connection = json.loads(environment["AIRFLOW_CONN_INSTAGRAM_DEFAULT"])
        error = ask(connection, path, **params)["error"]
        assert (error["code"], error.get("error_subcode")) == code
    with run_sandbox(SandboxSettings(accounts=1, media=1)) as environment:
        connection = json.loads(environment["AIRFLOW_CONN_INSTAGRAM_DEFAULT"])
        assert "error" not in ask(connection, path, **params)


def test_faults_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """--list-faults prints the names that --fault takes, and starts nothing."""
    before = set(threading.enumerate())
    assert main(["sandbox", "--list-faults"]) == 0
    assert capsys.readouterr().out.split() == list(FAULTS)
    assert set(threading.enumerate()) <= before


# The odd answers of public reports, each a file of tests/cases/inputs, and the name by which the sandbox plays it.
CASES = {
    "account_that_answers_nothing": "empty_data",
    "empty_page_then_more_media": "empty_page",
    "end_time_at_another_midnight": "end_time_at_utc_midnight",
    "half_an_emoji_in_a_caption": "half_an_emoji",
    "later_answer_lacks_fields": "fields_missing",
    "listing_without_data": "no_listing",
    "number_as_text": "numbers_as_text",
    "one_post_in_two_accounts": "collaboration_post",
    "one_post_with_an_error": "media_not_found",
    "one_refused_field": "website_refused",
    "page_token_without_account_ids": "page_token",
    "pipe_inside_a_value": "pipe_in_a_value",
    "post_without_timestamp": "no_timestamp",
    "series_points_without_end_time": "no_end_time",
    "too_much_data_in_other_words": "too_much_data_in_other_words",
    "total_value_is_a_number": "bare_total",
}
NO_FAULT = {"page_id_as_account_id"}
"""What a user writes into the connection."""


def test_every_case_can_be_played() -> None:
    """Each odd answer that the transfers are tested with has a name on the command line, too."""
    inputs = {path.stem for path in (Path(__file__).parents[1] / "cases" / "inputs").glob("*.json")}
    assert inputs == CASES.keys() | NO_FAULT
    assert set(CASES.values()) <= set(FAULTS)


def test_an_odd_answer_is_played_again_and_again() -> None:
    """A shape changes every answer that it can change, beside the others that are named, and no error."""
    asked = {"metric": "reach", "period": "day", "since": "2026-11-10", "until": "2026-11-12"}
    now = datetime(2026, 11, 21, 20, tzinfo=UTC)
    faults = ["numbers_as_text", "no_end_time"]
    with run_sandbox(SandboxSettings(accounts=1, media=1, now=now, fault=faults)) as environment:
        connection = json.loads(environment["AIRFLOW_CONN_INSTAGRAM_DEFAULT"])
        for _ in range(2):
            points = ask(connection, "17841400000000001/insights", **asked)["data"][0]["values"]
            assert [list(point) for point in points] == [["value"]] * 2
            assert all(str(point["value"]) == point["value"] for point in points)


def test_a_post_of_all_accounts() -> None:
    """Both accounts list the same post."""
    with run_sandbox(SandboxSettings(media=2, fault=["collaboration_post"])) as environment:
        connection = json.loads(environment["AIRFLOW_CONN_INSTAGRAM_DEFAULT"])
        listed = [{post["id"] for post in ask(connection, f"1784140000000000{n}/media")["data"]} for n in (1, 2)]
    assert [len(posts) for posts in listed] == [2, 3]
    assert len(listed[0] & listed[1]) == 1


def test_the_token_of_a_page() -> None:
    """The connection's token is that of the Page of the first account, which has no list of Pages."""
    with run_sandbox(SandboxSettings(media=1, fault=["page_token"])) as environment:
        connection = json.loads(environment["AIRFLOW_CONN_INSTAGRAM_DEFAULT"])
        mine = ask(connection, "me", fields="instagram_business_account")
        assert mine["instagram_business_account"] == {"id": "17841400000000001"}
        assert "nonexisting field (accounts)" in ask(connection, "me/accounts")["error"]["message"]


def test_refusals_of_bigquery() -> None:
    """Each name of a refusal is another answer to a statement that writes; one that reads is answered."""
    said = set()
    for name in REFUSALS:
        with run_sandbox(SandboxSettings(accounts=1, media=1, stories=1, fault=[name])) as environment:
            url = f"{environment['BIGQUERY_EMULATOR_HOST']}/bigquery/v2/projects/sandbox-project/jobs"
            for statement in ("SELECT 1 AS n", "INSERT INTO `a.b` (n) VALUES (1)"):
                job = {"configuration": {"query": {"query": statement, "useLegacySql": False}}}
                asked = requests.post(url, json=job, timeout=10).json()
                done = requests.get(f"{url}/{asked['jobReference']['jobId']}", timeout=10).json()
                if statement[0] == "S":
                    assert "errorResult" not in done["status"]
            said.add(done["status"]["errorResult"]["message"])
    assert len(said) == len(REFUSALS)


@pytest.mark.parametrize("option", ["--port", "--bigquery-port", "--keep"])
def test_what_another_sandbox_uses(tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A port that is taken, and a folder that is none, end with 2 and a sentence; nothing goes on running."""
    before = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        file = tmp_path / "file"
        file.write_text("no folder", "utf-8")
        assert main(["sandbox", "--accounts", "1", option, str(file) if option == "--keep" else port]) == 2
    said = capsys.readouterr().err
    assert said.startswith("The sandbox cannot start: ")
    assert "Name a port that is free" in said
    assert set(threading.enumerate()) <= before


def test_the_doctor_finds_nothing_wrong(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In the sandbox's environment the doctor ends with 0: the connection has the app's id and secret, too."""
    with run_sandbox(SandboxSettings(accounts=1, media=1, stories=1)) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["status"] == "ok"
    assert {check["status"] for check in found["checks"]} == {"ok", "not checked"}


def test_options_shape_the_world() -> None:
    """Clock, seed, number of posts and pinned version arrive in the servers; the pin also in the connection."""
    now = datetime(2026, 11, 21, 20, tzinfo=UTC)
    with run_sandbox(SandboxSettings(accounts=1, media=4, seed=9, now=now, pin="v10.0")) as environment:
        connection = json.loads(environment["AIRFLOW_CONN_INSTAGRAM_DEFAULT"])
        assert connection["password"] == "EAAGsystemuser9"
        assert connection["extra"]["api_version"] == "v10.0"
        answer = requests.get(
            f"{connection['host']}/v25.0/17841400000000001/media",
            {"fields": "timestamp"},
            headers={"Authorization": f"Bearer {connection['password']}"},
            timeout=10,
        )
        assert answer.headers["facebook-api-version"] == "v10.0"
        times = [datetime.fromisoformat(item["timestamp"]) for item in answer.json()["data"]]
        assert len(times) == 4
        assert max(times) <= datetime(2026, 11, 21, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    "options",
    [
        ["--now", "2026-11-21T12:00:00"],
        ["--now", "noon"],
        ["--accounts", "two"],
        ["--port", "99999"],
        ["--latency", "soon"],
    ],
    ids=str,
)
def test_options_that_are_none(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong option is explained and ends with code 2."""
    with pytest.raises(SystemExit) as caught:
        main(["sandbox", *options])
    assert caught.value.code == 2
    assert options[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["sandbox", "--fault", "flood"], "knows no fault flood. It knows empty_page,"),
        (["sandbox", "--pin", "v99.0"], "plays no API version v99.0."),
        (["demo", "--accounts", "0"], "--accounts is 1 or more"),
    ],
    ids=" ".join,
)
def test_what_the_sandbox_does_not_know(command: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is none ends with code 2 and a sentence, before anything runs."""
    assert main(command) == 2
    assert said in capsys.readouterr().err


def test_without_the_sandbox_extra() -> None:
    """Where the sandbox's libraries are not installed, the command says how to install them.

    In a process of its own: a package imported a second time is another one than the one that tests have in hand.
    """
    script = f"import sys; sys.modules['duckdb'] = None; from {PACKAGE}.cli.main import main"
    script += "; sys.exit(main(['sandbox']))"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert said.returncode == 2
    assert "pip install 'airflow-provider-iginsights[sandbox]'" in said.stderr
