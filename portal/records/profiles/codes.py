"""Code lists of a profile: codes, their names, and the words that files in the field carry instead.

Files are compared by meaning: `meaning` gives the code for a code or, in a list that is read by word, one of its
words; None for anything else.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LONGEST_WORD = 200
MEMORY = 1024


def fold(word: str) -> str:
    """Case, outer and doubled spaces do not matter in words; diacritics do."""
    return " ".join(unicodedata.normalize("NFC", word).casefold().split())


@dataclass(frozen=True, slots=True)
class Code:
    code: str
    title: str
    words: tuple[str, ...]
    facts: Mapping[str, Any]  # whatever else the list says of a code: grades, levels, tested …

    def members(self, fact: str) -> frozenset[str]:
        return frozenset(self.facts.get(fact, ()))


class CodeList:
    """One list, closed: what is not in it has no meaning."""

    def __init__(
        self, key: str, title: str, codes: Mapping[str, Code], *, by_word: bool = False, shown_as_code: bool = False
    ) -> None:
        self.key = key
        self.title = title
        self.shown_as_code = shown_as_code  # on the form: the name stands beside it anyway
        self.codes = codes
        self._exact: dict[str, str] = {code: code for code in codes}
        self._words: dict[str, str] = {}
        for code in codes.values() if by_word else ():
            for word in (code.title, *code.words):
                self._exact.setdefault(word, code.code)
                self._words.setdefault(fold(word), code.code)
        # One look for all that is known: codes, and what was asked before and is none (marks are asked at every row).
        self._known: dict[str | None, str | None] = {None: None}
        self._known.update(self._exact)
        self._room = len(self._known) + MEMORY  # holds no names of persons, and is bounded

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and self.meaning(text) is not None

    def meaning(self, text: str | None) -> str | None:
        try:
            return self._known[text]
        except KeyError:
            return self._folded(text) if text is not None else None

    def _folded(self, text: str) -> str | None:
        """The meaning of a text that was not asked before; remembered while there is room."""
        if len(text) > LONGEST_WORD:
            return None
        found = self._words.get(fold(text))
        if len(self._known) < self._room:
            self._known[text] = found
        return found

    def title_of(self, text: str) -> str:
        """The word to show for a code or a word; the text itself when it means nothing."""
        code = self.meaning(text)
        return self.codes[code].title if code is not None else text

    @property
    def spellings(self) -> frozenset[str]:
        return frozenset(self._exact)

    def with_fact(self, fact: str) -> frozenset[str]:
        return frozenset(code for code, entry in self.codes.items() if entry.facts.get(fact))
