#!/bin/sh
# Gives devices access to the broker: deploy/mosquitto/add-device.sh ID [ID ...]
# Ids from a file, one a line:        deploy/mosquitto/add-device.sh - < ids.txt
# Takes it away:                      deploy/mosquitto/add-device.sh --remove ID [ID ...]
# Prints "id <tab> password" for each; the passwords are not shown again. Devices also need the file of the authority:
#   docker compose run --rm --no-deps -T --entrypoint cat init /secrets/authority/ca.crt > ca.crt
set -eu
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || { sed -n '2,6s/^# //p' "deploy/mosquitto/add-device.sh" >&2; exit 2; }
docker compose run --rm --no-deps -T --entrypoint python init /opt/hearthwatch/init/add_devices.py "$@"
docker compose kill -s HUP mosquitto >/dev/null # reads the passwords again; connections stay
