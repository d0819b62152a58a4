"""The time series."""
