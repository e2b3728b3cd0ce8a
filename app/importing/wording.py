"""Comparing what people type: spaces and the case of letters carry no meaning.

Patterns know one sign, ``*`` for anything. A mapping holds no regular expressions: a bad one takes
for ever on the wrong cell, and few who write mappings read them.
"""

from __future__ import annotations


def tidy(text: str) -> str:
    """Without spaces at the ends, and single ones within; hard spaces and line breaks count too."""
    return " ".join(text.split())


def plain(text: str) -> str:
    """The form in which two spellings of the same thing are equal."""
    return tidy(text).casefold()


def fits(pattern: str, text: str) -> bool:
    """Whether all of ``text`` fits; takes time in proportion to the length of both, at worst."""
    first, *rest = plain(pattern).split("*")
    text = plain(text)
    if not rest:
        return text == first
    if not text.startswith(first):
        return False
    at = len(first)
    for part in rest[:-1]:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - at >= len(rest[-1]) and text.endswith(rest[-1])
