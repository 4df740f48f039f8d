#!/usr/bin/env bash
# Builds the rpm packages of this source tree from packaging/rpm/saslatch.spec.
#
# usage: packaging/build-rpm.sh [--output DIR] [--srpm-only]
#   --output DIR   where the packages go (default: build/rpm)
#   --srpm-only    the source package only
#
# What is packed is what is committed (git archive of HEAD); outside of a git tree, all files. Where
# the build dependencies are not rpm packages (a Debian with its package `rpm`), they are not asked
# for; then CMake says what is missing.
set -euo pipefail
repo=$(cd "$(dirname "$0")/.." && pwd)
output=$repo/build/rpm
what=-ba
while [[ $# -gt 0 ]]; do
  case $1 in
    --output) output=${2:?--output needs a folder}; shift ;;
    --srpm-only) what=-bs ;;
    *) sed -n '2,10p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 64 ;;
  esac
  shift
done
command -v rpmbuild >/dev/null || { echo "build-rpm: rpmbuild is missing (package rpm-build; in Debian rpm)" >&2; exit 69; }

spec=$repo/packaging/rpm/saslatch.spec
version=$(sed -n 's/^Version: *//p' "$spec")
mkdir -p "$output"
output=$(cd "$output" && pwd)
top=$output/rpmbuild
rm -rf "$top"
mkdir -p "$top"/{SOURCES,SPECS,BUILD,RPMS,SRPMS} "$top/tree/saslatch-$version"
if git -C "$repo" rev-parse --git-dir >/dev/null 2>&1; then
  git -C "$repo" archive HEAD | tar -x -C "$top/tree/saslatch-$version"
else
  tar -C "$repo" --exclude=./build --exclude=./.git -c . | tar -x -C "$top/tree/saslatch-$version"
fi
tar -C "$top/tree" --sort=name --owner=0 --group=0 --numeric-owner -c "saslatch-$version" |
  gzip -n9 >"$top/SOURCES/saslatch-$version.tar.gz"
cp "$spec" "$top/SPECS/"
foreign=()
[[ -e /etc/debian_version ]] && foreign=(--nodeps --define "debug_package %{nil}"
  --define "optflags -O2 -g -Wall -Werror=format-security -D_FORTIFY_SOURCE=2 -fstack-protector-strong"
  --define "_lib lib64" --define "_libdir /usr/lib64")
rpmbuild "$what" --define "_topdir $top" "${foreign[@]}" "$top/SPECS/saslatch.spec"
find "$top/RPMS" "$top/SRPMS" -name '*.rpm' -exec mv -t "$output" {} +
rm -rf "$top"
ls -l "$output"/*.rpm
