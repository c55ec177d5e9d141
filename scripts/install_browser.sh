#!/bin/sh
# Install Debian's Chromium, in which the tests open the pages that tfcnn writes. Does nothing where
# there is one. Needs apt, and root or sudo: the only thing here that changes the system.
set -eu
for name in chromium chromium-browser; do
    if found=$(command -v "$name"); then
        echo "$found is here: nothing to do"
        exit 0
    fi
done
if ! command -v apt-get >/dev/null; then
    echo "error: apt-get: expected Debian's or Ubuntu's package manager; received none;" \
        "try installing Chromium by other means, so that chromium is on the PATH" >&2
    exit 2
fi
as_root=""
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "error: apt-get: expected root or sudo; received neither; try running this as root" >&2
        exit 2
    fi
    as_root="sudo"
fi
echo "installing the package chromium with apt-get; about 300 MB"
$as_root apt-get update --quiet=2
DEBIAN_FRONTEND=noninteractive $as_root apt-get install --quiet=2 --yes --no-install-recommends chromium
