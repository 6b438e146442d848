"""The README keeps up with the code: every argument, error, table, column and connection field is explained in it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from airflow_provider_iginsights import errors
from airflow_provider_iginsights._compat import BaseOperator
from airflow_provider_iginsights.catalog.tables import TABLES
from airflow_provider_iginsights.hooks.connection_form import CONN_FIELDS
from airflow_provider_iginsights.operators.instagram import InstagramListAccountsOperator
from airflow_provider_iginsights.transfers.instagram_to_bigquery import (
    InstagramAccountInsightsToBigQueryOperator,
    InstagramMediaInsightsToBigQueryOperator,
    InstagramStoryInsightsToBigQueryOperator,
)
from airflow_provider_iginsights.transfers.staged_to_bigquery import InstagramWriteStagedToBigQueryOperator

ROOT = Path(__file__).parents[1]
TRANSFERS = (
    InstagramAccountInsightsToBigQueryOperator,
    InstagramMediaInsightsToBigQueryOperator,
    InstagramStoryInsightsToBigQueryOperator,
)
OPERATORS = (*TRANSFERS, InstagramListAccountsOperator, InstagramWriteStagedToBigQueryOperator)


def readme_words() -> set[str]:
    """Return every identifier that the README writes as code."""
    code = re.findall(r"```.*?```|`[^`\n]+`", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    return set(re.findall(r"\w+", " ".join(code)))


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
        "operators": {operator.__name__ for operator in OPERATORS},
        "arguments": set.union(*map(arguments_of, OPERATORS)),
        "errors": {kind.__name__ for kind in public},
        "tables": {table.default_id for table in TABLES},
        "columns": {column.name for table in TABLES for column in table.columns},
        "connection": set(CONN_FIELDS),
    }


@pytest.mark.parametrize("kind", ["operators", "arguments", "errors", "tables", "columns", "connection"])
def test_the_readme_names_everything(kind: str) -> None:
    """Nothing public is left for the reader to find in the source."""
    expected = expected_words()[kind]
    assert len(expected) >= 4
    assert sorted(expected - readme_words()) == []


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


def test_the_project_speaks_of_itself_alone() -> None:
    """Neither README nor example names a machine's paths."""
    for path in (ROOT / "README.md", *(ROOT / "example_dags").glob("*.py")):
        assert not re.search(r"(?<![\w.])/(work|tmp|home|root|Users)/", path.read_text("utf-8")), path.name
