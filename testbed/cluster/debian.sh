#!/usr/bin/env bash
# Installs the Debian packages that tests need, unless they are there: ip and nft (network namespaces, Services) and
# openssl (keys) for the ring "kubernetes", chromium for the ring "browser", gRPC for C++ for the ring "cpp", mmdebstrap
# for the ring "image", Prometheus and promtool for the ring "prometheus". Rings in TEST_WITHOUT need nothing.
set -euo pipefail
declare -A package=([ip]=iproute2 [nft]=nftables [openssl]=openssl [chromium]=chromium [mmdebstrap]=mmdebstrap [prometheus]=prometheus
  [c++]=g++ [cmake]=cmake [pkg-config]=pkg-config
  [grpc_cpp_plugin]="protobuf-compiler-grpc libgrpc++-dev libprotobuf-dev")
declare -A ring=([ip]=kubernetes [nft]=kubernetes [openssl]=kubernetes [chromium]=browser [mmdebstrap]=image [prometheus]=prometheus
  [c++]=cpp [cmake]=cpp [pkg-config]=cpp [grpc_cpp_plugin]=cpp)
missing=()
rings=()
for command in "${!package[@]}"; do
  command -v "$command" >/dev/null && continue
  case ",${TEST_WITHOUT:-}," in *,"${ring[$command]}",*) continue ;; esac
  read -ra packages <<<"${package[$command]}"
  missing+=("${packages[@]}")
  rings+=("${ring[$command]}")
done
[ ${#missing[@]} -gt 0 ] || exit 0
without="leave these tests out with TEST_WITHOUT=$(printf '%s\n' "${rings[@]}" | sort -u | paste -sd,)"
if ! command -v apt-get >/dev/null; then
  echo "debian.sh: no apt-get here: install ${missing[*]} with this system's packages, or $without" >&2
  exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "debian.sh: not root: run 'sudo apt-get install ${missing[*]}', or $without" >&2
  exit 1
fi
echo "debian.sh: installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
