# Shared by the scripts beside it: packages, build folders, counting results. Sourced, not run.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '\n== %s\n' "$*"; }
fail() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
    fail "needs root to install packages: run it as root, install sudo, or install the packages of scripts/packages.txt by hand"
  fi
}

# install_packages run [test]: installs what is missing, and asks apt for nothing when nothing is.
install_packages() {
  local wanted missing="" package
  command -v dpkg-query >/dev/null || fail "this is no Debian system: install the counterparts of scripts/packages.txt by hand, then build with meson"
  wanted=$(for kind in "$@"; do sed -n "s/^$kind  *//p" "$root/scripts/packages.txt"; done)
  for package in $wanted; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  say "Installing$missing"
  as_root apt-get update -q || fail "apt-get update failed: is the network up?"
  # shellcheck disable=SC2086
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing || fail "apt-get could not install$missing"
}

# build FOLDER [MESON OPTION…]
build() {
  local folder=$1; shift
  if [ -f "$folder/build.ninja" ]; then meson configure "$folder" "$@" >/dev/null; else meson setup "$folder" "$root" "$@"; fi || fail "meson could not set up $folder"
  ninja -C "$folder" || fail "the build in $folder failed"
}

passed=0 failed=0 skipped=0
# count_tests LOG: adds the summary that `meson test` printed.
count_tests() {
  local log=$1 n
  number() { sed -n "s/^$1: *\([0-9]*\).*/\1/p" "$log" | tail -n 1; }
  n=$(number Ok); passed=$((passed + ${n:-0}))
  n=$(number 'Expected Fail'); passed=$((passed + ${n:-0}))
  n=$(number Fail); failed=$((failed + ${n:-0}))
  n=$(number 'Unexpected Pass'); failed=$((failed + ${n:-0}))
  n=$(number Timeout); failed=$((failed + ${n:-0}))
  n=$(number Skipped); skipped=$((skipped + ${n:-0}))
}

# run_tests FOLDER [MESON TEST OPTION…]: runs, counts, never ends the script.
run_tests() {
  local folder=$1 log; shift
  log=$(mktemp)
  meson test -C "$folder" --print-errorlogs "$@" 2>&1 | tee "$log"
  grep -q '^Ok:' "$log" || failed=$((failed + 1))
  count_tests "$log"
  grep -A12 -E '^not ok' "$folder/meson-logs/testlog.txt" | grep -E '^(not ok|# |--)' # what TAP tests say of it, which meson keeps to its log
  rm -f "$log"
}
