"""Grids of text as Markdown and LaTeX: how every table of the study looks."""

import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from farfield import store


class Block(NamedTuple):
    """A grid of text: a sentence over it, its (group, column) titles and its rows."""

    title: str
    header: list[tuple[str, str]]
    rows: list[list[str]]


def format_number(value: float, digits: int = 3) -> str:
    """Write a number with so many decimals, small ones in scientific notation; a dash for NaN."""
    if np.isnan(value):
        return "–"
    return f"{value:.{digits}f}" if value == 0 or abs(value) >= 10.0**-digits else f"{value:.1e}"


def markdown(heading: str, blocks: Sequence[Block]) -> str:
    """Write a heading and grids as Markdown.

    Parameters
    ----------
    heading : str
        The first paragraph.
    blocks : sequence of Block

    Returns
    -------
    str
    """
    parts = [heading]
    for block in blocks:
        header = [f"{group} {column}".strip() for group, column in block.header]
        lines = [header, ["---:" if column else "---" for column in range(len(header))], *block.rows]
        parts += [block.title, "\n".join(f"| {' | '.join(line)} |" for line in lines)]
    return "\n\n".join(parts) + "\n"


LATEX = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "–": "--",
}


def _escape(text: str) -> str:
    escaped = "".join(LATEX.get(character, character) for character in text)
    return re.sub(r"(\d\.\d)e([+-])0*(\d+)", r"$\1\\times10^{\2\3}$", escaped).replace("^{+", "^{")


def _tabular(block: Block) -> str:
    """One booktabs tabular, with a line of group titles over the columns where there are any."""
    groups = [(name, len(list(run))) for name, run in itertools.groupby(group for group, _ in block.header)]
    titles, rules, column = [], [], 1
    for name, span in groups:
        titles.append(rf"\multicolumn{{{span}}}{{c}}{{{_escape(name)}}}")
        rules.append(rf"\cmidrule(lr){{{column}-{column + span - 1}}}" if name else "")
        column += span
    lines = [[title for _, title in block.header], *block.rows]
    header, *rows = [" & ".join(map(_escape, line)) + r" \\" for line in lines]
    top = [" & ".join(titles) + r" \\", " ".join(filter(None, rules))] if any(rules) else []
    begin = [rf"\begin{{tabular}}{{l{'r' * (column - 2)}}}", r"\toprule", *top, header, r"\midrule"]
    return "\n".join([*begin, *rows, r"\bottomrule", r"\end{tabular}"])


def latex(caption: str, label: str, blocks: Sequence[Block]) -> str:
    """Write grids as one LaTeX ``table`` for ``booktabs``.

    Parameters
    ----------
    caption : str
    label : str
        As ``\\ref`` takes it.
    blocks : sequence of Block

    Returns
    -------
    str
    """
    parts = [rf"{{\itshape {_escape(block.title)}}}\par\smallskip" + "\n" + _tabular(block) for block in blocks]
    head = ["% needs \\usepackage{booktabs}", r"\begin{table}", r"\centering\small"]
    body = "\n\\par\\bigskip\n".join(parts)
    titles = [rf"\caption{{{_escape(caption)}}}", rf"\label{{{label}}}"]
    return "\n".join([*head, *titles, body, r"\end{table}"]) + "\n"


def write(frame: pd.DataFrame, markdown_text: str, latex_text: str, paths: Sequence[str | Path]) -> None:
    """Write a table in all its forms, each file whole or not at all.

    Parameters
    ----------
    frame : pandas.DataFrame
        Tidy, for the CSV.
    markdown_text, latex_text : str
        From `markdown` and `latex`.
    paths : sequence of str or Path
        Of the CSV, the Markdown and the LaTeX file.
    """
    texts = [frame.to_csv(index=False, float_format="%.6g", lineterminator="\n"), markdown_text, latex_text]
    for path, text in zip(paths, texts, strict=True):
        with store.atomic(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
