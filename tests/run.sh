#!/usr/bin/env bash
# Installs what the tests need, builds, and runs every test: the real programs (Postfix, Exim,
# chasquid, Dovecot, OpenLDAP, Cyrus …) against ours as an administrator builds them; unit tests,
# dialogs, bad configurations and fuzz corpora under the address and undefined-behaviour sanitizers.
#
# usage: sudo tests/run.sh [--threads]
#   --threads   also what many threads share, with the thread sanitizer: some six minutes more
#
# It ends with `N passed, N failed, N skipped`; exit 0 if none failed
#
# Without root it works where everything is installed; what needs root is then skipped.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

jobs=$(nproc)
results=build/results
mkdir -p "$results"
rm -f "$results"/*.xml
if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=ccache; fi

threads=no
case ${1:-} in
  --threads) threads=yes ;;
  "") ;;
  *) echo "run.sh: unknown option '$1'; accepted: --threads" >&2; exit 64 ;;
esac

steps=5
[[ $threads == no ]] || steps=7
step=0
failed_steps=()
times=()
run_step() {  # NAME COMMAND...: runs it, notes its time and whether it failed
  local name=$1 began=$SECONDS status=0
  shift
  step=$((step + 1))
  printf '\n[%d/%d] %s\n' "$step" "$steps" "$name"
  "$@" || status=$?
  times+=("$(printf '%4d s  %s' $((SECONDS - began)) "$name")")
  [[ $status -eq 0 ]] || failed_steps+=("$name")
  return $status
}

tests() {  # PRESET RESULTS OPTION...
  local preset=$1 junit=$results/$2.xml
  shift 2
  ctest --preset "$preset" --progress --output-junit "$PWD/$junit" "$@"
}

build() {  # PRESET [OPTION...]
  local preset=$1
  shift
  cmake --preset "$preset" -Wno-dev >"$results/configure-$preset.log" 2>&1 ||
    { cat "$results/configure-$preset.log"; return 1; }
  cmake --build --preset "$preset" -j "$jobs" "$@"
}

summary() {
  printf '\n'
  printf '%s\n' "${times[@]}"
  printf '%4d s  in all\n' "$SECONDS"
  [[ ${#failed_steps[@]} -eq 0 ]] || printf 'failed: %s\n' "${failed_steps[@]}"
  python3 - "$results" <<'PYTHON'
import pathlib, sys
import xml.etree.ElementTree as xml
passed = failed = skipped = 0
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.xml")):
    for case in xml.parse(path).getroot().iter("testcase"):
        status = case.get("status")
        if status == "run":
            passed += 1
        elif status in ("disabled", "notrun") or case.find("skipped") is not None:
            skipped += 1
            print(f"skipped: {case.get('name')}")
        else:
            failed += 1
            print(f"failed: {case.get('name')} ({path.stem})")
print(f"{passed} passed, {failed} failed, {skipped} skipped")
PYTHON
}

stop() { summary; exit 1; }

run_step "installing what is missing" packaging/install-deps.sh --tests || stop
run_step "building the programs, warnings as errors" build dev --target programs || stop
# The tests of real servers mostly wait for them: meanwhile the cores compile what comes next.
sanitized_log=$results/build-asan.log
(renice -n 10 "$BASHPID" >/dev/null; build asan) >"$sanitized_log" 2>&1 &
sanitized_build=$!
rest_of_build() {
  tail -n 1 -f --pid="$sanitized_build" "$sanitized_log"
  wait "$sanitized_build" || { grep -A 20 -m 5 'FAILED:' "$sanitized_log"; return 1; }
}
run_step "the real programs" \
  tests dev programs --label-regex 'integration|unsanitized' --parallel "$jobs"
run_step "building with address and undefined-behaviour sanitizers" rest_of_build || stop
run_step "unit tests, dialogs, bad configurations, fuzz corpora" tests asan asan --parallel "$jobs"
if [[ $threads == yes ]]; then
  run_step "building with the thread sanitizer" build tsan --target threaded_tests || stop
  run_step "what many threads share" \
    tests tsan tsan --label-regex threaded --parallel "$jobs"
fi

summary
[[ ${#failed_steps[@]} -eq 0 ]]
