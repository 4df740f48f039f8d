#!/usr/bin/env bash
# Installs what a Debian 12 needs to build saslatch; with --tests also what its tests run.
# usage: packaging/install-deps.sh [--tests]
set -euo pipefail

build=(cmake ninja-build g++ pkg-config python3
  libboost-dev libboost-program-options-dev libssl-dev libsodium-dev libcrypt-dev libsqlite3-dev
  libsystemd-dev libspdlog-dev libfmt-dev nlohmann-json3-dev libexpected-dev prometheus-cpp-dev)
tests=(libgtest-dev libgmock-dev libbenchmark-dev)

wanted=("${build[@]}")
[[ "${1:-}" == --tests ]] && wanted+=("${tests[@]}")

missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -y -q --no-install-recommends "${missing[@]}"
