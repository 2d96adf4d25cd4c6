"""How the site is built: make docs."""

import re
import sys
from importlib.metadata import version as installed
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext")]

project = "symgrad"
author = "symgrad contributors"
copyright = "symgrad contributors"
release = version = installed("symgrad")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton", "mathml"]
myst_enable_extensions = ["dollarmath", "amsmath", "deflist"]
myst_heading_anchors = 4
html_math_renderer = "mathml"
exclude_patterns = ["_build", "_ext", "lecture/results"]
nitpicky = False
suppress_warnings = ["misc.highlighting_failure"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
default_role = "code"

html_theme = "furo"
html_title = "symgrad"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True


def keep_initials(app, what, name, obj, options, lines):
    """A line that begins with a name's initial is no item of a list."""
    lines[:] = [re.sub(r"^(\s*)([A-Z]\. )", r"\1\\\2", line) for line in lines]


def open_large(app, page, template, context, doctree):
    """A picture is a link to itself: pages are narrower than some graphs are."""
    if "body" in context:
        picture = r'<img [^>]*src="([^"]+\.svg)"[^>]*>'
        context["body"] = re.sub(picture, r'<a href="\1">\g<0></a>', context["body"])


def setup(app):
    app.connect("autodoc-process-docstring", keep_initials)
    app.connect("html-page-context", open_large)
