"""Give devices a user and a password at the broker. A device that has one gets a new one, and the old one ends.

Prints one line for each device: its id, a tab, its password. This is the only time the password is seen.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from passwords import entry, fresh_password, known_users, write_users
from places import DEVICE_ID, HEALTH_USER, PLATFORM_USER, ROOT, Places


def main() -> None:
    """Read ids from the command line, or one on each line of standard input where it is "-"."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ids", nargs="+", help='Device ids, or "-" to read them from standard input.')
    parser.add_argument("--root", type=Path, default=ROOT)
    parser.add_argument("--remove", action="store_true", help="Take their access away instead.")
    arguments = parser.parse_args()
    ids = [line.strip() for line in sys.stdin if line.strip()] if arguments.ids == ["-"] else arguments.ids
    for device in ids:
        if not DEVICE_ID.fullmatch(device) or device in {PLATFORM_USER, HEALTH_USER}:
            raise SystemExit(f"add-device: {device!r} cannot be a device's id (letters, digits, . _ - , at most 64)")
    places = Places(arguments.root)
    users = known_users(places)
    if not users:
        raise SystemExit("add-device: there are no passwords yet; start the platform first: docker compose up -d")
    for device in ids:
        if arguments.remove:
            users.pop(device, None)
            continue
        password = fresh_password()
        users[device] = entry(device, password)
        sys.stdout.write(f"{device}\t{password}\n")
    write_users(places, users)


if __name__ == "__main__":
    main()
