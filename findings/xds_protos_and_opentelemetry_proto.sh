#!/usr/bin/env bash
# xds-protos 1.85.0, opentelemetry-proto 1.45.2, opentelemetry-exporter-otlp-proto-http 1.45.2, Python 3.11.
#
# Both xds-protos and opentelemetry-proto install opentelemetry/proto/common/v1/common_pb2.py and its neighbours, of different
# versions of the schema; pip reports no conflict. With xds-protos installed last the OTLP exporter cannot be imported, and
# uninstalling xds-protos leaves opentelemetry-proto, which pip still lists, without these files.
# Expected: the order of installation does not matter.
#
# Output seen:
#   xds-protos first: exporter imported
#   xds-protos last: ImportError, cannot import name 'InstrumentationScope'
#   xds-protos uninstalled: opentelemetry-proto 1.45.2 is listed, common_pb2.py is missing
#
# Runs without this project: installs pinned packages into a temporary folder, and exits with 1 when the output differs.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
pip() { "$work/venv/bin/pip" --quiet --disable-pip-version-check "$@"; }

import_exporter() {
  "$work/venv/bin/python" - <<'P'
try:
    from opentelemetry.exporter.otlp.proto.http import trace_exporter  # noqa: F401
except ImportError as error:
    print("ImportError,", str(error).partition(" from ")[0])
else:
    print("exporter imported")
P
}

pip install xds-protos==1.85.0
pip install opentelemetry-exporter-otlp-proto-http==1.45.2 opentelemetry-proto==1.45.2
output="xds-protos first: $(import_exporter)"
pip install --force-reinstall --no-deps xds-protos==1.85.0
output+=$'\n'"xds-protos last: $(import_exporter)"
pip uninstall --yes xds-protos
listed=$("$work/venv/bin/python" -c 'import importlib.metadata as m; print(m.version("opentelemetry-proto"))')
file=$(find "$work/venv" -path '*opentelemetry/proto/common/v1/common_pb2.py')
output+=$'\n'"xds-protos uninstalled: opentelemetry-proto $listed is listed, common_pb2.py is ${file:+there}${file:-missing}"
echo "$output"
[ "$output" = "xds-protos first: exporter imported
xds-protos last: ImportError, cannot import name 'InstrumentationScope'
xds-protos uninstalled: opentelemetry-proto 1.45.2 is listed, common_pb2.py is missing" ]
