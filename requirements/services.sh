#!/bin/sh
# Installs the servers the tests talk to: Mosquitto, and Chromium for the page tests. The tests start their own copies.
set -eu

if [ "$(id -u)" = 0 ]; then as_root=""; else as_root="sudo"; fi
have() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }

missing=""
have mosquitto || missing="$missing mosquitto"
have chromium || missing="$missing chromium"
[ -e /usr/share/fonts/opentype/noto ] || missing="$missing fonts-noto-cjk"

if [ -n "$missing" ]; then
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "services: this machine has no apt-get; install by hand:$missing" >&2
        exit 1
    fi
    # Debian starts a packaged server at once; the tests want none but their own.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
        $as_root chmod +x "$policy"
        trap '$as_root rm -f "$policy"' EXIT
    fi
    $as_root apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

for program in mosquitto chromium; do
    if have "$program"; then echo "services: $program is here"; else echo "services: $program is missing" >&2; exit 1; fi
done
