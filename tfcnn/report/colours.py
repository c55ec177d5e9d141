"""The colours of every page and plot: those by day, and those in the dark."""

COLOURS = {
    "ink": "#1c2126",
    "muted": "#57606a",
    "line": "#d0d7de",
    "blue": "#0b5cad",  # the model, and what is right
    "orange": "#b3470b",  # errors, and what deserves a look
}
DARK = {
    "ink": "#e6e9ed",
    "muted": "#a3adb8",
    "line": "#3a424c",
    "blue": "#74b4f7",
    "orange": "#f2985c",
}
