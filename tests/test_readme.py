"""README and docs keep up with the code and hang together: what a user can name is explained, every page is reached."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from airflow_provider_iginsights import errors
from airflow_provider_iginsights.bigquery.target import LOAD_MODES
from airflow_provider_iginsights.catalog.tables import TABLES
from airflow_provider_iginsights.catalog.views import VIEWS
from airflow_provider_iginsights.cli.commands import COMMANDS
from airflow_provider_iginsights.hooks.connection_form import CONN_FIELDS
from airflow_provider_iginsights.hooks.reading import Kind
from airflow_provider_iginsights.sandbox import fixtures
from airflow_provider_iginsights.task.arguments import ON_ACCOUNT_ERROR
from airflow_provider_iginsights.transfers.story_transfer import Capture
from airflow_provider_iginsights.transfers.table_options import OPTIONS
from airflow_provider_iginsights.transfers.target import LOADS
from airflow_provider_iginsights.window import RULES
from tests.support.pages import (
    DOCS,
    PACKAGE,
    README,
    ROOT,
    find_code_words,
    find_directives,
    list_anchors,
    list_docs,
    list_links,
    list_pages,
    read_code_words,
)
from tests.support.reference_sections import OPERATORS, OTHERS, arguments_of, read_params


def read_package() -> Iterator[ast.AST]:
    """Yield all nodes of the package's code but the sandbox's."""
    for path in PACKAGE.rglob("*.py"):
        if "sandbox" not in path.parts:
            yield from ast.walk(ast.parse(path.read_text("utf-8")))


def find_reasons() -> set[str]:
    """Return why something may be left out, beside the errors: all that is noted by a name in capitals."""
    calls = (node for node in read_package() if isinstance(node, ast.Call))
    notes = (call for call in calls if "note" in (getattr(call.func, "attr", ""), getattr(call.func, "id", "")))
    values = (argument.value for call in notes for argument in call.args if isinstance(argument, ast.Constant))
    return {value for value in values if isinstance(value, str) and re.fullmatch(r"(?:[A-Z][a-z]+)+", value)}


def find_settings() -> set[str]:
    """Return the settings of Airflow's section ``[instagram]`` that the package reads."""
    calls = (node for node in read_package() if isinstance(node, ast.Call) and node.args)
    sections = (call for call in calls if getattr(call.args[0], "id", "") == "SECTION")
    return {call.args[1].value for call in sections if isinstance(call.args[1], ast.Constant)}  # type: ignore[misc]


def find_operators() -> set[str]:
    """Return the operators that users name: classes with this beginning and end."""
    names = {node.name for node in read_package() if isinstance(node, ast.ClassDef)}
    return {name for name in names if re.fullmatch(r"Instagram\w+Operator", name)} - {"InstagramToBigQueryOperator"}


def expected_words() -> dict[str, set[str]]:
    """Return what the pages must name, by kind."""
    public = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.InsightsError)
    ]
    return {
        "operators": find_operators(),
        "arguments": {name for operator in OPERATORS for name in arguments_of(operator)},
        "errors": {kind.__name__ for kind in public},
        "tables": {table.default_id for table in TABLES},
        "columns": {column.name for table in TABLES for column in table.columns},
        "connection": set(CONN_FIELDS),
        "views": {view.view_id(view.table.default_id) for view in VIEWS},
        "commands": {command.name for command in COMMANDS},
        "options": {flag for each in COMMANDS for option in each.arguments for flag in option.flags if flag[0] == "-"},
        "settings": find_settings(),
        "reasons": find_reasons(),
        "choices": {*ON_ACCOUNT_ERROR, *LOAD_MODES, *LOADS, *get_args(Capture), *get_args(Kind)},
        "rules": set(RULES),
        "table options": {*OPTIONS, *(table.name for table in TABLES)},
        "fixtures": set(fixtures.__all__),
    }


EXPECTED = expected_words()


@pytest.mark.parametrize("kind", EXPECTED)
def test_the_docs_name_everything(kind: str) -> None:
    """Nothing public is left for the reader to find in the source."""
    assert len(EXPECTED[kind]) >= (2 if kind == "settings" else 4)
    assert sorted(EXPECTED[kind] - read_code_words()) == []


@pytest.mark.parametrize(
    ("page", "kinds"),
    {
        "operators": ("operators", "arguments"),
        "tables": ("tables", "columns", "table options"),
        "errors": ("errors",),
        "commands": ("commands", "options"),
    }.items(),
)
def test_the_reference_is_whole(page: str, kinds: tuple[str, ...]) -> None:
    """What belongs on a page of the reference stands on that page, not only anywhere."""
    words = find_code_words((DOCS / "reference" / f"{page}.md").read_text("utf-8"))
    assert {kind: sorted(EXPECTED[kind] - words) for kind in kinds if EXPECTED[kind] - words} == {}


def test_every_operator_has_a_reference() -> None:
    """The operators whose reference is generated are those of the package."""
    assert {operator.__name__ for operator in OPERATORS} == find_operators()


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.__name__)
def test_docstrings_name_every_argument(operator: type) -> None:
    """Every constructor argument has a ``:param``, in the operator's docstring or in the one it refers to."""
    said = read_params(operator).keys()
    if OTHERS in (operator.__doc__ or ""):
        said |= read_params(OPERATORS[0]).keys()
    assert arguments_of(operator).keys() - said == set()


def list_toctree() -> list[str]:
    """Return the pages that the toctrees of docs/index.md name, by their path in docs/ without suffix."""
    trees = [content for _, content in find_directives(DOCS / "index.md", "toctree")]
    return [line for content in trees for line in content.splitlines() if line and line[0] != ":"]


def test_every_page_is_in_the_toctree() -> None:
    """A page that no toctree names is found by nobody, and an entry without a page leads nowhere."""
    named = list_toctree()
    pages = {path.relative_to(DOCS).with_suffix("").as_posix() for path in list_docs()} - {"index"}
    for page in sorted(pages - set(named)):
        pytest.fail(
            f"docs/{page}.md is in no toctree. Add the line {page} to the section of docs/index.md it belongs to."
        )
    assert sorted(named) == sorted(pages), "docs/index.md names a page twice, or one that does not exist"


@pytest.mark.parametrize("page", list_pages(), ids=lambda page: page.stem)
def test_inner_links_lead_somewhere(page: Path) -> None:
    """Links name files and headings that exist; those of docs/ stay in it, so that the site has them, too."""
    for target in list_links(page):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{target}: there is no such file"
        assert page == README or file.is_relative_to(DOCS), f"{target} leads out of docs/"
        assert not anchor or anchor in list_anchors(file), f"{target}: there is no such heading"


def test_files_that_are_shown_exist() -> None:
    """What the pages take in from other files is there, to the marks between which it stands."""
    shown = 0
    for page in list_docs():
        for name in ("include", "literalinclude"):
            for file, options in find_directives(page, name):
                text = (page.parent / file).read_text("utf-8")
                marks = re.findall(r"^:(?:start-after|end-before): (.+)$", options, re.MULTILINE)
                assert [mark for mark in marks if text.count(mark) != 1] == []
                shown += 1
    assert shown > len(list((ROOT / "example_dags").glob("*.py")))


def test_pictures_are_small_and_shown() -> None:
    """Each picture that the browser tests take stands in a page, and takes little to load."""
    pictures = sorted((DOCS / "images").glob("*"))
    shown = {(page.parent / target).resolve() for page in list_pages() for target in list_links(page)}
    assert [path.name for path in pictures if path not in shown] == []
    assert max(path.stat().st_size for path in pictures) <= 150 * 1024


def test_the_project_speaks_of_itself_alone() -> None:
    """Neither a page nor an example names a machine's paths."""
    for path in (*list_pages(), *(ROOT / "example_dags").glob("*.py")):
        assert not re.search(r"(?<![\w.])/(work|tmp|home|root|Users)/", path.read_text("utf-8")), path.name


def test_the_readme_is_short() -> None:
    """It is read on one or two screens; all else stands in docs/."""
    assert len(README.read_text("utf-8").splitlines()) <= 150


def test_the_site_builds(tmp_path: Path) -> None:
    """Sphinx builds the pages without a warning and without a network, where its environment is (``make docs``)."""
    sphinx = ROOT / ".venv-docs" / "bin" / "sphinx-build"
    if not sphinx.exists():
        pytest.skip("There is no .venv-docs: make docs")
    command = [sphinx, "-q", "-n", "-W", "--keep-going", "-b", "dirhtml", DOCS, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
