#!/usr/bin/env bash
# Installs what the tests need, builds, and runs every test.
set -euo pipefail
cd "$(dirname "$0")/.."
packaging/install-deps.sh --tests
cmake --workflow --preset dev
