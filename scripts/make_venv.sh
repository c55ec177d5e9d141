#!/bin/sh
# Make .venv from constraints.txt with the first Python 3.11 to 3.13 that can make one.
set -eu
for python in "${PYTHON:-}" python3.13 python3.12 python3.11 python3 python; do
    [ -n "$python" ] || continue
    "$python" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
        2>/dev/null || continue
    echo "making .venv with $("$python" --version); 3.1 GB, 2 minutes or more as the network is"
    "$python" -m venv --clear .venv
    bar=on  # pip shows what it fetches; a bar in a log would be thousands of lines
    [ -t 1 ] || bar=off
    .venv/bin/python -m pip install --progress-bar "$bar" --disable-pip-version-check \
        --constraint constraints.txt --editable '.[dev]'
    exit 0
done
echo "error: python: expected Python 3.11 to 3.13 with venv; received none on the PATH;" \
    "try installing python3 and python3-venv, or PYTHON=/path/to/python make install" >&2
exit 2
