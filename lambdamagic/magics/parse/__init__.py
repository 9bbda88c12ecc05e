"""The text of the magics: options, loops, and a cell's Python."""
