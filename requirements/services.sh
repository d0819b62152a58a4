#!/bin/sh
# Installs the real servers that the tests and the demo use: Mosquitto, PostgreSQL, Chromium with a Chinese font, and what checks the
# container and service files, from Debian's packages; InfluxDB 2 built from its source. None of them is started: the tests start
# copies of their own. A second run finds nothing to do.
set -eu

here="$(cd "$(dirname "$0")" && pwd)"
say() { echo "services: $*"; }
fail() { echo "services: $*" >&2; exit 1; }

# Debian keeps servers outside an ordinary user's PATH.
find_program() {
    command -v "$1" 2>/dev/null && return
    for place in /usr/sbin/"$1" /usr/lib/postgresql/*/bin/"$1"; do
        if [ -x "$place" ]; then echo "$place"; return; fi
    done
    return 1
}
have() { find_program "$1" >/dev/null; }

missing=""
have mosquitto || missing="$missing mosquitto"
have mosquitto_sub || missing="$missing mosquitto-clients"
have initdb || missing="$missing postgresql"
have chromium || missing="$missing chromium"
have shellcheck || missing="$missing shellcheck"
have systemd-analyze || missing="$missing systemd"
have openssl || missing="$missing openssl"
have curl || missing="$missing curl"
[ -e /usr/share/fonts/opentype/noto ] || missing="$missing fonts-noto-cjk"
missing="${missing# }"

install_packages() {
    command -v apt-get >/dev/null 2>&1 || fail "this machine has no apt-get; install by hand: $missing"
    as_root=""
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null 2>&1 || fail "neither root nor sudo; let an administrator install: $missing"
        as_root="sudo"
    fi
    log="$(mktemp)"
    policy=/usr/sbin/policy-rc.d
    trap 'rm -f "$log"; [ -z "${policy_is_ours:-}" ] || $as_root rm -f "$policy"' EXIT

    # Debian starts a packaged server at once; this file says no while we install.
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
        $as_root chmod +x "$policy"
        policy_is_ours=yes
    fi
    say "installing $missing"
    # A package server that does not answer is only a warning to "update"; "install" then knows whether it matters.
    $as_root apt-get update -qq -o Acquire::Retries=2 -o Acquire::http::Timeout=30 >"$log" 2>&1 || true
    # shellcheck disable=SC2086 # one word for each package
    if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o Acquire::Retries=2 -o Acquire::http::Timeout=30 $missing >>"$log" 2>&1; then
        tail -n 20 "$log" >&2
        fail "apt-get could not install $missing (its words are above; a package server that cannot be reached, or a package of another name on this system)"
    fi
}
[ -z "$missing" ] || install_packages

for program in mosquitto mosquitto_sub initdb chromium shellcheck systemd-analyze openssl curl; do
    have "$program" || fail "$program is missing although its package is installed"
    say "$program is here: $(find_program "$program")"
done

sh "$here/influxd/build.sh"
