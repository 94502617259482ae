#!/usr/bin/env bash
# Regenerates the committed Python of every contract: messages, gRPC stubs and types.
# Usage: protos/generate.sh [OUT]   (default: protos/src; CI passes a scratch folder and compares)
set -euo pipefail
cd "$(dirname "$0")"
out=$(realpath -m "${1:-src}")
python=${PYTHON:-python}
mkdir -p "$out"
mapfile -t files < <(find lumenmill -name '*.proto' | sort)
"$python" -m grpc_tools.protoc -I . -I third_party \
  --python_out="$out" --grpc_python_out="$out" --mypy_out="$out" --mypy_grpc_out="$out" "${files[@]}"
"$python" -m grpc_tools.protoc -I third_party --python_out="$out" --mypy_out="$out" third_party/buf/validate/validate.proto
"$python" -m grpc_tools.protoc -I third_party --python_out="$out" --grpc_python_out="$out" --mypy_out="$out" \
  --mypy_grpc_out="$out" third_party/keda/externalscaler.proto
# Files without a service get empty gRPC stubs; they would only be noise.
grep -L 'add_.*Servicer_to_server' $(find "$out/lumenmill" -name '*_pb2_grpc.py') | while read -r stub; do rm "$stub" "${stub}i"; done
find "$out/lumenmill" "$out/buf" "$out/keda" -type d -exec touch {}/__init__.py \;
touch "$out/lumenmill/py.typed"
