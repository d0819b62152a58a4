"""Health check of a role's container: ends with 0 when the process says that it can do its work."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

SECONDS = 4


def main() -> int:
    """Ask the role's own server on this machine."""
    url = f"http://127.0.0.1:{os.environ.get('HEARTHWATCH_PORT', '8080')}/readyz"
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            sys.stdout.write(answer.read(400).decode(errors="replace") + "\n")
            return 0
    except (OSError, urllib.error.URLError) as error:
        sys.stdout.write(f"{url}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
