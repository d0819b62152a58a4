"""Measures on this machine: every figure beside a reference that ran in the same minutes."""
