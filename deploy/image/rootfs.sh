#!/usr/bin/env bash
# Makes the root file system of the image: rootfs.sh WHEEL ROOT [ARCHITECTURE]
#
# It contains packages of Debian 12 without their installation scripts, Python, the wheel and its dependencies: no shell, no package
# manager. Nothing of ROOT is executed, so every architecture can be built on every other. The Dockerfile and the tests run this
# script. It needs mmdebstrap, and Python 3.11 with pip, the version of Debian 12, for the bytecode.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
usage="usage: rootfs.sh WHEEL ROOT [ARCHITECTURE]"
wheel=${1:?$usage} root=${2:?$usage} architecture=${3:-$(dpkg --print-architecture)}
python=${PYTHON:-python3}
packages=python3.11-minimal,libpython3.11-stdlib,ca-certificates,base-files,libstdc++6
user=65532 # as in distroless images: no user of a node has this number

case $architecture in
amd64) machine=x86_64 ;;
arm64) machine=aarch64 ;;
*) echo "rootfs.sh: architecture $architecture is not supported: use amd64 or arm64" >&2; exit 2 ;;
esac
"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
  { echo "rootfs.sh: $python is not Python 3.11: set PYTHON=/path/to/python3.11" >&2; exit 2; }
command -v mmdebstrap >/dev/null || { echo "rootfs.sh: mmdebstrap is missing: apt-get install mmdebstrap" >&2; exit 2; }
[ ! -e "$root" ] || { echo "rootfs.sh: $root exists: remove it first" >&2; exit 2; }

# The packages' control files, by which scanners of images identify their versions.
# shellcheck disable=SC2016  # the hook expands them
hook='mkdir -p "$1/var/lib/dpkg/status.d" && for deb in "$1"/var/cache/apt/archives/*.deb; do
  dpkg-deb --field "$deb" >"$1/var/lib/dpkg/status.d/$(dpkg-deb --field "$deb" Package)"; done'
mmdebstrap --quiet --mode=root --variant=extract --format=directory --architectures="$architecture" \
  --include="$packages" --extract-hook="$hook" bookworm "$root"

# What the installation scripts of ca-certificates and base-files would do.
find "$root/usr/share/ca-certificates" -name '*.crt' -print0 | LC_ALL=C sort -z | xargs -0 cat >"$root/etc/ssl/certs/ca-certificates.crt"
printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:%s:%s:nonroot:/nonexistent:/sbin/nologin\n' $user $user >"$root/etc/passwd"
printf 'root:x:0:\nnonroot:x:%s:\n' $user >"$root/etc/group"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"

# Packages that others depend on for their installation only, documents except licenses, and what a build leaves.
(cd "$root/usr/share" && find doc -type f ! -name copyright -delete && find doc -type d -empty -delete &&
  rm -rf bash-completion bug debconf dpkg gcc info lintian locale man menu perl perl5 pixmaps polkit-1 readline ca-certificates)
(cd "$root/usr/bin" && find . -mindepth 1 ! -name python3.11 -delete)
rm -rf "$root"/usr/{sbin,lib/dpkg,lib/"$machine"-linux-gnu/perl*,lib/"$machine"-linux-gnu/gconv,games,include,src} \
  "$root"/{bin,sbin}/* "$root"/var/{cache,log,backups,spool,lock,run,local,mail,opt} "$root"/var/lib/{apt,pam,dpkg/info} \
  "$root"/dev/* "$root"/boot "$root"/lib/{systemd,udev} "$root"/etc/{apt,cron.daily,debconf.conf,dpkg,logrotate.d,update-motd.d,resolv.conf,hostname,issue,issue.net,motd}
ln -s python3.11 "$root/usr/bin/python3"

# Python: exactly the dependencies whose hashes are listed, then the wheel.
site=$root/usr/local/lib/python3.11/dist-packages
platforms=()
for tag in manylinux_2_28 manylinux_2_27 manylinux_2_26 manylinux_2_24 manylinux_2_17 manylinux2014 manylinux_2_12 manylinux2010 \
  manylinux_2_5 manylinux1 linux; do
  platforms+=(--platform "${tag}_$machine")
done
install=("$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --upgrade --no-deps --no-compile --target "$site" --only-binary=:all:
  --python-version 3.11 --implementation cp "${platforms[@]}")
env -u PIP_CONSTRAINT "${install[@]}" --require-hashes --requirement "$here/requirements.txt"
env -u PIP_CONSTRAINT "${install[@]}" --no-index "$wheel"
rm -rf "$site/bin"
mkdir -p "$root/usr/local/bin"
for command in steerway kubectl-steerway; do
  printf '#!/usr/bin/python3.11\nimport sys\nfrom steerway.cli import main\nsys.exit(main())\n' >"$root/usr/local/bin/$command"
  chmod 755 "$root/usr/local/bin/$command"
done

# Bytecode of everything, since the root file system is read-only where it runs: a start without compiles for seconds. Hashes
# instead of times, which layers of images do not keep exactly; they are not checked, since nothing can change.
(cd "$root" && "$python" -m compileall -q --invalidation-mode unchecked-hash -s "$PWD" -p / usr/lib/python3.11 usr/local/lib)
find "$root" -depth -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH:-0}" {} +
