#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds the KUnit tests into a kernel that is a program (user-mode Linux) and
# runs it. The kernel source stays as it is: the project goes into a copy of it
# in the cache, where the build stays for the next time.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly OUT=$VCM_TOP/out/kunit
KSRC=${KSRC:-}

usage() {
	cat <<'USAGE'
usage: scripts/kunit.sh [--seed NUMBER] [FILTER]

  --seed NUMBER   repeat the random operations of the run that logged it
  FILTER          suites, or suite.case (shell patterns)

The first run takes minutes. The kernel's log is in out/kunit/log.
USAGE
}

seed=
filter=()

parse_args() {
	while [[ $# -gt 0 ]]; do
		case $1 in
		--seed) seed=${2:?--seed needs a value}; shift ;;
		-h | --help) usage; exit 0 ;;
		-*) die "unknown option '$1' (see --help)" ;;
		*) filter=("$1") ;;
		esac
		shift
	done
}

# A copy of the source that costs no space where hard links can be had;
# overlay.sh breaks the links of what it changes. Made again for another source.
copy_source() {
	local origin
	origin="$KSRC $(stat -c %Y "$KSRC/Makefile")"

	[[ ! -f $cache/origin || $(<"$cache/origin") != "$origin" ]] || return 0
	rm -rf "$cache/origin" "$cache/src"
	cp -al "$KSRC" "$cache/src" 2>/dev/null || {
		rm -rf "$cache/src"
		cp -a "$KSRC" "$cache/src"
	}
	echo "$origin" >"$cache/origin"
}

# Every suite of the project in one kernel.
kunit_options() {
	local config

	for config in "$VCM_TOP"/drivers/*/.kunitconfig.vcm "$VCM_TOP"/drivers/*/*/.kunitconfig.vcm; do
		[[ ! -f $config ]] || printf '%s\n' "--kunitconfig=$config"
	done
	printf '%s\n' "--arch=um" "--build_dir=$build" "--jobs=$(nproc)"
	[[ -z $seed ]] || printf '%s\n' "--kernel_args=vcm_extent_kunit.seed=$seed"
}

run_kunit() {
	local options

	mapfile -t options < <(kunit_options)
	(cd "$cache/src" && PYTHONDONTWRITEBYTECODE=1 \
		tools/testing/kunit/kunit.py run "${options[@]}" "${filter[@]}")
}

# ---- results -------------------------------------------------------------

# A line per case from the kernel's log, and one for a suite that says fewer than
# it announced.
results() {
	awk '
		function complete() {
			if (suite != "" && got != plan)
				print "FAIL " suite " (" got " of " plan " results)"
		}
		$1 == "#" && $2 == "Subtest:" { complete(); suite = $3; plan = "?"; got = 0 }
		/^ +1\.\.[0-9]+$/ { plan = substr($1, 4) }
		/^ +(not )?ok [0-9]+ / {
			state = $1 == "ok" ? "PASS" : "FAIL"
			name = $1 == "ok" ? $3 : $4
			if (/# SKIP/)
				state = "SKIP"
			print state " " suite "@" name
			got++
		}
		END { complete() }' "$1"
}

# What a kernel says when something is wrong.
splats() {
	grep -E 'WARNING: |BUG: |UBSAN: |Oops|Call Trace|Kernel panic' "$1" || true
}

# The lines and their sum. A failure may also be one without a line, when there
# was no build or no end of the run; kunit.py knows.
report() {
	local status=$1 log=$OUT/log passed failed skipped

	results "$log" | tee "$OUT/results"
	[[ -z $(splats "$log") ]] || { echo "FAIL kernel log"; splats "$log" >&2; } | tee -a "$OUT/results"
	passed=$(grep -c '^PASS' "$OUT/results" || true)
	failed=$(grep -c '^FAIL' "$OUT/results" || true)
	skipped=$(grep -c '^SKIP' "$OUT/results" || true)
	if [[ $status -ne 0 && $failed -eq 0 ]] || [[ $passed -eq 0 ]]; then
		tail -n 15 "$OUT/kunit.log" >&2
		failed=$((failed + 1))
	fi
	if [[ $skipped -gt 0 ]]; then
		echo "$passed passed, $failed failed, $skipped skipped"
	else
		echo "$passed passed, $failed failed"
	fi
	[[ $failed -eq 0 ]]
}

main() {
	local status=0 start

	parse_args "$@"
	load_kernel_env x86_64
	need_tools python3
	[[ -f $KSRC/tools/testing/kunit/kunit.py ]] || die "no kernel source in $KSRC: give KSRC="
	cache=$(vcm_cache)/kunit
	build=$cache/um
	mkdir -p "$cache" "$build" "$OUT"
	exec 9>"$cache/lock"
	flock 9

	copy_source
	"$VCM_TOP/scripts/overlay.sh" "$cache/src"
	[[ -e $build/.config ]] || say "building a kernel with the tests in it: minutes, the first time"
	start=$SECONDS
	rm -f "$build/test.log" "$OUT"/*
	run_kunit >"$OUT/kunit.log" 2>&1 9>&- || status=$?
	say "built and run: $((SECONDS - start)) s"
	cp "$build/test.log" "$OUT/log" 2>/dev/null || : >"$OUT/log"
	report "$status"
}

main "$@"
