"""Hearthwatch: predictive maintenance for makers of smart-home devices."""

__version__ = "0.1.0"
