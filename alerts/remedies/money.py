"""Sums of money in words. A sum is a whole number of the smallest unit of its currency."""

from __future__ import annotations

from decimal import Decimal

from babel.numbers import format_currency, get_currency_precision


def told(amount: int, currency: str, language: str) -> str:
    """A sum as readers of a language (a catalogue's name) write it: ``€49.00``, ``¥49.00``, ``JP¥4,900``."""
    precision = get_currency_precision(currency)
    return str(format_currency(Decimal(amount).scaleb(-precision), currency, locale=language))
