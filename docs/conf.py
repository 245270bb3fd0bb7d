"""How Sphinx makes the site: `make docs`."""

import sys
from pathlib import Path

from sphinx_gallery.sorting import ExplicitOrder

import farfield

sys.path.insert(0, str(Path(__file__).parent))  # for doors and links, beside this file

project = "farfield"
author = "The farfield developers"
version = release = farfield.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
    "doors",
    "links",
]
exclude_patterns = ["_build", "gallery"]
EXAMPLES = (  # as readers come; one that is not named here ends the build
    "reconstruct",
    "break_symmetries",
    "watch",
    "hot_pixel",
    "volume",
    "learned_start",
    "network_on_counts",
    "new_objective",
)
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "examples",
    "filename_pattern": "",  # all are run
    "run_stale_examples": True,  # at every build, for farfield may have changed
    "within_subsection_order": ExplicitOrder([f"{name}.py" for name in EXAMPLES]),
    "image_srcset": ["2x"],
    "parallel": 2,
    "write_computation_times": False,
    "download_all_examples": False,
    "show_signature": False,
}
nitpicky = True
nitpick_ignore_regex = [
    ("py:obj", ".*"),  # what stands in single backticks is a link where it is a public name, and code elsewhere
    ("py:class", ".*"),  # types of other packages, whose pages are not read here
]
default_role = "py:obj"

myst_heading_anchors = 4
highlight_language = "none"  # what is indented in Markdown are commands and what they print

autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
toc_object_entries_show_parents = "hide"
maximum_signature_line_length = 80
python_use_unqualified_type_names = True
numpydoc_show_class_members = False

html_sidebars = {page: [] for page in ("index", "measured", "extend", "cluster", "why-symmetries-hurt")}  # none below
html_theme = "pydata_sphinx_theme"
html_title = "farfield"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_copyright = False
html_show_sourcelink = False
html_theme_options = {
    "header_links_before_dropdown": 8,
    "navbar_align": "left",
    "navbar_persistent": ["search-button"],
    "navigation_with_keys": False,
}
