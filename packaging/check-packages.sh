#!/usr/bin/env bash
# Proves the Debian packages: builds them twice, lints them, and uses them on a fresh Debian 12 that
# boots in a container: installed, README.Debian followed to a delivered message, upgraded under
# login load, purged. For a release, by hand; some 20 minutes, mostly the compiler's.
#
# usage: sudo packaging/check-packages.sh [--debs DIR] [--root DIR] [--mirror URL] [STEP...]
#   --debs DIR    use the packages there instead of building them (then without step `twice`)
#   --root DIR    the unpacked Debian 12 that is copied for each container (made if it is not there;
#                 default build/check-packages/base)
#   --mirror URL  where debootstrap gets it (default http://deb.debian.org/debian)
#   STEP          of: build lint use modules upgrade tests twice rpm   (default: all, in this order)
#                 reprotest   (not by default: two more builds, the first of them on one core)
#
# Needs, besides the build dependencies of packaging/debian/control: debootstrap, devscripts,
# lintian, blhc, systemd-container; for `rpm` rpm and rpmlint; for `reprotest` that, with faketime,
# disorderfs, diffoscope-minimal and locales-all. Containers have no network but their own loopback.
# What they need is downloaded before, with apt's configuration of this machine.
set -euo pipefail
repo=$(cd "$(dirname "$0")/.." && pwd)
work=$repo/build/check-packages
base=$work/base
debs=
mirror=http://deb.debian.org/debian
steps=()
usage() { sed -n '2,18p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 64; }
while [[ $# -gt 0 ]]; do
  case $1 in
    --debs) debs=$(cd "${2:?--debs needs a folder}" && pwd); shift ;;
    --root) base=$2; shift ;;
    --mirror) mirror=$2; shift ;;
    build | lint | use | modules | upgrade | tests | twice | rpm | reprotest) steps+=("$1") ;;
    *) usage ;;
  esac
  shift
done
[[ ${#steps[@]} -gt 0 ]] || steps=(build lint use modules upgrade tests twice rpm)
[[ $EUID -eq 0 ]] || { echo "check-packages: debootstrap and containers need root" >&2; exit 77; }
mkdir -p "$work"

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'check-packages: %s\n' "$*" >&2; exit 1; }
readonly modules=(sasldb pam ldap pgsql mysql)
deb() { printf '%s\n' "$debs/$1"_[0-9]*_*.deb | head -n 1; }  # NAME: its file

# A Debian 12 and containers of it ------------------------------------------------------------------

# What the containers install, so that they need no network. Postfix and Exim exclude each other.
readonly wanted=(systemd systemd-sysv dbus postfix swaks ssl-cert ca-certificates python3
  libnet-ssleay-perl libdigest-hmac-perl logrotate sasl2-bin autopkgtest dpkg-dev)
readonly instead=(exim4-daemon-heavy swaks ssl-cert)

in_base() {
  DEBIAN_FRONTEND=noninteractive chroot "$base" "$@" >>"$work/apt.log" 2>&1 ||
    { tail "$work/apt.log"; fail "this failed in $base: $*"; }
}

# A minimal Debian 12 with systemd, made once.
bootstrap() {
  say "debootstrap of Debian 12 into $base"
  [[ -e $base/etc/debian_version ]] ||
    debootstrap --variant=minbase bookworm "$base" "$mirror" >"$work/debootstrap.log" ||
    { tail "$work/debootstrap.log"; fail "debootstrap failed"; }
  # Beside the release its updates; options of this machine's apt that concern fetching.
  cat >"$base/etc/apt/sources.list" <<SOURCES
deb $mirror bookworm main
deb $mirror bookworm-updates main
deb ${mirror%/debian}/debian-security bookworm-security main
SOURCES
  apt-config dump | grep -E '^Acquire::(http|https|Check|Retries)' >"$base/etc/apt/apt.conf.d/00machine" || true
  # Nothing is started in a chroot of this machine.
  printf '#!/bin/sh\nexit 101\n' >"$base/usr/sbin/policy-rc.d"
  chmod 755 "$base/usr/sbin/policy-rc.d"
  in_base apt-get update
  in_base apt-get install -y --no-install-recommends systemd systemd-sysv dbus
  rm -f "$base/usr/sbin/policy-rc.d"
  touch "$base/.complete"
}

# The base, and in its apt cache all that the containers will install: they have no network.
base_is_ready=no
make_base() {
  [[ $base_is_ready == no ]] || return 0
  [[ -e $base/.complete ]] || bootstrap
  cp /etc/resolv.conf "$base/etc/resolv.conf"
  local own
  own=$(for name in saslatch libsasl2-modules-saslatch "${modules[@]/#/saslatch-}"; do dpkg-deb -f "$(deb "$name")" Depends Pre-Depends; done |
    sed 's/^[A-Za-z-]*: //' | tr ',' '\n' | sed 's/|.*//; s/(.*//; s/ //g' | sort -u | grep -v '^saslatch')
  in_base apt-get update
  # shellcheck disable=SC2086  # a list of names
  in_base apt-get install -y -d --no-install-recommends "${wanted[@]}" $own
  in_base apt-get install -y -d --no-install-recommends "${instead[@]}"
  rm -f "$base/etc/resolv.conf"
  base_is_ready=yes
}

# NAME GUEST-SCRIPT: boots a copy of the base, runs the script in it as a service, shows its output,
# and returns its exit code.
container() {
  local root=$work/$1 script=$2 status
  rm -rf "$root"
  cp -a --reflink=auto "$base" "$root"
  install -d "$root/check"
  cp "$debs"/*.deb "$root/check/"
  cp "$repo/packaging/check-packages-guest.sh" "$root/check/guest"
  echo 127.0.0.1 localhost mail.example.com >"$root/etc/hosts"
  echo mail.example.com >"$root/etc/hostname"
  cat >"$root/etc/systemd/system/check.service" <<UNIT
[Unit]
After=multi-user.target
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
Environment=DEBIAN_FRONTEND=noninteractive HOME=/root LC_ALL=C.UTF-8
ExecStart=/bin/bash /check/guest $script
StandardOutput=append:/check/log
StandardError=append:/check/log
TimeoutStartSec=900
UNIT
  ln -s /etc/systemd/system/check.service "$root/etc/systemd/system/multi-user.target.wants/"
  : >"$root/check/log"
  timeout 1000 systemd-nspawn --quiet -D "$root" --boot --register=no --keep-unit --private-network \
    --machine="saslatch-$1" --console=read-only >"$work/$1.console" 2>&1 </dev/null || true
  cat "$root/check/log"
  status=$(cat "$root/check/status" 2>/dev/null || echo "it did not end")
  [[ $status == 0 ]] || fail "$1: $status; see $root/check/log and $work/$1.console"
  rm -rf "$root"
}

# Steps -----------------------------------------------------------------------------------------------

step_build() {
  [[ -n $debs ]] && return
  say "building the packages"
  rm -rf "$work/debs"
  # A compiler cache may help, but not rewrite paths: those in the debug information would be others.
  env -u CCACHE_BASEDIR -u CCACHE_NOHASHDIR \
    "$repo/packaging/build-deb.sh" --no-tests --output "$work/debs" >"$work/build.log" 2>&1 ||
    { tail -n 30 "$work/build.log"; fail "the build failed"; }
  debs=$work/debs
}

step_lint() {
  say "lintian"
  lintian --pedantic --display-experimental --display-info --fail-on error,warning \
    "$debs"/*.changes | grep -v '^N:'
  say "hardening"
  [[ -e $work/build.log ]] && blhc --bindnow --arch="$(dpkg --print-architecture)" "$work/build.log"
  local unpacked=$work/unpacked
  rm -rf "$unpacked"
  dpkg-deb -x "$(deb saslatch)" "$unpacked"
  dpkg-deb -x "$(deb libsasl2-modules-saslatch)" "$unpacked"
  hardening-check --quiet --nocfprotection --nofortify \
    "$unpacked/usr/sbin/saslatchd" "$unpacked/usr/bin/saslatch" || fail "not hardened"
  rm -rf "$unpacked"
}

step_use() { say "installed into a fresh Debian 12, README.Debian followed, purged"; make_base; container use use; }
# PACKAGE…: the same programs under a higher version: all that an upgrade does, without another build.
make_higher() {
  local higher=$work/higher version name
  version=$(dpkg-deb -f "$(deb saslatch)" Version)
  mkdir -p "$base/higher"
  for name in "$@"; do
    rm -rf "$higher"
    dpkg-deb -R "$(deb "$name")" "$higher"
    sed -i "s/^Version: .*/&+higher1/; s/saslatch (= $version)/saslatch (= $version+higher1)/" \
      "$higher/DEBIAN/control"
    dpkg-deb --root-owner-group -b "$higher" "$base/higher/$name.deb" >/dev/null
  done
  rm -rf "$higher"
}
step_modules() {
  say "passdb modules: installed, used, upgraded with the daemon, purged"
  make_base
  make_higher saslatch "${modules[@]/#/saslatch-}"
  container modules modules
}
step_upgrade() {
  say "upgraded to a higher version under login load"
  make_base
  make_higher saslatch
  container upgrade upgrade
}
step_tests() {
  say "autopkgtest (DEP-8), inside of a container"
  make_base
  rm -rf "$base/source"
  mkdir "$base/source"
  dpkg-source --no-check -x "$debs"/*.dsc "$base/source/tree" >/dev/null
  container tests tests
  rm -rf "$base/source"
}

step_twice() {
  [[ -e $work/build.log ]] || fail "\`twice\` compares with a build of this script: leave --debs out"
  say "built a second time, elsewhere, without a compiler cache"
  local other=$work/elsewhere/for-the-second-time
  rm -rf "$work/elsewhere"
  mkdir -p "$other"
  (
    umask 0002
    env -u CMAKE_CXX_COMPILER_LAUNCHER -u CMAKE_C_COMPILER_LAUNCHER CCACHE_DISABLE=1 \
      TZ=Pacific/Kiritimati LC_ALL=C.UTF-8 HOME="$work/elsewhere" \
      "$repo/packaging/build-deb.sh" --no-tests --output "$other" >"$work/build-2.log" 2>&1
  ) || { tail -n 30 "$work/build-2.log"; fail "the second build failed"; }
  local file
  for file in "$debs"/*.deb; do
    cmp "$file" "$other/${file##*/}" || fail "${file##*/} differs: diffoscope $file $other/${file##*/}"
    echo "identical: ${file##*/}"
  done
  rm -rf "$work/elsewhere"
}

# Debian's own tool: path, file order, time, kernel name, processors, locale, time zone, umask, home,
# host name and environment differ. Not varied: the user, for which reprotest calls sudo in a way that
# Debian 12's no longer takes (`-h localhost`, since the update for CVE-2025-32462).
step_reprotest() {
  say "reprotest"
  local log=$work/reprotest.log
  env -u CMAKE_CXX_COMPILER_LAUNCHER -u CMAKE_C_COMPILER_LAUNCHER CCACHE_DISABLE=1 \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    DEB_BUILD_PROFILES=nocheck DEB_BUILD_OPTIONS=nocheck \
    reprotest --verbosity 1 --variations=+all,-user_group "$debs"/*.dsc -- null >"$log" 2>&1 ||
    { tail -n 60 "$log"; fail "reprotest: see $log"; }
  grep -o 'build "experiment-1".*' "$log"
  sed -n '/^Reproduction successful/,$p' "$log"
}

step_rpm() {
  say "rpm"
  "$repo/packaging/build-rpm.sh" --output "$work/rpm" >"$work/rpm.log" 2>&1 ||
    { tail -n 30 "$work/rpm.log"; fail "the rpm build failed"; }
  local package
  for package in "$work"/rpm/*.rpm; do
    echo "${package##*/}"
    rpm -qlp "$package" | sed 's/^/  /'
  done
  rpmlint --config "$repo/packaging/rpm/rpmlintrc.toml" "$work"/rpm/*.rpm "$repo/packaging/rpm/saslatch.spec"
}

# What ran, how long it took, and where it ended.
step=
began=$SECONDS
lines=()
summary() {
  local status=$?
  [[ -z $step ]] || lines+=("$(printf '%-10s %5d s  FAILED' "$step" $((SECONDS - began)))")
  printf '\n%s%s\n' "saslatch $(dpkg-parsechangelog -l "$repo/packaging/debian/changelog" -S Version)" \
    "$(git -C "$repo" log -1 --format=', commit %h' 2>/dev/null || true)"
  printf '%s\n' "${lines[@]}"
  exit "$status"
}
trap summary EXIT
for step in "${steps[@]}"; do
  began=$SECONDS
  if [[ $step != build && $step != rpm && -z $debs ]]; then
    [[ -e $work/debs ]] || step_build
    debs=$work/debs
  fi
  "step_$step"
  lines+=("$(printf '%-10s %5d s  passed' "$step" $((SECONDS - began)))")
done
step=
