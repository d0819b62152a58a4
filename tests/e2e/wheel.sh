#!/bin/sh
# Installs the newest wheel of dist/ into an empty environment and plays the demo from a folder that is not the checkout.
set -eu
here="$(cd "$(dirname "$0")/../.." && pwd)"
wheel="$(ls -t "$here"/dist/hearthwatch-*.whl | head -n 1)"
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT

"${PYTHON:-python3}" -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$here/requirements/runtime.txt"
"$place/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "$wheel"

# The stages have generic names: none of them may have become a top-level package.
for stage in ingest analytics alerts api device_sim; do
    if ls -d "$place"/venv/lib/python3*/site-packages/"$stage" >/dev/null 2>&1; then
        echo "wheel: $stage lies in site-packages" >&2
        exit 1
    fi
done

mkdir "$place/elsewhere"
cd "$place/elsewhere"
"$place/venv/bin/hearthwatch" --version
"$place/venv/bin/hearthwatch" demo --once --json ${WHEEL_DEMO_ARGS:-}
