"""Suites of `hearthwatch evaluate`: how well the analytics do, on simulated fleets and on published data, beside what people use today."""
