"""A panel: a result, as text for a terminal, and as HTML for a notebook.

The HTML has no script. It takes colours of the page around it, so that it is read on a light and on
a dark one.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from tfcnn.base import naming

GAP = "  "  # between the columns of a table in text
LONG = 30  # letters: a longer text may be broken into lines
STYLE = """<style>
.tfcnn{max-width:60em;line-height:1.45}
.tfcnn p{margin:.3em 0}
.tfcnn a{color:inherit;text-decoration:underline}
.tfcnn .head{font-weight:600}
.tfcnn .note{opacity:.75}
.tfcnn .grids{display:flex;flex-wrap:wrap;gap:0 2.5em;align-items:flex-start}
.tfcnn table{border-collapse:collapse;margin:.6em 0;border:0;font-size:inherit;
font-variant-numeric:tabular-nums}
.tfcnn caption{caption-side:top;text-align:left;padding:0 0 .2em;color:inherit;opacity:.75}
.tfcnn tr,.tfcnn tr:nth-child(even){background:transparent}
.tfcnn th,.tfcnn td{padding:.2em .9em .2em 0;border:0;text-align:right;vertical-align:middle;
white-space:nowrap;color:inherit}
.tfcnn th{font-weight:600;border-bottom:1px solid rgba(128,128,128,.6)}
.tfcnn td{border-bottom:1px solid rgba(128,128,128,.22)}
.tfcnn .rule td{border-top:2px solid rgba(128,128,128,.6)}
.tfcnn .text{text-align:left}
.tfcnn .long{white-space:normal;overflow-wrap:anywhere;min-width:9em;max-width:40em}
.tfcnn .tint{padding:.2em .7em}
.tfcnn img{display:block;max-width:none;margin:0}
</style>"""
START = '<div class="tfcnn tex2jax_ignore mathjax_ignore">'  # a $ in a name is no formula


@dataclass(frozen=True)
class Thumbnail:
    """A small picture in a table, as a data URI; "" where it cannot be read any more."""

    uri: str


Cell = str | Thumbnail


@dataclass(frozen=True)
class Grid:
    """Texts in rows and columns.

    Attributes:
        columns: what each column is called.
        rows: of as many cells.
        title: what the table holds, "" for none.
        num_texts: so many columns, from the left, hold texts; the others hold figures.
        tints: per row and column a share in [0, 1], of a colour behind the cell; none if empty.
        caption: a line below.
        rules: a line is drawn above the rows of these indices.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    num_texts: int = 1
    tints: Sequence[Sequence[float]] = ()
    caption: str = ""
    rules: Sequence[int] = ()


@dataclass(frozen=True)
class Panel:
    """What a value shows of itself.

    Attributes:
        head: what it is, in a few words.
        lines: sentences: the result.
        notes: what a reader must know beside it.
        grids: its figures.
        link: a file to open, if any.
    """

    head: str
    lines: Sequence[str] = ()
    notes: Sequence[str] = ()
    grids: Sequence[Grid] = ()
    link: Path | None = None

    def text(self) -> str:
        """Return it as lines of text."""
        parts = [self.head, *self.lines]
        for grid in self.grids:
            parts += ["", *_text(grid)]
        end = [*(f"note: {note}" for note in self.notes), *([str(self.link)] if self.link else [])]
        parts += ["", *end] if self.grids and end else end
        return "\n".join(naming.visible(part) for part in parts)

    def html(self) -> str:
        """Return it as a piece of HTML."""
        parts = [STYLE, START, f'<p class="head">{_html(self.head)}</p>']
        parts += [f"<p>{_html(line)}</p>" for line in self.lines]
        if self.grids:
            parts += ['<div class="grids">', *map(_html_grid, self.grids), "</div>"]
        parts += [f'<p class="note">{_html(note)}</p>' for note in self.notes]
        if self.link:
            address = escape(_address(self.link))
            parts.append(f'<p><a href="{address}" target="_blank">{_html(str(self.link))}</a></p>')
        return "\n".join([*parts, "</div>"])


class Shown:
    """A value that shows itself as a panel: as text in a terminal, and as HTML in a notebook."""

    def panel(self) -> Panel:
        """Return what is shown."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.panel().text()

    def _repr_html_(self) -> str:
        return self.panel().html()


def below(paths: Sequence[str]) -> tuple[str, list[str]]:
    """Return the folder that paths have in common, "" for none, and each path below it."""
    is_mixed = len({Path(path).is_absolute() for path in paths}) > 1
    if len(paths) < 2 or is_mixed:
        return "", list(paths)
    folder = os.path.commonpath([Path(path).parent for path in paths])
    if folder in ("", "/"):
        return "", list(paths)
    return folder, [str(Path(path).relative_to(folder)) for path in paths]


def _text(grid: Grid) -> list[str]:
    """Return a table as lines, the columns aligned."""
    shown = [i for i, _ in enumerate(grid.columns) if not _is_picture(grid, i)]
    rows = [[grid.columns[i] for i in shown], *([str(row[i]) for i in shown] for row in grid.rows)]
    cells = [[naming.visible(text) for text in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        aligned = [
            text.ljust(width) if i < grid.num_texts else text.rjust(width)
            for i, text, width in zip(shown, row, widths, strict=True)
        ]
        lines.append(GAP.join(aligned).rstrip())
    return [*filter(None, [grid.title]), *lines, *filter(None, [grid.caption])]


def _is_picture(grid: Grid, column: int) -> bool:
    return any(isinstance(row[column], Thumbnail) for row in grid.rows)


def _html_grid(grid: Grid) -> str:
    kinds = ["text" if i < grid.num_texts else "" for i in range(len(grid.columns))]
    title = f"<caption>{_html(grid.title)}</caption>" if grid.title else ""
    head = "".join(
        f'<th class="{kind}">{_html(name)}</th>'
        for name, kind in zip(grid.columns, kinds, strict=True)
    )
    body = []
    for i, row in enumerate(grid.rows):
        tints = grid.tints[i] if grid.tints else [0.0] * len(row)
        cells = zip(row, kinds, tints, strict=True)
        kind = "rule" if i in grid.rules else ""
        body.append(f'<tr class="{kind}">{"".join(_html_cell(*cell) for cell in cells)}</tr>')
    end = f'<p class="note">{_html(grid.caption)}</p>' if grid.caption else ""
    whole = f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    return f"<div>{whole}{end}</div>"


def _html_cell(cell: Cell, kind: str, tint: float) -> str:
    if isinstance(cell, Thumbnail):
        image = f'<img src="{escape(cell.uri)}" alt="">' if cell.uri else ""
        return f'<td class="{kind}">{image}</td>'
    kind += " long" if kind and len(cell) > LONG else ""
    style = f' style="background:rgba(47,111,200,{tint:.2f})"' if tint else ""
    return f'<td class="{kind}{" tint" if tint else ""}"{style}>{_html(cell)}</td>'


def _address(path: Path) -> str:
    """Return a link to a file: relative where it can be, as a notebook's server knows no other."""
    here = Path.cwd()
    whole = path.resolve()
    return quote(str(whole.relative_to(here))) if whole.is_relative_to(here) else whole.as_uri()


def _html(text: str) -> str:
    return escape(naming.visible(text))
