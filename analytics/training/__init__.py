"""Hazards learned from what became of devices: `analytics.training.job.train`, once a week.

Nothing is imported here: who only reads models needs the names in them, and not what trains them.
"""
