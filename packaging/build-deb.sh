#!/usr/bin/env bash
# Builds the Debian packages of this source tree, as dpkg-buildpackage does it.
#
# usage: packaging/build-deb.sh [--output DIR] [--version VERSION] [--source-only] [--no-tests]
#   --output DIR       where the packages go (default: build/deb)
#   --version VERSION  another Debian version than the changelog's, such as 0.1.0-1~bpo12+1
#   --source-only      the source package only
#   --no-tests         skip the unit tests (DEB_BUILD_OPTIONS=nocheck)
#
# What is packed is what is committed (git archive of HEAD); outside of a git tree, all files. The
# build dependencies are those of packaging/debian/control: apt-get build-dep ./packaging, or
# packaging/install-deps.sh --packages.
set -euo pipefail
repo=$(cd "$(dirname "$0")/.." && pwd)
output=$repo/build/deb
version=
options=(-us -uc)
usage() { sed -n '2,12p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 64; }
while [[ $# -gt 0 ]]; do
  case $1 in
    --output) output=${2:?--output needs a folder}; shift ;;
    --version) version=${2:?--version needs a version}; shift ;;
    --source-only) options+=(-S) ;;
    --no-tests) export DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS:-} nocheck" DEB_BUILD_PROFILES=nocheck ;;
    *) usage ;;
  esac
  shift
done
command -v dpkg-buildpackage >/dev/null || { echo "build-deb: dpkg-buildpackage is missing: apt-get install dpkg-dev" >&2; exit 69; }

changelog=$repo/packaging/debian/changelog
version=${version:-$(dpkg-parsechangelog -l "$changelog" -S Version)}
upstream=${version%-*}
epoch=$(dpkg-parsechangelog -l "$changelog" -S Timestamp)
mkdir -p "$output"
output=$(cd "$output" && pwd)
work=$output/saslatch-$upstream
rm -rf "$work"
mkdir "$work"

# The same tree gives the same tar file, whoever packs it and when.
if git -C "$repo" rev-parse --git-dir >/dev/null 2>&1; then
  git -C "$repo" archive HEAD | tar -x -C "$work"
else
  tar -C "$repo" --exclude=./build --exclude=./.git -c . | tar -x -C "$work"
fi
tar -C "$output" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$epoch" \
  --mode=u+rw,go+r,go-w --format=gnu -c "saslatch-$upstream" | gzip -n9 \
  >"$output/saslatch_$upstream.orig.tar.gz"

cp -R "$work/packaging/debian" "$work/debian"
if [[ $version != "$(dpkg-parsechangelog -l "$changelog" -S Version)" ]]; then
  { sed "1s/(.*)/($version)/" <<'ENTRY'
saslatch (VERSION) unstable; urgency=medium

  * Built by packaging/build-deb.sh --version.

ENTRY
    printf ' -- %s  %s\n\n' "$(dpkg-parsechangelog -l "$changelog" -S Maintainer)" \
      "$(dpkg-parsechangelog -l "$changelog" -S Date)"
    cat "$changelog"
  } >"$work/debian/changelog"
fi
cd "$work"
dpkg-buildpackage "${options[@]}"
cd "$output"
rm -rf "$work"
ls -l "$output"/*"${version}"*.deb 2>/dev/null || ls -l "$output"/*.dsc
