#!/bin/sh
# Installs ner-distill on a machine with no network, from the wheels beside this file, into a fresh virtual environment.
#
#   sh install.sh [FOLDER]              FOLDER is ./ner-distill-env unless given
#   PYTHON=python3.12 sh install.sh     chooses the interpreter
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
env=${1:-ner-distill-env}
python=${PYTHON:-python3}

if [ -e "$env" ]; then
    echo "$env exists; give another folder: sh install.sh FOLDER" >&2
    exit 2
fi

# Nothing is installed before the manifest's checksums hold. -I: nor is a module run that lies about in the working folder.
"$python" -I - "$here" <<'CHECK'
import hashlib, json, pathlib, sys
here = pathlib.Path(sys.argv[1])
manifest = json.loads((here / "manifest.json").read_text(encoding="utf-8"))
listed = {name: row["sha256"] for name, row in manifest["files"].items() if name.startswith("wheels/")}
for name in sorted({*listed, *(f"wheels/{path.name}" for path in (here / "wheels").iterdir())}):
    path = here / name
    if name not in listed or not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != listed[name]:
        sys.exit(f"{path}: missing, damaged or not listed in manifest.json; copy the bundle again")
CHECK

"$python" -I -m venv "$env"
"$env/bin/python" -I -m pip --isolated install --quiet --disable-pip-version-check --no-cache-dir \
    --no-index --no-deps "$here"/wheels/*.whl
echo "installed; next: $env/bin/ner-distill selftest $here"
