"""Grids of text as Markdown and LaTeX: how every table of the study looks."""

import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from farfield.machine import store


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


class Table(NamedTuple):
    """A table in all that its forms need.

    Attributes
    ----------
    label : str
        A number of the paper's, or a name.
    title, caption : str
    frame : pandas.DataFrame
        Tidy, for the CSV.
    blocks : list of Block
        For Markdown and LaTeX.
    """

    label: str
    title: str
    caption: str
    frame: pd.DataFrame
    blocks: list[Block]


def markdown(table: Table) -> str:
    """Write a table as Markdown."""
    number = f"Table {table.label}. " if table.label.isdigit() else ""
    parts = [f"**{number}{table.title}.** {table.caption}"]
    for block in table.blocks:
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


def latex(table: Table) -> str:
    """Write a table as one LaTeX ``table`` for ``booktabs``, with the label ``tab:…``."""
    parts = [rf"{{\itshape {_escape(block.title)}}}\par\smallskip" + "\n" + _tabular(block) for block in table.blocks]
    head = ["% needs \\usepackage{booktabs}", r"\begin{table}", r"\centering\small"]
    body = "\n\\par\\bigskip\n".join(parts)
    titles = [rf"\caption{{{_escape(f'{table.title}. {table.caption}')}}}", rf"\label{{tab:{table.label}}}"]
    return "\n".join([*head, *titles, body, r"\end{table}"]) + "\n"


def write(table: Table, paths: Iterable[str | Path]) -> None:
    """Write a table as CSV, Markdown and LaTeX, each file whole or not at all.

    Parameters
    ----------
    table : Table
    paths : iterable of str or Path
        Of the three, in this order.
    """
    csv = table.frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    for path, text in zip(paths, (csv, markdown(table), latex(table)), strict=True):
        with store.atomic(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
