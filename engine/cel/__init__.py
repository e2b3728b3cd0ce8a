"""Conditions in CEL: read, typed and bounded before the library sees any of it."""
