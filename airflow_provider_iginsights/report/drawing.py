"""Turns charts into what a page can hold: the script that draws them in the browser, or pictures without any script.

Both come from vl-convert, which holds Vega and needs no network. It is imported only here, when a report is made.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Literal, get_args

from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.report.figures import Section
from airflow_provider_iginsights.report.page import Drawing, read_text

Charts = Literal["interactive", "static", "none"]
CHARTS: tuple[Charts, ...] = get_args(Charts)


def draw_charts(sections: Iterable[Section], *, charts: Charts) -> Drawing:
    """Return how the charts of these sections come onto the page.

    :param charts: ``interactive`` = by a script; ``static`` = as SVG; ``none`` = the tables are enough.
    :raises ConfigurationError: the extra ``report`` is not installed, and there are charts to draw.
    """
    figures = [figure for section in sections for figure in section.figures if figure.spec is not None]
    if charts == "none" or not figures:
        return Drawing()
    if charts == "interactive":
        return Drawing(script=make_script())
    convert = _import_converter()
    images = {each.key: convert.vegalite_to_svg({**(each.spec or {}), "width": each.width}) for each in figures}
    return Drawing(images=images)


@cache
def make_script() -> str:
    """Return Vega, and what draws the charts of a page with it."""
    bundle: str = _import_converter().javascript_bundle(read_text("draw.js"))
    # What an HTML parser would change is changed here, or the script would not have the digest of the page's policy.
    return bundle.replace("\r\n", "\n").replace("\r", "\n").replace("</script", "<\\/script")


def _import_converter() -> Any:
    try:
        import vl_convert
    except ImportError as error:
        raise ConfigurationError(
            f"The charts of a report need vl-convert-python, which cannot be imported ({error}). Install it with "
            "`pip install 'airflow-provider-iginsights[report]'`, or make the report of tables alone (operators: "
            'charts="none"; commands: --charts none).'
        ) from error
    return vl_convert
