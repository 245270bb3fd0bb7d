"""What the site makes of Markdown that GitHub shows too: links out of docs/, titles, and what lies below a page."""

import re
from pathlib import Path

from sphinx.application import Sphinx

OUTSIDE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "config/README.md": "configuration.md",
    "src/farfield/__main__.py": "reference/command-line.rst",
}
"""Pages for files outside docs/; a folder of the code has the page of its door, and other files are downloads."""

BELOW = {
    "studies": ["learned-starts", "data-or-physics"],
    "learned-starts": [f"reproduction/{study}/*" for study in ("passive", "strategies", "invariant")],
    "data-or-physics": ["reproduction/co-driven/*"],
    "reference": ["package", "reference/farfield", "reference/command-line", "configuration"],
    "background": ["choices", "performance", "reproduction/README", "architecture", "changelog"],
    "reproduction/README": ["paper/README", "[a-z]*"],
    "reproduction/paper/README": ["[a-z]*"],
}
"""What the navigation has below a page. Written into the page, GitHub would show it."""


def inside(target: str) -> str:
    """Page of the site for a file or a folder of the repository, or the file itself."""
    if folder := re.fullmatch(r"src/(farfield(?:/[a-z]+)*)", target):
        return f"reference/{folder[1].replace('/', '.')}.rst"
    return OUTSIDE.get(target, f"../{target}")


def read(app: Sphinx, page: str, source: list[str]) -> None:
    """Turn links out of docs/, give a table the title of its caption, and add what lies below."""
    if app.env.doc2path(page).suffix != ".md":  # written for the site alone
        return
    up, text = "../" * page.count("/"), source[0]
    text = re.sub(rf"\]\({up}\.\./(?!\.)([^)#]+)", lambda found: f"]({up}{inside(found[1])}", text)
    if not re.match(r"# |```\{include", text):
        caption = re.match(r"\*\*(.+?)\.?\*\* ?", text)
        name = page.removeprefix("reproduction/")
        title = caption[1] if caption else name.capitalize()
        title += f" ({name})" if "/" in name else ""  # studies have tables of one caption
        text = f"# {title}\n\n{text[caption.end() if caption else 0 :]}"
    if page in BELOW:
        text += "\n".join(["\n```{toctree}", ":hidden:", ":glob:", "", *BELOW[page], "```", ""])
    source[0] = text


def include(app: Sphinx, path: Path, page: str, source: list[str]) -> None:
    """Turn README's link to the folder of examples to the gallery that is made of it."""
    source[0] = source[0].replace("](docs/gallery)", "](docs/examples/index.rst)")


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx."""
    app.connect("source-read", read)
    app.connect("include-read", include)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
