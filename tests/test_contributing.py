"""CONTRIBUTING.md and its neighbours are true: the worked example works, hooks are ours, links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_provider_iginsights import __version__
from airflow_provider_iginsights.cli.main import make_parser
from tests.support.dry_runs import dry_run
from tests.support.measure_house import FLOORS
from tests.support.pages import PACKAGE, ROOT, list_anchors, list_links

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob(".github/*.md")])
TEMPLATES = sorted(ROOT.glob(".github/ISSUE_TEMPLATE/*.yml"))
CONTRIBUTING = ROOT / "CONTRIBUTING.md"

READ_STORIES = """
from tests.support.readers import NOW, World, open_readers
from airflow_provider_iginsights.catalog.reference import describe_live_metrics

world = World.build(accounts=1, media_per_account=0, stories_per_account=2, now=NOW)
with open_readers(world) as readers:
    print(sorted({metric for _, metric, *_ in readers.read_stories()}), readers.left_out)
print(*describe_live_metrics(), sep="\\n")
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Return a copy of the package, to be changed."""
    ignored = shutil.ignore_patterns("__pycache__", "example_dags")
    return shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=ignored)


def find_rows() -> Iterator[tuple[str, str]]:
    """Yield the module and the printed row of each step of the worked example."""
    [section] = re.findall(r"^## Add a metric in one row\n(.+?)^## ", CONTRIBUTING.read_text("utf-8"), re.M | re.S)
    for said, row in re.findall(r"(.+?)```python\n(.+?)\n```", section, re.DOTALL):
        yield re.findall(rf"{PACKAGE.name}/([\w/]+\.py)", said)[-1], row


def read_code(page: Path) -> list[str]:
    """Return what a page writes as code: blocks, and words within a line."""
    return re.findall(r"```.+?```|`[^`\n]+`", page.read_text("utf-8"), re.DOTALL)


def test_a_metric_is_added_in_one_row(house: Path) -> None:
    """With the two printed rows, a run asks for the new metric, stores its numbers, and the docs name it."""
    rows = dict(find_rows())
    assert list(rows) == ["catalog/media_metrics.py", "sandbox/graph/rules.py"]
    for module, row in rows.items():
        text, added = re.subn(
            r"^(MEDIA_METRICS: .+ = [({]\n)",
            rf"\1    {row},\n",
            (house / module).read_text("utf-8"),
            flags=re.MULTILINE,
        )
        assert added == 1
        (house / module).write_text(text, "utf-8")
    environment = os.environ | {"PYTHONPATH": f"{house.parent}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", READ_STORIES]
    done = subprocess.run(command, cwd=house.parent, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    read, *described = done.stdout.splitlines()
    assert "'sticker_taps'" in read
    assert read.endswith("{}")
    assert [line for line in described if line.startswith("| `sticker_taps` | STORY |")]


def test_the_house_is_told_whole() -> None:
    """The table of rooms names each folder of the package once, from the top down."""
    [table] = re.findall(r"^\| room \| what is in it \|\n((?:\|.+\n)+)", CONTRIBUTING.read_text("utf-8"), re.MULTILINE)
    named = [re.findall(r"`(\w+)`", line.split("|")[1]) for line in table.splitlines()[1:-1]]
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir()} - {"__pycache__", "example_dags"}
    assert sorted(room for rooms in named for room in rooms) == sorted(folders)
    floor_of = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    floors = [floor_of[room] for rooms in named for room in rooms]
    assert floors == sorted(floors, reverse=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Each link names a file and a heading that exist, and nobody's machine."""
    text = page.read_text("utf-8")
    assert not re.search(r"(?<![\w.])/(work|tmp|home|root|Users)/", text)
    for target in list_links(page):
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert "://" in target or file.exists(), f"{target}: there is no such file"
        assert "://" in target or not anchor or anchor in list_anchors(file), f"{target}: there is no such heading"


def test_files_that_are_named_exist() -> None:
    """What CONTRIBUTING.md and SECURITY.md write as a path is one, in the project or in the package."""
    text = CONTRIBUTING.read_text("utf-8") + (ROOT / "SECURITY.md").read_text("utf-8")
    named = set(re.findall(r"`([\w./-]+/[\w./-]+)`", text)) - {"dist/"}
    assert len(named) > 5
    folders = (ROOT, PACKAGE, PACKAGE.parent)
    assert [path for path in named if not any((folder / path).exists() for folder in folders)] == []


def test_commands_of_the_package_are_commands() -> None:
    """What the templates tell people to run is read by the parser that they have."""
    texts = [page.read_text("utf-8") for page in TEMPLATES]
    lines = [line for text in texts for line in re.findall(r"`(airflow instagram [a-z][^`]*)`", text)]
    assert lines
    for line in lines:
        assert make_parser().parse_args(shlex.split(line)[2:]).command.name == line.split()[2]


def test_commands_are_those_of_make() -> None:
    """What CONTRIBUTING.md says to run is a target of the Makefile."""
    targets = set(re.findall(r"\bmake ([a-z-]+)\b", " ".join(read_code(CONTRIBUTING))))
    assert "test" in targets
    for target in sorted(targets):
        assert dry_run(target)


def test_hooks_are_local_and_pinned() -> None:
    """pre-commit fetches nothing: each hook is a tool that requirements/test.txt pins, or a module of ours."""
    [repository] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    assert repository["repo"] == "local"
    pinned = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements" / "test.txt").read_text("utf-8"), re.MULTILINE))
    makefile = (ROOT / "Makefile").read_text("utf-8").replace("$(BIN)", ".venv/bin")
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        tool, *arguments = hook["entry"].split()
        command = " ".join([tool, *arguments[:1]])
        assert command in makefile, f"{hook['id']}: make runs no {command}"
        assert Path(tool).name in {*pinned, "python"}
        assert arguments[:1] != ["-m"] or (ROOT / f"{arguments[1].replace('.', '/')}.py").exists()


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_templates_can_be_shown(path: Path) -> None:
    """A form has a name, a description and fields with unique ids; one that asks for a log says: without a token."""
    form: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    if path.stem == "config":
        assert form == {"blank_issues_enabled": True}
        return
    assert {"name", "description", "labels", "body"} == form.keys()
    fields = [part for part in form["body"] if part["type"] != "markdown"]
    ids = [field["id"] for field in fields]
    assert len(ids) == len(set(ids)) > 0
    assert all(field["attributes"]["label"] for field in fields)
    assert {part["type"] for part in form["body"]} <= {"markdown", "textarea", "input", "dropdown", "checkboxes"}
    assert "log" not in ids or "no token" in form["body"][0]["attributes"]["value"]


def test_the_changelog_begins_with_this_version() -> None:
    """Its newest section is that of ``__version__``, with its day or as unreleased, and has known sections only."""
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert re.fullmatch(rf"{re.escape(__version__)} \((unreleased|\d{{4}}-\d\d-\d\d)\)", sections[0])
    known = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= known


def test_make_help_lists_every_target() -> None:
    """``make help`` prints each target that has a sentence, whatever its name is; none of them is a file."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    said = set(re.findall(r"^([\w-]+):.*##", makefile, re.MULTILINE))
    command = ["make", "--no-print-directory", "help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert {line.split()[0] for line in done.stdout.splitlines()} == said
    [phony] = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert said <= set(phony.split())


def test_rules_of_security_are_broken_by_name() -> None:
    """No file is free of all of ruff's S; a line that breaks one of them says why."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["ruff"]["lint"]
    ignored = [*pyproject["ignore"], *(rule for rules in pyproject["per-file-ignores"].values() for rule in rules)]
    assert "S" in pyproject["select"]
    assert [rule for rule in ignored if re.fullmatch(r"S\d{0,2}", rule)] == []
    for path in (path for folder in (PACKAGE, ROOT / "tests", ROOT / "benchmarks") for path in folder.rglob("*.py")):
        for line in path.read_text("utf-8").splitlines():
            assert not re.search(r"noqa: (?:\w+, )*S\d+(?!\d)(?! \(| - )", line), f"{path.name}: {line}"
