#!/bin/sh
# Builds a wheel that carries the program, and tries it as a user would: a fresh virtual environment, `pip install` of that file alone,
# and a small study in an empty folder.
#
#     crates/metastable/wheel.sh [FOLDER [ARGUMENTS OF MATURIN...]]
#
# The wheel is left in FOLDER (default: target/wheels). It needs Rust, and a Python (3.8 or newer; `PYTHON` names another than python3).
# `MATURIN` names a maturin; without it, one is installed from PyPI into an environment that is removed at the end.
set -eu
repository="$(cd "$(dirname "$0")/../.." && pwd)"
python="${PYTHON:-python3}"
wheels="${1:-$repository/target/wheels}"
[ $# -eq 0 ] || shift
mkdir -p "$wheels"
wheels="$(cd "$wheels" && pwd)"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
maturin="${MATURIN:-}"
if [ -z "$maturin" ]; then
    "$python" -m venv "$work/build"
    "$work/build/bin/pip" install --quiet --disable-pip-version-check 'maturin>=1.16,<2'
    maturin="$work/build/bin/maturin"
fi

# From its own folder cargo reads .cargo/config.toml of the repository.
cd "$repository"
"$maturin" build --release --locked --manifest-path crates/metastable/Cargo.toml --out "$work/wheels" "$@"
wheel="$(echo "$work"/wheels/metastable-*.whl)"

"$python" -m venv "$work/user"
# Nothing but this file: a program that needed something else would not start.
"$work/user/bin/pip" install --quiet --disable-pip-version-check --no-index "$wheel"
mkdir "$work/empty"
cd "$work/empty"
PATH="$work/user/bin:$PATH"
export PATH
metastable --version
metastable guest --python > metastable_guest.py
metastable experiment --seeds 2 --set learner.outer_steps=20 --set test.episodes=20 --set validation.episodes=5
test -s runs/quick/report.html
mv "$wheel" "$wheels/"
echo "tried, and left in $wheels: $(basename "$wheel")"
