#!/bin/sh
# Find a Python that is new enough, then let bootstrap.py fill .venv with it.
# usage: setup.sh runtime|otel|dev|clients        PYTHON=... in the environment says which interpreter to use.
set -eu
cd "$(dirname "$0")/.."

new_enough() {
    # Run it rather than trust its name: version managers put launchers on PATH for versions that are not there.
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for candidate in .venv/bin/python python3 python3.15 python3.14 python3.13 python3.12 python3.11; do
        if new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

if [ -n "${PYTHON:-}" ]; then
    if ! new_enough "$PYTHON"; then
        echo "PYTHON=$PYTHON is not a Python 3.11 or newer: $("$PYTHON" --version 2>&1 | head -n 1)" >&2
        exit 1
    fi
elif ! PYTHON=$(find_python); then
    found=$(python3 --version 2>/dev/null) || found="no python3"
    echo "Python 3.11 or newer is needed, but PATH has $found. Install it, or name one: PYTHON=/path/to/python3.12 make" >&2
    exit 1
fi
exec "$PYTHON" -I scripts/bootstrap.py "$@"
