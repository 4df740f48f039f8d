#!/usr/bin/env bash
# The plugin under valgrind: no invalid access in the parent, its threads and all its children, and
# no leak. Takes two minutes, so it is no part of tests/run.sh.
#
# usage: tests/plugin/valgrind.sh [BUILD-DIRECTORY]
set -euo pipefail
cd "$(dirname "$0")/../.."
program=${1:-build/dev}/bin/plugin_test

# Deadlines of 100 ms are none here.
valgrind --quiet --error-exitcode=9 "$program" --gtest_filter='-HungDaemon.*'
# A forked child keeps what its parent's threads were about: nobody is left there to free it.
valgrind --quiet --error-exitcode=9 --leak-check=full "$program" --gtest_filter='-HungDaemon.*:Fork.*'
echo "no finding"
