#!/usr/bin/env bash
# Installs from apt what a Debian 12 needs to build saslatch, and nothing that is there already.
# No service is started, and no mail server of the machine is replaced.
#
# usage: packaging/install-deps.sh [--demo] [--tests]
#   --demo    also what packaging/quickstart.sh runs: Postfix and swaks
#   --tests   also what the tests run. Exim and chasquid would take the machine's port 25 or push
#             Postfix out, and others bring services: these are only unpacked, into
#             build/test-programs.
set -euo pipefail
repo=$(cd "$(dirname "$0")/.." && pwd)
programs=$repo/build/test-programs

build=(cmake ninja-build g++ pkg-config python3
  libboost-dev libboost-iostreams-dev libboost-program-options-dev libssl-dev libsodium-dev
  libcrypt-dev libdb-dev libldap-dev libmariadb-dev libpam0g-dev libpq-dev libsqlite3-dev libsystemd-dev libsasl2-dev
  libspdlog-dev libfmt-dev nlohmann-json3-dev
  libexpected-dev libhiredis-dev prometheus-cpp-dev)
demo=(postfix swaks openssl libnet-ssleay-perl libdigest-hmac-perl)
tests=(libgtest-dev libgmock-dev libbenchmark-dev mandoc dovecot-core gsasl
  systemd db5.3-util python3-prometheus-client
  iproute2  # hosts of their own on one machine
  redis-tools  # holds the server and the sentinel too, by another name, and starts neither
  libsasl2-modules-db  # saslpasswd2's own
  libnss-wrapper)  # Exim asks for the user Debian-exim by name; the wrapper spares the machine one
unpacked=(exim4-daemon-heavy chasquid sasl2-bin  # only Exim's "heavy" build knows driver = dovecot
  prometheus fail2ban apparmor logrotate  # promtool, and what else reads files of ours
  slapd ldap-utils cyrus-common cyrus-imapd cyrus-clients sendmail-bin sendmail-cf
  postgresql-15 postgresql-client-15 mariadb-server-core mariadb-client-core
  mariadb-client)  # mariadb-dump

fail() { printf 'install-deps: %s\n' "$@" >&2; exit 1; }

wanted=("${build[@]}")
with_tests=no
for option in "$@"; do
  case $option in
    --demo) wanted+=("${demo[@]}") ;;
    --tests) wanted+=("${demo[@]}" "${tests[@]}"); with_tests=yes ;;
    *) fail "unknown option '$option'; accepted: --demo --tests" ;;
  esac
done

command -v apt-get >/dev/null || fail "this script knows apt only; elsewhere install the counterparts of:" \
  "  ${wanted[*]}"

installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q ' installed$'; }

missing=()
for package in "${wanted[@]}"; do installed "$package" || missing+=("$package"); done
to_unpack=()
if [[ $with_tests == yes ]]; then
  for package in "${unpacked[@]}"; do
    [[ -e $programs/$package/.complete ]] || to_unpack+=("$package")
  done
fi
[[ ${#missing[@]} -eq 0 && ${#to_unpack[@]} -eq 0 ]] && exit 0

[[ $EUID -eq 0 ]] || fail "these are missing: ${missing[*]} ${to_unpack[*]}" \
  "  installing needs root: sudo $0 $*"

if [[ " ${missing[*]} " == *" postfix "* ]]; then
  other=$(dpkg-query -W -f '${Status}|${Package}|${Provides}\n' 2>/dev/null |
    awk -F'|' '$1 ~ / installed$/ && $3 ~ /mail-transport-agent/ {print $2; exit}')
  [[ -z $other ]] || fail "$other is installed, and apt would remove it to make room for postfix." \
    "  Use a container instead: docker run --rm -it -v '$repo':/saslatch -w /saslatch debian:12 bash"
  # Only the programs are wanted: no /etc/postfix/main.cf, so the package's own service cannot start.
  echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
fi

# The machine's own switch against packages that start their services when they are installed.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
quietly() {
  "$@" >"$log" 2>&1 || { cat "$log" >&2; fail "this failed: $*" "  Are the network and /etc/apt/sources.list in order?"; }
}
quietly apt-get update -q

depends_of() {  # the shared libraries a package needs, first alternatives
  apt-cache show --no-all-versions "$1" | sed -n 's/^Depends: //p' | tr ',' '\n' |
    sed 's/|.*//; s/(.*//; s/ //g' | grep '^lib' | grep -Ev '^lib(js-|llvm)'  # llvm: PostgreSQL loads it for long queries only
}
for package in "${to_unpack[@]}"; do
  for library in $(depends_of "$package"); do installed "$library" || missing+=("$library"); done
done
if [[ ${#missing[@]} -gt 0 ]]; then
  echo "installing ${missing[*]}"
  quietly apt-get install -y -q --no-install-recommends "${missing[@]}"
fi

for package in "${to_unpack[@]}"; do
  echo "unpacking $package into ${programs#"$repo"/}"
  rm -rf "${programs:?}/$package"
  mkdir -p "$programs/$package"
  cd "$programs/$package"
  quietly apt-get download -q -o APT::Sandbox::User=root "$package"
  quietly dpkg -x "$package"_*.deb .
  rm -f "$package"_*.deb
  touch .complete
done
rm -f "$log"
