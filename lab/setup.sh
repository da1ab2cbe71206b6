#!/bin/sh
# Makes .venv with everything pinned in requirements.txt. A fresh Debian has python3 without pip and ensurepip:
# the virtual environment is then made bare, and pip is run from the wheel in Debian's python3-pip-whl package,
# unpacked into .tools (lab/debs.sh). Nothing is installed on the system.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
venv=${VENV:-.venv}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "probe needs Python 3.11 or newer; '$python' is $("$python" -V 2>&1). Name another one: make PYTHON=python3.12" >&2
    exit 1
}

rm -rf "$venv"
if "$python" -c 'import ensurepip' 2>/dev/null && "$python" -m venv "$venv"; then
    pip="$venv/bin/python -m pip"
else
    rm -rf "$venv"
    "$python" -m venv --without-pip "$venv"
    sh lab/debs.sh python3-pip-whl
    pip="$venv/bin/python $(ls .tools/python3-pip-whl/usr/share/python-wheels/pip-*.whl)/pip"
fi
$pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
$pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
touch "$venv/ready"
