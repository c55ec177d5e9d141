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
# what a page is drawn on
SURFACES = {"paper": "#fff", "grey": "#f6f8fa", "warm": "#fff7ef", "on-blue": "#fff"}
DARK_SURFACES = {"paper": "#14181d", "grey": "#1d2229", "warm": "#2a211a", "on-blue": "#10141a"}
DAY, NIGHT = COLOURS | SURFACES, DARK | DARK_SURFACES
