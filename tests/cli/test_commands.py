"""One table of commands for argparse and for Airflow: both make the same of it."""

from __future__ import annotations

import argparse
from importlib import import_module

import pytest

from airflow_provider_iginsights.cli.commands import COMMANDS, Command
from airflow_provider_iginsights.cli.definition import get_instagram_commands
from airflow_provider_iginsights.cli.exit_codes import MEANINGS, ExitCode
from airflow_provider_iginsights.cli.main import main, make_parser
from tests.support.pages import DOCS


def parsers_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of the subcommands."""
    action = next(each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    return dict(action.choices)


def describe(parser: argparse.ArgumentParser) -> set[tuple[object, ...]]:
    """Return what a parser takes, without its order."""
    return {
        (action.dest, tuple(action.option_strings), action.nargs, str(action.default), action.required, action.help)
        for action in parser._actions
    }


def test_both_doors_take_the_same() -> None:
    """Airflow's own parser of the group has the subcommands and options that argparse has."""
    from airflow.cli.cli_parser import _add_command

    airflow = argparse.ArgumentParser()
    _add_command(airflow.add_subparsers(), get_instagram_commands()[0])
    theirs, ours = parsers_of(parsers_of(airflow)["instagram"]), parsers_of(make_parser())
    assert list(ours) == [
        "test",
        "doctor",
        "init",
        "accounts",
        "metrics",
        "tables",
        "report",
        "forget",
        "clear",
        "dbt",
        "sandbox",
        "record",
        "replay",
        "demo",
    ]
    assert {name: describe(parser) for name, parser in theirs.items()} == {
        name: describe(parser) for name, parser in ours.items()
    }


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_action_exists(command: Command) -> None:
    """The function that a row names is there, and returns how it ended."""
    module, _, name = command.action.partition(":")
    assert import_module(module).__dict__[name].__annotations__["return"] == "ExitCode"


@pytest.mark.parametrize("command", ["", *(command.name for command in COMMANDS)])
def test_help_tells_the_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every help text ends with the table of exit codes."""
    with pytest.raises(SystemExit) as caught:
        main([*filter(None, [command]), "--help"])
    assert caught.value.code == 0
    lines = [line.split(None, 1) for line in capsys.readouterr().out.splitlines()[-len(MEANINGS) :]]
    assert lines == [[str(code.value), meaning] for code, meaning in MEANINGS.items()]


def test_the_docs_tell_the_exit_codes() -> None:
    """The printed table has the same codes, meanings and order."""
    page = (DOCS / "reference" / "commands.md").read_text("utf-8")
    _, _, table = page.partition("| exit code | means |\n|---|---|\n")
    rows = [line.strip("|").split("|") for line in table.partition("\n\n")[0].splitlines()]
    assert [[cell.strip() for cell in row] for row in rows] == [[str(code.value), MEANINGS[code]] for code in ExitCode]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["burn"],
        ["tables", "--check"],
        ["tables", "--check", "--dataset", "d", "--table", "posts=x"],
        ["tables", "--check", "--dataset", "d", "--table", "media"],
        ["sandbox", "--accounts", "-1"],
        ["sandbox", "--latency", "nan"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be read ends with code 2 and an explanation."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tables"], "tables takes exactly one of --check, --deduplicate, --views, --complete."),
        (["tables", "--check", "--views"], "tables takes exactly one of --check, --deduplicate, --views, --complete."),
        (["forget"], "forget takes exactly one of --account, --media."),
        (["forget", "--account", "1", "--media", "2"], "forget takes exactly one of --account, --media."),
    ],
    ids=str,
)
def test_one_of_several(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where one option of several is needed, none and two are refused with a sentence, in both doors alike."""
    assert main([*arguments, "--dataset", "d"]) == 2
    assert said in capsys.readouterr().err
    group = get_instagram_commands()[0]
    command = next(each for each in group.subcommands if each.name == arguments[0])
    options = make_parser().parse_args([*arguments, "--dataset", "d"])
    with pytest.raises(SystemExit) as caught:
        command.func(options)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err
