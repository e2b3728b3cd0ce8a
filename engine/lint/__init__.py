"""What cannot work, although the grammar allows it: the linter of definitions."""
