# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# shellcheck disable=SC2034 # what is set here is for them
#
# What the tests in this directory share. A test is a function test_<name>; it runs in
# a shell of its own, with a directory $dir that is removed behind it.

set -uo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly TOP

failures=0
output=
status=0

check() {
	"$@" || { printf 'not: %s\n' "$*"; failures=$((failures + 1)); }
}

# run COMMAND...: sets output and status
run() {
	output=$("$@" 2>&1)
	status=$?
}

says() {
	[[ $output == *"$1"* ]] || { printf 'it says: %s\n' "$output"; return 1; }
}

says_nothing_of() { ! says "$1" >/dev/null; }

# What a test finds, for who says something else.
before_test() { :; }

# Microseconds
now() { echo "${EPOCHREALTIME/[.,]/}"; }

run_test() {
	local number=$1 name=$2 start dir log state=ok

	start=$(now)
	dir=$(mktemp -d "${TMPDIR:-/tmp}/vcm-test.XXXXXX")
	log=$(exec 2>&1 </dev/null; before_test; "test_$name"; exit $failures) || state="not ok"
	# A test may have a stand-in for it.
	command rm -rf "$dir"
	[[ $state == ok ]] || printf '%s\n' "$log" | sed 's/^/# /'
	echo "$state $number ${name//_/-} # $((($(now) - start) / 1000)) ms"
	[[ $state == ok ]]
}

# run_tests [NAME]...: all tests in the order in which they are written, or those named
run_tests() {
	local names=("${@//-/_}") failed=0 i

	[[ $# -gt 0 ]] || mapfile -t names < <(sed -n 's/^test_\([a-z_0-9]*\)() .*/\1/p' "$0")
	printf 'KTAP version 1\n1..%d\n' "${#names[@]}"
	for i in "${!names[@]}"; do
		run_test $((i + 1)) "${names[i]}" || failed=1
	done
	return $failed
}
