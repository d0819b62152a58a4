"""Give devices access to the broker: a user with a password, or a client certificate. A device that has a password gets a new one, and
the old one ends.

Prints one line for each device: its id, a tab, its password; with --certificate the key and the certificate in PEM after it. This is the
only time they are seen.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from passwords import entry, fresh_password, known_users, write_users
from places import ROOT, Places

from hearthwatch.errors import Invalid
from hearthwatch.run.credentials import check_user
from hearthwatch.run.device_certificates import make_certificate


def main() -> None:
    """Read ids from the command line, or one on each line of standard input where it is "-"."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ids", nargs="+", help='Device ids, or "-" to read them from standard input.')
    parser.add_argument("--root", type=Path, default=ROOT)
    parser.add_argument("--remove", action="store_true", help="Take their passwords away instead.")
    parser.add_argument("--certificate", action="store_true", help="Make a client certificate instead of a password.")
    parser.add_argument("--bridge", action="store_true", help="They speak for the devices behind them (zigbee2mqtt).")
    arguments = parser.parse_args()
    ids = [line.strip() for line in sys.stdin if line.strip()] if arguments.ids == ["-"] else arguments.ids
    for device in ids:
        try:
            check_user(device, bridge=arguments.bridge)
        except Invalid as error:
            raise SystemExit(f"add-device: {error}: it cannot be a device's id") from None
    places = Places(arguments.root)
    if not known_users(places):
        raise SystemExit("add-device: there are no passwords yet; start the platform first: docker compose up -d")
    if arguments.certificate:
        _certificates(places, ids)
    else:
        _passwords(places, ids, remove=arguments.remove)


def _passwords(places: Places, ids: list[str], *, remove: bool) -> None:
    users = known_users(places)
    for device in ids:
        if remove:
            users.pop(device, None)
            continue
        password = fresh_password()
        users[device] = entry(device, password)
        sys.stdout.write(f"{device}\t{password}\n")
    write_users(places, users)


def _certificates(places: Places, ids: list[str]) -> None:
    for device in ids:
        try:
            made = make_certificate(device, places.root / "authority")
        except Invalid as error:
            raise SystemExit(f"add-device: {error}") from None
        sys.stdout.write(f"{device}\n{made.key}{made.certificate}")


if __name__ == "__main__":
    main()
