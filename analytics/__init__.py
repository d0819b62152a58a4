"""Readings in, findings out."""
