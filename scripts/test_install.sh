#!/bin/sh
# Install tfcnn as a user does, without extras, and use it: train, evaluate, predict, report and
# others. Three times: the newest libraries that pyproject.toml allows, the lowest ones, and
# Python 3.13 where there is one. Each environment is made anew and removed: 2.5 GB for a while.
# sh scripts/test_install.sh [plain|lowest|newest-python] ...
set -eu
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset PYTHONPATH VIRTUAL_ENV  # nothing of another environment may help
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_PROGRESS_BAR=off

starts() {  # PYTHON CONDITION: whether it starts, makes environments and is of that version
    "$1" -c "import sys, venv, ensurepip; sys.exit(not ($2))" 2>/dev/null
}

find_python() {  # CONDITION: the first Python that is so, also among those that pyenv keeps
    for python in "${PYTHON:-}" python3.11 python3.12 python3.13 python3 \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[1-3].*/bin/python; do
        [ -n "$python" ] && starts "$python" "$1" && { echo "$python"; return; }
    done
    return 1
}

install() {  # NAME PYTHON PIP-ARGUMENTS...: a fresh environment; pip's own lines go to a file
    name=$1 python=$2
    shift 2
    echo "$name: installing with $("$python" --version); some minutes, 2.5 GB"
    rm -rf "$work/env"
    "$python" -m venv "$work/env"
    if ! "$work/env/bin/python" -m pip install "$@" "$root" >"$work/pip.log" 2>&1; then
        tail -n 40 "$work/pip.log" >&2
        echo "error: $name: expected pip to install; received an error, above" >&2
        exit 1
    fi
    "$work/env/bin/python" -m pip check
    echo "$name: $(du -sm "$work/env" | cut -f1) MB"
}

use() {  # NAME: every verb that needs no extra, on images that need no download
    rm -rf "$work/home"
    mkdir "$work/home"
    (
        cd "$work/home"
        export TFCNN_HOME="$work/home" PATH="$work/env/bin:$PATH"
        python "$root/tests/use_every_verb.py"
    )
    echo "$1: every verb ran"
}

[ $# -gt 0 ] || set -- plain lowest newest-python
for name; do
    case $name in
        plain) install "$name" "$(find_python '(3, 11) <= sys.version_info < (3, 14)')" ;;
        lowest)
            python=$(find_python '(3, 11) <= sys.version_info < (3, 12)') ||
                python=$(find_python '(3, 11) <= sys.version_info < (3, 14)')
            "$python" scripts/lowest_versions.py >"$work/lowest.txt"
            install "$name" "$python" --requirement "$work/lowest.txt"
            ;;
        newest-python)
            if ! python=$(find_python '(3, 13) <= sys.version_info < (3, 14)'); then
                echo "$name: skipped, for no Python 3.13 starts here"
                continue
            fi
            install "$name" "$python" --constraint constraints.txt
            ;;
        *)
            echo "error: $name: expected plain, lowest or newest-python; received another name;" \
                "try sh scripts/test_install.sh plain" >&2
            exit 2
            ;;
    esac
    use "$name"
done
