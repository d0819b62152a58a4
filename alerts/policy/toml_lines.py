"""On which line of a TOML file each key stands: `tomllib` gives values without their places (https://toml.io/en/v1.0.0)."""

from __future__ import annotations

Place = tuple[str | int, ...]
"""The way to a value: keys, and numbers within arrays from 0."""


def lines_of(text: str) -> dict[Place, int]:
    """The line, from 1, of every table, key and array item of a text that is valid TOML."""
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.document()
    return scanner.found


def line_of(found: dict[Place, int], place: Place) -> int | None:
    """The line of a value, or of the nearest thing around it that has one."""
    for length in range(len(place), 0, -1):
        if place[:length] in found:
            return found[place[:length]]
    return None


class _Scanner:
    """Walks through the text once. It need not refuse anything: that was done before."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self._line = text, 0, 1
        self._tables: dict[Place, int] = {}
        self.found: dict[Place, int] = {}

    def document(self) -> None:
        table: Place = ()
        while self._next():
            if self._looking_at("[["):
                table = self._header(2)
            elif self._looking_at("["):
                table = self._header(1)
            else:
                self._pair(table)

    def _header(self, brackets: int) -> Place:
        self._skip(brackets)
        keys = self._keys()
        self._skip(brackets)
        place: Place = ()
        for number, key in enumerate(keys):
            place = (*place, key)
            self._note(place)
            is_last = number == len(keys) - 1
            if is_last and brackets == 2:
                self._tables[place] = self._tables.get(place, -1) + 1
            if place in self._tables:
                place = (*place, self._tables[place])
        self._note(place)
        return place

    def _pair(self, table: Place) -> None:
        place = table
        for key in self._keys():
            place = (*place, key)
            self._note(place)
        self._skip(1)  # =
        self._blanks()
        self._value(place)

    def _value(self, place: Place) -> None:
        if self._looking_at("["):
            self._array(place)
        elif self._looking_at("{"):
            self._inline(place)
        elif self._looking_at('"') or self._looking_at("'"):
            self._string()
        else:
            while not self._is_over() and self._text[self._at] not in ",]}#\n":
                self._skip(1)

    def _array(self, place: Place) -> None:
        self._skip(1)
        number = 0
        while self._next() and not self._looking_at("]"):
            if self._looking_at(","):
                self._skip(1)
                continue
            self._note((*place, number))
            self._value((*place, number))
            number += 1
        self._skip(1)

    def _inline(self, place: Place) -> None:
        self._skip(1)
        while self._next() and not self._looking_at("}"):
            if self._looking_at(","):
                self._skip(1)
                continue
            self._pair(place)
        self._skip(1)

    def _keys(self) -> list[str]:
        keys: list[str] = []
        while True:
            self._blanks()
            if self._looking_at('"') or self._looking_at("'"):
                keys.append(self._string())
            else:
                start = self._at
                while not self._is_over() and self._text[self._at] not in " \t.=]":
                    self._skip(1)
                keys.append(self._text[start : self._at])
            self._blanks()
            if not self._looking_at("."):
                return keys
            self._skip(1)

    def _string(self) -> str:
        """Skip a string; returns it where it is on one line and without escapes, as keys nearly always are."""
        quote = self._text[self._at]
        fence = quote * 3 if self._looking_at(quote * 3) else quote
        self._skip(len(fence))
        start = self._at
        while not self._is_over() and not self._looking_at(fence):
            self._skip(2 if quote == '"' and self._looking_at("\\") else 1)
        if fence != quote:  # up to two quotes more belong to a text in triple quotes
            while self._text[self._at + 3 : self._at + 4] == quote:
                self._skip(1)
        end = self._at
        self._skip(len(fence))
        return self._text[start:end]

    def _next(self) -> bool:
        """Go on to what is neither blank nor comment; False at the end."""
        while not self._is_over():
            if self._text[self._at] in " \t\n":
                self._skip(1)
            elif self._looking_at("#"):
                while not self._is_over() and self._text[self._at] != "\n":
                    self._skip(1)
            else:
                return True
        return False

    def _blanks(self) -> None:
        while not self._is_over() and self._text[self._at] in " \t":
            self._skip(1)

    def _looking_at(self, what: str) -> bool:
        return self._text.startswith(what, self._at)

    def _skip(self, many: int) -> None:
        self._line += self._text.count("\n", self._at, self._at + many)
        self._at += many

    def _is_over(self) -> bool:
        return self._at >= len(self._text)

    def _note(self, place: Place) -> None:
        self.found.setdefault(place, self._line)
