"""The README keeps up with the code: whatever a user can name, or is told by name, is explained in it."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from airflow_provider_iginsights import errors
from airflow_provider_iginsights._compat import BaseOperator
from airflow_provider_iginsights.bigquery.target import LOAD_MODES
from airflow_provider_iginsights.catalog.tables import TABLES
from airflow_provider_iginsights.catalog.views import VIEWS
from airflow_provider_iginsights.cli.commands import COMMANDS
from airflow_provider_iginsights.hooks.connection_form import CONN_FIELDS
from airflow_provider_iginsights.hooks.reading import Kind
from airflow_provider_iginsights.operators.instagram import InstagramListAccountsOperator
from airflow_provider_iginsights.operators.token import InstagramRefreshTokenOperator, InstagramTokenExpiresOperator
from airflow_provider_iginsights.sandbox import fixtures
from airflow_provider_iginsights.task.arguments import ON_ACCOUNT_ERROR
from airflow_provider_iginsights.transfers.instagram_to_bigquery import (
    InstagramAccountInsightsToBigQueryOperator,
    InstagramMediaInsightsToBigQueryOperator,
    InstagramStoryInsightsToBigQueryOperator,
)
from airflow_provider_iginsights.transfers.staged_to_bigquery import InstagramWriteStagedToBigQueryOperator
from airflow_provider_iginsights.transfers.story_transfer import Capture
from airflow_provider_iginsights.transfers.story_webhook import InstagramStoryWebhookToBigQueryOperator
from airflow_provider_iginsights.transfers.table_options import OPTIONS
from airflow_provider_iginsights.transfers.target import LOADS
from airflow_provider_iginsights.window import RULES

ROOT = Path(__file__).parents[1]
TRANSFERS = (
    InstagramAccountInsightsToBigQueryOperator,
    InstagramMediaInsightsToBigQueryOperator,
    InstagramStoryInsightsToBigQueryOperator,
)
OPERATORS = (
    *TRANSFERS,
    InstagramListAccountsOperator,
    InstagramRefreshTokenOperator,
    InstagramTokenExpiresOperator,
    InstagramWriteStagedToBigQueryOperator,
    InstagramStoryWebhookToBigQueryOperator,
)


def readme_words() -> set[str]:
    """Return every identifier and every option that the README writes as code."""
    found = re.findall(r"```.*?```|`[^`\n]+`", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    code = " ".join(found)
    return {*re.findall(r"\w+", code), *re.findall(r"(?<!\S)\W?(--[a-z][a-z-]*)", code)}


def read_package() -> Iterator[ast.AST]:
    """Yield all nodes of the package's code but the sandbox's."""
    for path in (ROOT / "airflow_provider_iginsights").rglob("*.py"):
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


def arguments_of(operator: type) -> set[str]:
    """Return the constructor's own arguments, those of our base classes among them."""
    ours = [each for each in operator.__mro__ if each.__module__.startswith("airflow_provider_iginsights.")]
    found = {name for each in ours for name in inspect.signature(each.__init__).parameters}
    if operator is InstagramWriteStagedToBigQueryOperator:
        found -= {"table_id"}  # its tables are those that the rows were staged for
    # Those of Airflow's BaseOperator show where one of our classes has no constructor of its own.
    return found - set(inspect.signature(BaseOperator.__init__).parameters)


def test_the_readme_tells_what_is_no_template() -> None:
    """The sentence about templates names exactly the arguments of transfers that are none."""
    text = (ROOT / "README.md").read_text("utf-8")
    sentence = re.search(r"All are templates but ([^.]*)\.", text)
    templates = {name for operator in TRANSFERS for name in operator.template_fields}
    assert sentence is not None
    assert set(re.findall(r"`(\w+)`", sentence[1])) == set.union(*map(arguments_of, TRANSFERS)) - templates


def expected_words() -> dict[str, set[str]]:
    """Return what the README must name, by kind."""
    public = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.InsightsError)
    ]
    return {
        "operators": find_operators(),
        "arguments": set.union(*map(arguments_of, OPERATORS)),
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
def test_the_readme_names_everything(kind: str) -> None:
    """Nothing public is left for the reader to find in the source."""
    assert len(EXPECTED[kind]) >= (2 if kind == "settings" else 4)
    assert sorted(EXPECTED[kind] - readme_words()) == []


def test_every_operator_is_held_against_the_readme() -> None:
    """The list of operators above is that of the package."""
    assert {operator.__name__ for operator in OPERATORS} == find_operators()


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.__name__)
def test_docstrings_name_every_argument(operator: type) -> None:
    """Every constructor argument has a ``:param``, in the operator's docstring or in the one it refers to."""
    text = operator.__doc__ or ""
    if "The other arguments are those of" in text:
        text += InstagramAccountInsightsToBigQueryOperator.__doc__ or ""
    assert arguments_of(operator) - set(re.findall(r":param (\w+):", text)) == set()


def test_links_of_the_readme_lead_somewhere() -> None:
    """Relative links name files that exist, anchors headings that exist."""
    text = (ROOT / "README.md").read_text("utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif "://" not in target:
            assert (ROOT / target.partition("#")[0]).exists(), target


def test_pictures_are_small_and_shown() -> None:
    """Each picture that the browser tests take stands in the README, and takes little to load."""
    pictures = sorted((ROOT / "docs" / "images").glob("*"))
    shown = re.findall(r"!\[[^\]]+\]\((docs/images/[^)]+)\)", (ROOT / "README.md").read_text("utf-8"))
    assert sorted(shown) == [path.relative_to(ROOT).as_posix() for path in pictures]
    assert shown
    assert max(path.stat().st_size for path in pictures) <= 150 * 1024


def test_the_project_speaks_of_itself_alone() -> None:
    """Neither README nor example names a machine's paths."""
    for path in (ROOT / "README.md", *(ROOT / "example_dags").glob("*.py")):
        assert not re.search(r"(?<![\w.])/(work|tmp|home|root|Users)/", path.read_text("utf-8")), path.name
