"""``record`` and ``replay``, run as users run them."""

from __future__ import annotations

import errno
import os
import shlex
import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from airflow_provider_iginsights.cassettes.recorder import DIRECTORY, SALT
from airflow_provider_iginsights.cli.main import main
from airflow_provider_iginsights.sandbox.graph import GraphSandbox
from tests.support.cassettes import recording

# As light as a command can be that asks Meta: it needs no Airflow.
ASK = """
import json, os, sys
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.messages import GraphRequest
from airflow_provider_iginsights.graph.settings import GraphSettings
connection = json.loads(os.environ["AIRFLOW_CONN_INSTAGRAM_DEFAULT"])
with GraphClient(GraphSettings(token=connection["password"], base_url=connection["host"])) as client:
    found = client.get(GraphRequest("me/accounts", {"fields": "id,name"})).body["data"]
print(len(found), "EAAG" in connection["password"])
sys.exit(int(sys.argv[1]))
"""


def ask(code: int) -> list[str]:
    """Return a command that asks for the Pages and ends with this code."""
    return ["--", sys.executable, "-c", ASK, str(code)]


def test_a_command_is_recorded_and_replayed(
    sandbox: GraphSandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The same command gets the same answer from the cassette, without the token; exit codes are the command's."""
    directory = str(tmp_path / "cassette")
    with pytest.raises(SystemExit) as ended:
        main(["record", directory, *ask(7)])
    assert ended.value.code == 7
    recorded = capfd.readouterr().out.splitlines()
    assert recorded[0] == "3 True"
    assert recorded[1].startswith(f"{directory}/cassette.jsonl: 1 calls to Meta. Look through it")
    sandbox.clear_log()
    assert main(["replay", directory, *ask(0)]) == 0
    assert capfd.readouterr().out == "3 False\n"
    with pytest.raises(SystemExit) as ended:
        main(["replay", directory, *ask(9)])
    assert ended.value.code == 9
    assert sandbox.log == ()
    assert not {DIRECTORY, SALT} & os.environ.keys()


def test_what_the_cassette_lacks_is_the_end_of_it(
    sandbox: GraphSandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a command it prints what to export, runs until Ctrl-C, and names what was asked for in vain."""
    from airflow_provider_iginsights.hooks.instagram import InstagramHook

    with recording(tmp_path / "cassette"), InstagramHook("own").get_conn() as client:
        client.get(client_request("me"))
    printed: list[str] = []

    def look(*lines: object) -> None:
        printed.extend(map(str, lines))
        if "until Ctrl-C" in printed[-1]:
            variables = dict(shlex.split(line)[1].split("=", 1) for line in printed if line.startswith("export"))
            for name, value in variables.items():
                monkeypatch.setenv(name, value)
            with InstagramHook("own").get_conn() as playing:
                playing.get(client_request("me"))
                with pytest.raises(Exception, match="no answer"):
                    playing.get(client_request("1"))
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("airflow_provider_iginsights.cli.cassettes.print_result", look)
    assert main(["replay", str(tmp_path / "cassette"), "--conn-id", "own"]) == 1
    assert "no answer to these requests:\nGET 1?fields=id" in capfd.readouterr().err
    assert any("run your Dag for the dates of that run" in line for line in printed)


def client_request(path: str) -> object:
    """Return a read of one id."""
    from airflow_provider_iginsights.graph.messages import GraphRequest

    return GraphRequest(path, {"fields": "id"})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["record", "new"], "There is no command to record"),
        (["record", "new", "--", "no-such-command"], "The command no-such-command cannot be run"),
        (["record", ".", "--", "true"], "is not empty"),
        (["replay", "new"], "holds no cassette"),
    ],
    ids=str,
)
def test_what_cannot_be_done(
    tmp_path: Path,
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It ends with 2 and a sentence."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "something").touch()
    assert main(arguments) == 2
    assert words in capsys.readouterr().err


WRITE_HALF = "import os, pathlib; (pathlib.Path(os.environ['{}']) / 'part-1.jsonl').write_bytes(b'{}')"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["true"], "Meta was asked nothing, so there is no cassette. Record a command that runs the tasks itself"),
        ([sys.executable, "-c", WRITE_HALF.format(DIRECTORY, "{")], "All calls to Meta (1) were cut off"),
        ([sys.executable, "-c", WRITE_HALF.format(DIRECTORY, "\\xff")], "All calls to Meta (1) were cut off"),
    ],
)
def test_a_command_that_leaves_no_call(
    tmp_path: Path, command: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is no cassette then, and why is said. The folder can be used again."""
    with pytest.raises(SystemExit) as ended:
        main(["record", str(tmp_path / "new"), "--", *command])
    assert ended.value.code == 1
    assert words in capsys.readouterr().err
    assert list((tmp_path / "new").iterdir()) == []


def test_a_command_that_does_not_exist_leaves_the_folder_free(tmp_path: Path) -> None:
    """The next recording may use it."""
    assert main(["record", str(tmp_path / "new"), "--", "no-such-command"]) == 2
    assert list((tmp_path / "new").iterdir()) == []


START_THREE = """
import subprocess, sys
running = [subprocess.Popen([sys.executable, "-c", sys.argv[1], "0"]) for _ in range(3)]
sys.exit(sum(each.wait() for each in running))
"""


def test_processes_of_a_command(sandbox: GraphSandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The calls of all processes that the command starts are in the cassette."""
    directory = str(tmp_path / "cassette")
    assert main(["record", directory, "--", sys.executable, "-c", START_THREE, ASK]) == 0
    assert f"{directory}/cassette.jsonl: 3 calls to Meta." in capfd.readouterr().out
    assert [path.name for path in Path(directory).iterdir()] == ["cassette.jsonl"]


def test_a_port_that_is_taken(sandbox: GraphSandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """That is said, and what to do."""
    from airflow_provider_iginsights.hooks.instagram import InstagramHook

    with recording(tmp_path / "cassette"), InstagramHook().get_conn() as client:
        client.get(client_request("me"))
    port = str(urlsplit(sandbox.url).port)
    assert main(["replay", "--port", port, str(tmp_path / "cassette"), "--", "true"]) == 2
    assert "Name a port that is free" in capsys.readouterr().err


def test_another_trouble_is_no_taken_port(
    sandbox: GraphSandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is sent to look for another port then."""
    from airflow_provider_iginsights.hooks.instagram import InstagramHook

    with recording(tmp_path / "cassette"), InstagramHook().get_conn() as client:
        client.get(client_request("me"))

    def fail(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("airflow_provider_iginsights.cli.cassettes.run_command", fail)
    assert main(["replay", str(tmp_path / "cassette"), "--", "true"]) == 2
    said = capsys.readouterr().err
    assert "Too many open files" in said
    assert "port" not in said
