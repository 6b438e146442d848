"""Google's own SQL analyzer over a target and its staging table, or other tables."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from wasmtime import Config
from zetasql.api import Analyzer, CatalogBuilder, TableBuilder
from zetasql.core import wasm_client
from zetasql.types import AnalyzerOptions, LanguageOptions, TypeKind, ZetaSQLBuiltinFunctionOptions

from airflow_provider_iginsights.catalog.tables import Table
from tests.support.bigquery import rows

STAGING = "p-1.d.staging"


class Remembering(Config):
    """Keeps the compiled analyzer in wasmtime's cache: compiling takes twenty seconds, reading it less than one."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = True


wasm_client.Config = Remembering


@cache
def analyzer(table: Table) -> Analyzer:
    """Return Google's analyzer over a target and its staging table."""
    columns = {column.name: column.type for column in table.columns}
    return build_analyzer({rows.target(table).path: columns, STAGING: columns})


def build_analyzer(tables: Mapping[str, Mapping[str, str]]) -> Analyzer:
    """Return Google's analyzer over these tables: their columns' types by name, by path."""
    language = LanguageOptions.maximum_features()
    catalog = CatalogBuilder("bigquery")
    for path, columns in tables.items():
        built = TableBuilder(path)
        for name, type_ in columns.items():
            built = built.add_column(name, getattr(TypeKind, f"TYPE_{type_}"))
        catalog = catalog.add_table(built.build())
    catalog = catalog.with_builtin_functions(ZetaSQLBuiltinFunctionOptions(language_options=language))
    return Analyzer(AnalyzerOptions(language_options=language), catalog.build())
