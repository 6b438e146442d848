"""How Sphinx builds the site: ``make docs``. It needs no network, no Airflow and no part of this package."""

from __future__ import annotations

import re
from pathlib import Path

INIT = Path(__file__).parents[1] / "airflow_provider_iginsights" / "__init__.py"

project = "airflow-provider-iginsights"
author = f"The {project} authors"
[release] = re.findall(r'^__version__ = "(.+)"$', INIT.read_text("utf-8"), re.MULTILINE)
version = release

extensions = ["myst_parser", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
nitpicky = True

# Links of the form page.md#heading are checked, and the same on GitHub.
myst_heading_anchors = 4
myst_links_external_new_tab = False

html_theme = "furo"
html_title = f"{project} {release}"
html_show_copyright = False
html_show_sphinx = False
copybutton_prompt_text = "$ "
