#!/usr/bin/env bash
# Installs the Debian packages that the cluster tests need, unless they are there: ip (network namespaces) and openssl (keys).
set -euo pipefail
declare -A package=([ip]=iproute2 [openssl]=openssl)
missing=()
for command in "${!package[@]}"; do
  command -v "$command" >/dev/null || missing+=("${package[$command]}")
done
[ ${#missing[@]} -gt 0 ] || exit 0
case ",${TEST_WITHOUT:-}," in *,kubernetes,*) exit 0 ;; esac
if ! command -v apt-get >/dev/null; then
  echo "debian.sh: no apt-get here: install ${missing[*]} with this system's packages, or leave the ring out with TEST_WITHOUT=kubernetes" >&2
  exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "debian.sh: not root: run 'sudo apt-get install ${missing[*]}', or leave the ring out with TEST_WITHOUT=kubernetes" >&2
  exit 1
fi
echo "debian.sh: installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
