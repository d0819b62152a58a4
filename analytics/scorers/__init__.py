"""Scores: higher is more abnormal."""
