#!/bin/sh
# Gives devices access to the broker: deploy/mosquitto/add-device.sh ID [ID ...]
# Ids from a file, one a line:        deploy/mosquitto/add-device.sh - < ids.txt
# A client certificate instead:       deploy/mosquitto/add-device.sh --certificate ID [ID ...]
# Zigbee2MQTT, which is a bridge:     deploy/mosquitto/add-device.sh --bridge zigbee2mqtt
# Takes it away:                      deploy/mosquitto/add-device.sh --remove ID [ID ...]
# Prints "id <tab> password" for each, or its key and certificate; they are not shown again. Devices also need the file of the authority:
#   docker compose run --rm --no-deps -T --entrypoint cat init /secrets/authority/ca.crt > ca.crt
# What to put into a device of each kind: docs/provisioning.md. The registry is told as well (hearthwatch device enroll --has-access).
set -eu
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || { sed -n '2,10s/^# //p' "deploy/mosquitto/add-device.sh" >&2; exit 2; }
printed=$(docker compose run --rm --no-deps -T --entrypoint python init /opt/hearthwatch/init/add_devices.py "$@")
docker compose kill -s HUP mosquitto >/dev/null # reads the passwords again; connections stay
[ -z "$printed" ] || printf '%s\n' "$printed"
case "$1" in
--remove)
  shift
  docker compose run --rm --no-deps -T jobs device revoke "$@" >/dev/null
  ;;
--bridge)
  shift
  docker compose run --rm --no-deps -T jobs device enroll --has-access --again --convention zigbee2mqtt "$@" >/dev/null
  ;;
*)
  printf '%s\n' "$printed" | awk -F '\t' 'NF == 2 {print $1} /^-----BEGIN PRIVATE KEY/ {print before} {before = $0}' |
    docker compose run --rm --no-deps -T jobs device enroll --has-access --again --from - >/dev/null
  ;;
esac
