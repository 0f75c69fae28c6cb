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
usage: scripts/kunit.sh [--seed NUMBER] [--coverage] [--checks] [--keep FILE] [FILTER]

  --seed NUMBER   repeat the random operations of the run that logged it
  --coverage      count what code runs; scripts/coverage.sh reads it
  --checks        a kernel that looks for mistakes: KASAN, lockdep, kmemleak ...
  --keep FILE     a copy of the kernel that was built, for tools/vcm-mutate
  FILTER          suites, or suite.case (shell patterns)

The first run takes minutes. The kernel's log is in out/kunit/log.
USAGE
}

seed=
coverage=
checks=
keep=
filter=()

parse_args() {
	while [[ $# -gt 0 ]]; do
		case $1 in
		--seed)
			[[ ${2:-} =~ ^[0-9]+$ ]] || die "--seed '${2:-}': no number"
			seed=$2
			shift
			;;
		--coverage) coverage=1 ;;
		--checks) checks=1 ;;
		--keep) keep=${2:?--keep needs a value}; shift ;;
		-h | --help) usage; exit 0 ;;
		-*) die "unknown option '$1' (see --help)" ;;
		*) filter=("$1") ;;
		esac
		shift
	done
}

# Every suite of the project in one kernel.
kunit_options() {
	local config

	for config in "$VCM_TOP"/drivers/*/.kunitconfig.vcm "$VCM_TOP"/drivers/*/*/.kunitconfig.vcm; do
		[[ ! -f $config ]] || printf '%s\n' "--kunitconfig=$config"
	done
	[[ -z $checks ]] || printf '%s\n' "--kunitconfig=$VCM_TOP/scripts/configs/kunit-checks.config"
	printf '%s\n' "--arch=um" "--build_dir=$build" "--jobs=$(nproc)"
	[[ -z $seed ]] || printf '%s\n' "--kernel_args=vcm_extent_kunit.seed=$seed"
}

# The project's own objects are to count, and not the whole kernel, which CONFIG_GCOV
# would mean. libgcov writes the counts at the end of a program, by a destructor in
# every object; the kernel's linker script has no place for these, so that the
# function that they all call is made the one that ends the program. The options
# of a file take the place of those in its Makefile.
coverage_options() {
	local file

	[[ -n $coverage ]] || return 0
	while read -r file; do
		file=${file##*/}
		printf '%s\n' "--make_options=CFLAGS_${file%.c}.o=-I\$(src) --coverage"
	done < <(cd "$VCM_TOP" && find drivers -name '*.c' ! -name '*.mod.c' ! -path '*/tests/*')
	printf '%s\n' "--make_options=LDFLAGS_EXECSTACK=-z noexecstack -u __gcov_init -u __gcov_exit -u __gcov_merge_add -fini=__gcov_exit -lgcov"
}

# Nothing of earlier runs, and linked again with the options above.
prepare_coverage() {
	[[ -n $coverage ]] || return 0
	find "$build" \( -name '*.gcda' -o -name '*.gcno' \) -delete
	rm -f "$build/vmlinux" "$build/vmlinux.unstripped"
	# Without its notes file (.gcno) an object is of no use.
	(cd "$VCM_TOP" && find drivers -name '*.c') | sed "s|^\(.*\)\.c$|$build/\1.o|" | xargs -d '\n' rm -f
}

run_kunit() {
	local options

	mapfile -t options < <(kunit_options; coverage_options)
	(cd "$cache/src" && PYTHONDONTWRITEBYTECODE=1 \
		tools/testing/kunit/kunit.py run "${options[@]}" "${filter[@]}")
}

# ---- results -------------------------------------------------------------

# What a kernel says when something is wrong.
splats() {
	grep -E 'WARNING: |BUG: |UBSAN: |Oops|Call Trace|Kernel panic' "$1" || true
}

# The lines and their sum. A failure may also be one without a line, when there
# was no build or no end of the run; kunit.py knows.
report() {
	local status=$1 log=$OUT/log

	"$VCM_TOP/scripts/results.py" --suite kunit <"$log" | tee "$OUT/results"
	if [[ -n $(splats "$log") ]]; then
		splats "$log" >&2
		echo "FAIL kernel log" | tee -a "$OUT/results"
	elif [[ $status -ne 0 ]] && ! grep -q '^FAIL' "$OUT/results"; then
		tail -n 15 "$OUT/kunit.log" >&2
		echo "FAIL kunit (kunit.py: exit status $status)" | tee -a "$OUT/results"
	fi
	print_sum "$OUT/results"
}

main() {
	local status=0 start

	parse_args "$@"
	load_kernel_env x86_64 build
	need_tools python3
	[[ -f $KSRC/tools/testing/kunit/kunit.py ]] || die "no kernel source in $KSRC: give KSRC="
	open_cache
	cache+=/kunit
	build=$cache/um${checks:+-checks}
	mkdir -p "$cache" "$build" "$OUT"
	exec 9>"$cache/lock"
	flock 9

	copy_source "$cache"
	"$VCM_TOP/scripts/overlay.sh" "$cache/src"
	[[ -e $build/.config ]] || say "building a kernel with the tests in it: minutes, the first time"
	start=$SECONDS
	rm -f "$build/test.log" "$OUT"/*
	[[ -z $keep ]] || rm -f "$build/linux"
	prepare_coverage
	run_kunit >"$OUT/kunit.log" 2>&1 9>&- || status=$?
	[[ -z $keep || ! -f $build/linux ]] || cp "$build/linux" "$keep"
	say "built and run: $((SECONDS - start)) s"
	cp "$build/test.log" "$OUT/log" 2>/dev/null || : >"$OUT/log"
	report "$status"
}

main "$@"
