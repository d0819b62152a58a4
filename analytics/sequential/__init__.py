"""Evidence that may be looked at any time: e-processes, confidence sequences and e-BH. Pure functions of arrays."""
