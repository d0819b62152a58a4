"""Survival baseline and cold start: Weibull lives by age alone, for parts that have failed too seldom for the boosted hazard."""
