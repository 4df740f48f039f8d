#!/usr/bin/env bash
# Makes pictures of a report of `saslatch policy replay --report`, to be looked at: wide, narrow, and
# printed. Needs chromium and poppler-utils; no network.
#
# usage: tests/replay-report/pictures.sh REPORT.html FOLDER      writes wide.png narrow.png print-N.png
set -euo pipefail
report=$(realpath "$1")
mkdir -p "$2"
folder=$(realpath "$2")
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT

# root has no user namespaces of its own to put a sandbox into; the page is ours and runs nothing.
chromium() {
  command chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$profile" \
    --host-resolver-rules='MAP * 0.0.0.0' "$@" "file://$report" >"$profile/log" 2>&1 ||
    { cat "$profile/log" >&2; exit 1; }
}

chromium --window-size=1200,6200 --screenshot="$folder/wide.png"
chromium --window-size=500,9200 --screenshot="$folder/narrow.png"  # chromium's least width
chromium --no-pdf-header-footer --print-to-pdf="$profile/report.pdf"
pdftoppm -r 60 -png "$profile/report.pdf" "$folder/print"
ls "$folder"
