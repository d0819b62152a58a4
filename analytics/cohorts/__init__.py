"""Is this release worse than what it replaced? Watched from the first device on; see docs/cohorts.md."""
