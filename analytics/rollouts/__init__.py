"""The release gate: what became of the devices of each wave, and whether the next one opens."""
