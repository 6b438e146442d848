"""Writes a dbt project: what is in it, by file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airflow_provider_iginsights.dbt.models import FIRST_DAY, describe_models, list_parameters, write_model
from airflow_provider_iginsights.dbt.sources import TODAY, describe_sources
from airflow_provider_iginsights.dbt.tables import DbtTables
from airflow_provider_iginsights.dbt.yaml_text import YamlValue, write_yaml

PROJECT = "instagram_insights"
SHOWN_DAYS: Mapping[str, int] = {"post_ages": 90, "account_weekly": 182, "account_monthly": 730}
"""So many days the model of a view with parameters shows where nobody sets the variables; others show 28."""


def write_project(tables: DbtTables, *, project: str | None, dataset: str) -> dict[str, str]:
    """Return the texts of the files, by their paths inside the project.

    :param project: Google Cloud project of the tables; None = that of dbt's profile.
    """
    return {
        "dbt_project.yml": "\n".join(_describe_project(tables, project=project, dataset=dataset)),
        "models/sources.yml": write_yaml(describe_sources(tables)),
        "models/schema.yml": write_yaml(describe_models(tables)),
        **{
            f"models/{view_id}.sql": write_model(view_id, view, tables=tables) for view_id, view in tables.views.items()
        },
    }


def _describe_project(tables: DbtTables, *, project: str | None, dataset: str) -> Iterator[str]:
    yield write_yaml(
        {
            "name": PROJECT,
            "version": "1.0.0",
            "config-version": 2,
            "profile": PROJECT,
            "require-dbt-version": [">=1.10.0", "<3.0.0"],
            "model-paths": ["models"],
        }
    )
    yield "# dbt would tell its maker of each run."
    yield write_yaml({"flags": {"send_anonymous_usage_stats": False}})
    yield from _describe_variables(tables, project=project, dataset=dataset)
    yield "# The operators may keep views of the same names beside the tables: a schema apart, <dataset>_models."
    yield write_yaml(
        {
            "models": {
                PROJECT: {
                    "+materialized": "view",
                    "+schema": "models",
                    "+persist_docs": {"relation": True, "columns": True},
                }
            }
        }
    )


def _describe_variables(tables: DbtTables, *, project: str | None, dataset: str) -> Iterator[str]:
    variables: dict[str, tuple[str, YamlValue]] = {
        "instagram_project": ("Google Cloud project of the tables; none: that of the profile.", project or ""),
        "instagram_dataset": ("Dataset of the tables.", dataset),
        "instagram_test_days": ("So many days the data tests read.", 7),
        "instagram_first_day": (
            "Older days are not read; posts that were last read before it are not shown.",
            FIRST_DAY,
        ),
        "instagram_read_views": (
            "Read the newest numbers from the views that the operators keep (create_views).",
            False,
        ),
    }
    yield "vars:"
    for name, (meaning, value) in variables.items():
        yield f"  # {meaning}"
        yield f"  {write_yaml({name: value}).rstrip()}"
    for name, parameter, view in list_parameters(tables):
        begin = f"DATE_SUB({TODAY}, INTERVAL {SHOWN_DAYS.get(view.name, 28)} DAY)"
        yield "  # A DATE in GoogleSQL."
        yield f"  {write_yaml({name: TODAY if parameter == 'until' else begin}).rstrip()}"
    yield ""
