#!/usr/bin/env bash
# The build stage of the Dockerfile: build.sh ARCHITECTURE. Makes build/image/rootfs from the wheel in dist, or builds the wheel first.
set -euo pipefail
cd "$(dirname "$0")/../.."
architecture=${1:?usage: build.sh ARCHITECTURE}
case $architecture in
amd64) machine=x86_64 ;;
arm64) machine=aarch64 ;;
*) echo "build.sh: architecture $architecture is not supported: use amd64 or arm64" >&2; exit 2 ;;
esac
version=$(sed -n 's/^version = "\(.*\)"/\1/p' rust/Cargo.toml)
wheel=$(compgen -G "dist/steerway-$version-*-manylinux_2_28_$machine.whl" || true)
if [ -z "$wheel" ]; then
  target=$machine-unknown-linux-gnu
  [ "$machine" = "$(uname -m)" ] || rustup target add "$target"
  make wheel TARGET="$target"
  wheel=$(compgen -G "dist/steerway-$version-*-manylinux_2_28_$machine.whl")
fi
rm -rf build/image/rootfs
mkdir -p build/image
deploy/image/rootfs.sh "$wheel" build/image/rootfs "$architecture"
