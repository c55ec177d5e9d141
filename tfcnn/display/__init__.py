"""How a value is shown: in a line, in a terminal and in a notebook."""
