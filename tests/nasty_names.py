"""Names as an attacker would choose them."""

NASTY = (
    "a\rb", "a\nb", "a\r\nb", "\tlead", "\rlead", "a\x0bb", "a\x0cb", "a\x1cb", "a\x1eb",
    "esc\x1b[31mred", "\x1b]8;;http://x\x07link", "bel\x07", "del\x7f", "nel\x85", "csi\x9b31m",
    "ls\u2028x", "ps\u2029x", "rlo\u202egnp", "lri\u2066x", "rlm\u200f", "lone\udcff", "\ufffe",
    'quote"x', '"', "'", "''", "'apos", "''two", "'=x", " lead", "trail ", "=cmd|' -C calc'!A0",
    "+1", "-1", "@x", "＝1+1", "comma,semi;pipe|", "x" * 240, "emoji😀👩‍🔬", "[bold]b[/bold]",
    ":smile:", r"\x1b", r"\\x1b", r"\u202e", "back\\slash", "\\\x1b", r"\x1", "<script>", "NaN",
    "é", "e\u0301", "",
)  # fmt: skip
# fmt: skip
