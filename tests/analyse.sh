#!/usr/bin/env bash
# Runs clang-tidy (.clang-tidy says what it looks for, and why not for more) and cppcheck over the
# programs, not over the tests. Prints what they find; exit 1 if there is anything.
#
# usage: tests/analyse.sh [--with-analyzer] [FILE…]
#   --with-analyzer   clang's path-sensitive checks too; twice as slow
#   FILE              only these sources
#
# Needs clang-tidy-14 and cppcheck (Debian packages), and half an hour of a core for everything.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
for tool in clang-tidy-14 cppcheck; do
  command -v "$tool" >/dev/null || { echo "analyse.sh: no $tool (apt install ${tool%-14})" >&2; exit 69; }
done

checks=--checks=-clang-analyzer-*
if [[ ${1:-} == --with-analyzer ]]; then checks=--checks=; shift; fi
files=("$@")
[[ ${#files[@]} -gt 0 ]] || mapfile -t files < <(find protocol daemon plugin -name '*.cc' | sort)
cmake --preset release -Wno-dev >/dev/null || exit
found=0

printf '%s\n' "${files[@]}" |
  xargs -P "$(nproc)" -n 1 nice clang-tidy-14 -p build/release -quiet "$checks" 2>/dev/null || found=1

nice cppcheck --std=c++20 --language=c++ -I . -j "$(nproc)" --quiet --error-exitcode=1 \
  --enable=warning,performance,portability --library=posix \
  --suppressions-list=tests/cppcheck-suppressions.txt \
  --template='{file}:{line}: {severity}: {message} [{id}]' "${files[@]}" || found=1

[[ $found -eq 0 ]] && echo "nothing found in ${#files[@]} files"
exit "$found"
