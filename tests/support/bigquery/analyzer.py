"""Google's own SQL analyzer over a target and its staging table, or other tables."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from wasmtime import Config
from zetasql.api import Analyzer, CatalogBuilder, TableBuilder
from zetasql.core import wasm_client
from zetasql.types import (
    AnalyzerOptions,
    LanguageOptions,
    ProductMode,
    SimpleCatalog,
    TypeKind,
    ZetaSQLBuiltinFunctionOptions,
)

from airflow_provider_iginsights.catalog.tables import Table
from tests.support.bigquery import rows

STAGING = "p-1.d.staging"
INNER_NAMES = {"FLOAT64": "DOUBLE"}
"""BigQuery's name of a type to ZetaSQL's own, where they differ."""


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
    return Analyzer(AnalyzerOptions(language_options=bigquery_language()), build_catalog(tables))


def build_catalog(tables: Mapping[str, Mapping[str, str]]) -> SimpleCatalog:
    """Return these tables and all functions, for Google's analyzer."""
    catalog = CatalogBuilder("bigquery")
    for path, columns in tables.items():
        built = TableBuilder(path)
        for name, type_ in columns.items():
            built = built.add_column(name, getattr(TypeKind, f"TYPE_{INNER_NAMES.get(type_, type_)}"))
        catalog = catalog.add_table(built.build())
    return catalog.with_builtin_functions(ZetaSQLBuiltinFunctionOptions(language_options=bigquery_language())).build()


@cache
def bigquery_language() -> LanguageOptions:
    """Return what BigQuery's GoogleSQL has: it is the external product, in which FLOAT64 is the name of a DOUBLE."""
    language = LanguageOptions.maximum_features()
    language.product_mode = ProductMode.PRODUCT_EXTERNAL
    return language
