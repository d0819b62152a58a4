#!/bin/sh
# Builds the InfluxDB 2 server that the tests start: no package registry carries a binary of it, but its Go module builds with the
# ordinary clients. The result lies in the cache of the user; nothing is written beside the sources. Prints what it did.
set -eu

here="$(cd "$(dirname "$0")" && pwd)"
module=github.com/influxdata/influxdb/v2
version="$(awk -v module="$module" '$1 == module && $2 ~ /^v/ { print substr($2, 2); exit }' "$here/go.mod")"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/hearthwatch"
target="$cache/influxd-$version"

say() { echo "services: $*"; }
fail() { echo "services: $*" >&2; exit 1; }

if [ -x "$target" ] && "$target" version >/dev/null 2>&1; then
    say "influxd $version is here: $target"
    exit 0
fi

# -- what the build needs
missing=""
go version >/dev/null 2>&1 || missing="$missing, go (1.23 or later, https://go.dev/dl)"
cargo --version >/dev/null 2>&1 || missing="$missing, cargo (a stable Rust, https://rustup.rs)"
"${CC:-cc}" --version >/dev/null 2>&1 || missing="$missing, a C compiler (Debian: gcc and libc6-dev)"
if [ -n "$missing" ]; then
    fail "influxd $version is built from source, and here is no ${missing#, }"
fi
go_version="$(go env GOVERSION)"
case "$go_version" in
    go1.[0-9] | go1.[0-9].* | go1.1[0-9]* | go1.2[0-2]*) fail "influxd $version needs Go 1.23 or later, this is $go_version" ;;
esac

mkdir -p "$cache"
work="$(mktemp -d "$cache/influxd-build.XXXXXX")"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cp "$here/go.mod" "$here/go.sum" "$here/tools.go" "$work/"

# Its Rust part denies warnings that newer compilers have added. RUSTFLAGS does not reach all of it, a wrapper does.
printf '#!/bin/sh\nexec "$@" --cap-lints=allow\n' > "$work/rustc-wrapper"
chmod +x "$work/rustc-wrapper"

# It also pins an old Rust toolchain, which rustup would try to fetch: take the one that is in use here.
if [ -z "${RUSTUP_TOOLCHAIN:-}" ] && command -v rustup >/dev/null 2>&1; then
    RUSTUP_TOOLCHAIN="$(cd "$work" && rustup show active-toolchain | awk '{ print $1; exit }')"
    export RUSTUP_TOOLCHAIN
fi

say "building influxd $version with $go_version and $(cd "$work" && cargo --version); this takes some minutes"
started="$(date +%s)"
cd "$work"
export GOFLAGS="-mod=readonly -buildvcs=false" RUSTC_WRAPPER="$work/rustc-wrapper"
build() {
    GOBIN="$work" go install github.com/influxdata/pkg-config &&
        PKG_CONFIG="$work/pkg-config" go build -tags 'sqlite_foreign_keys,sqlite_json' -trimpath -ldflags '-s -w' \
            -o "$work/influxd" "$module/cmd/influxd"
}
if ! build > "$work/log" 2>&1; then
    tail -n 40 "$work/log" >&2
    fail "influxd $version could not be built (the last lines are above; a module or crate that cannot be fetched needs a way to the Go module proxy and crates.io)"
fi
"$work/influxd" version >/dev/null
mv "$work/influxd" "$target" # in one step: whoever else builds at this moment sees a whole program or none
say "influxd $version is built in $(($(date +%s) - started)) s: $target"
