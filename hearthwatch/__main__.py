"""The ``hearthwatch`` command."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    """Find the stages, then run the command line."""
    # In the wheel the stages lie beside this file, so that their generic names do not enter site-packages.
    stages = Path(__file__).resolve().parent / "_stages"
    if stages.is_dir() and str(stages) not in sys.path:
        sys.path.insert(0, str(stages))
    from hearthwatch.run.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
