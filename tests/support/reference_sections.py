"""What the pages of docs/reference say of operators, the connection and the commands, written from the code."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from airflow_provider_iginsights._compat import BaseOperator
from airflow_provider_iginsights.catalog import reference
from airflow_provider_iginsights.cli.commands import COMMANDS, Command
from airflow_provider_iginsights.cli.options import Option
from airflow_provider_iginsights.operators.instagram import InstagramListAccountsOperator
from airflow_provider_iginsights.operators.report import InstagramInsightsReportOperator
from airflow_provider_iginsights.operators.tables import InstagramTablesCompleteOperator
from airflow_provider_iginsights.operators.token import InstagramRefreshTokenOperator, InstagramTokenExpiresOperator
from airflow_provider_iginsights.transfers.instagram_to_bigquery import (
    InstagramAccountInsightsToBigQueryOperator,
    InstagramMediaInsightsToBigQueryOperator,
    InstagramStoryInsightsToBigQueryOperator,
)
from airflow_provider_iginsights.transfers.staged_to_bigquery import InstagramWriteStagedToBigQueryOperator
from airflow_provider_iginsights.transfers.story_webhook import InstagramStoryWebhookToBigQueryOperator
from tests.support import looker_fields
from tests.support.matrix.results import describe_results
from tests.support.pages import ROOT

TRANSFERS = (
    InstagramAccountInsightsToBigQueryOperator,
    InstagramMediaInsightsToBigQueryOperator,
    InstagramStoryInsightsToBigQueryOperator,
)
OPERATORS: tuple[type[Any], ...] = (
    *TRANSFERS,
    InstagramListAccountsOperator,
    InstagramWriteStagedToBigQueryOperator,
    InstagramStoryWebhookToBigQueryOperator,
    InstagramRefreshTokenOperator,
    InstagramTokenExpiresOperator,
    InstagramInsightsReportOperator,
    InstagramTablesCompleteOperator,
)
OTHERS = f"The other arguments are those of :class:`{InstagramAccountInsightsToBigQueryOperator.__name__}`."
PARAM = re.compile(r"^:param (\w+): ((?:.|\n(?!:param|\n|$))*)", re.MULTILINE)


def arguments_of(operator: type[Any]) -> dict[str, inspect.Parameter]:
    """Return the constructor's own arguments by name, those of our base classes among them."""
    ours = [each for each in operator.__mro__ if each.__module__.startswith("airflow_provider_iginsights.")]
    found: dict[str, inspect.Parameter] = {}
    for each in ours:
        for name, parameter in inspect.signature(each.__init__).parameters.items():  # type: ignore[misc]
            found.setdefault(name, parameter)
    if operator is InstagramWriteStagedToBigQueryOperator:
        found.pop("table_id")  # its tables are those that the rows were staged for
    # Those of Airflow's BaseOperator show where one of our classes has no constructor of its own.
    foreign = inspect.signature(BaseOperator.__init__).parameters
    return {name: parameter for name, parameter in found.items() if name not in foreign}


def read_params(operator: type[Any]) -> dict[str, str]:
    """Return what the operator's own docstring says of each argument."""
    return {name: " ".join(said.split()) for name, said in PARAM.findall(inspect.cleandoc(operator.__doc__ or ""))}


def describe_operators() -> Iterator[str]:
    """Yield the Markdown lines of all operators: what each does, and its arguments."""
    for operator in OPERATORS:
        yield from (f"## `{operator.__name__}`", "", f"In `{operator.__module__}`.", "")
        yield from _read_prose(operator)
        yield from reference.make_table(("argument", "default", "template", "meaning"), _arguments(operator))
        yield ""
        if OTHERS in (operator.__doc__ or ""):
            table_id = arguments_of(operator)["table_id"].default
            anchor = f"[{TRANSFERS[0].__name__}](#{TRANSFERS[0].__name__.lower()})"
            yield from (
                f"The other arguments are those of {anchor}; `table_id` is `{table_id}` where it is left out.",
                "",
            )


def describe_commands() -> Iterator[str]:
    """Yield the Markdown lines of all commands: what each does, and its options."""
    for command in COMMANDS:
        yield from (f"## `{command.name}`", "", command.description or f"{command.help}.", "")
        yield from reference.make_table(("option", "default", "meaning"), _options(command))
        yield ""


def describe_examples() -> Iterator[str]:
    """Yield the Markdown lines that show each example Dag as it is."""
    for path in sorted((ROOT / "example_dags").glob("*.py")):
        yield from (f"## {path.stem}", "", f"```{{literalinclude}} ../example_dags/{path.name}", ":language: python")
        yield from ("```", "")


SECTIONS: Mapping[str, Callable[[], Iterator[str]]] = MappingProxyType(
    {
        **reference.SECTIONS,
        "operators": describe_operators,
        "commands": describe_commands,
        "examples": describe_examples,
        "looker-sources": looker_fields.name_sources,
        "looker-fields": looker_fields.describe_fields,
        "compatibility": describe_results,
    }
)


def _read_prose(operator: type[Any]) -> Iterator[str]:
    said = inspect.cleandoc(operator.__doc__ or "").partition("\n:param")[0]
    said = re.sub(r"^\.\. code-block:: python\n(\n| {4}.*\n)+", "", f"{said}\n", flags=re.MULTILINE)
    paragraphs = [" ".join(each.split()) for each in said.strip().split("\n\n")]
    for paragraph in paragraphs:
        if not paragraph.endswith(":"):  # it would announce code that is not shown here
            yield from (_to_markdown(paragraph), "")


def _arguments(operator: type[Any]) -> Iterator[tuple[str, ...]]:
    templates, arguments = set(operator.template_fields), arguments_of(operator)
    for name, said in read_params(operator).items():
        yield f"`{name}`", _write_default(arguments[name]), "yes" if name in templates else "", _to_markdown(said)


def _write_default(parameter: inspect.Parameter) -> str:
    default = parameter.default
    if parameter.name == "deferrable":
        return "`[operators] default_deferrable`"
    if default is parameter.empty:
        return "required"
    if isinstance(default, timedelta):
        hours = default / timedelta(hours=1)
        return f"{hours:g} h" if hours.is_integer() else f"{default / timedelta(minutes=1):g} min"
    return f"`{default!r}`".replace("'", '"')


def _options(command: Command) -> Iterator[tuple[str, ...]]:
    for option in command.arguments:
        metavar = option.keywords.get("metavar") or ("" if option.keywords.get("action") == "store_true" else "…")
        name = " ".join(filter(None, (option.flags[-1], metavar if option.flags[-1].startswith("-") else "")))
        yield (
            f"`{name}`",
            _write_option_default(command, option),
            option.keywords["help"].replace(" (default: %(default)s)", ""),
        )


def _write_option_default(command: Command, option: Option) -> str:
    if option in command.one_of:
        return "one of these"
    is_positional = not option.flags[0].startswith("-") and option.keywords.get("nargs") != "*"
    if option.keywords.get("required") or is_positional:
        return "required"
    default = option.keywords.get("default")
    return "" if default in (None, [], False) else f"`{default}`"


def _to_markdown(text: str) -> str:
    text = re.sub(r":class:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text)
    return text.replace("``", "`").replace("~`", "`")
