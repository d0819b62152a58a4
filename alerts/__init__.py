"""Findings in, notices and tickets out."""
