#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs the tests as igt-gpu-tools does: with its runner, and with the libigt that belongs
# to it, in the guest "intel" of scripts/test.sh.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly TESTS=$VCM_TOP/out/tests OUT=$VCM_TOP/out/igt BOOT=intel

usage() {
	cat <<'USAGE'
usage: scripts/igt.sh [PATTERN]...

Runs the suites of the guest "intel" whose name matches a shell pattern, by default all,
with igt_runner, which the newest igt-gpu-tools of Debian brings (28 MB), and its libigt. A
line per subtest; the runner's results are in out/igt/results.json. 'make igt' builds what is
needed first. out/igt/tree has the sources as igt would take them.
USAGE
}

patterns=()

parse_args() {
	while [[ $# -gt 0 ]]; do
		case $1 in
		-h | --help) usage; exit 0 ;;
		-*) die "unknown option '$1' (see --help)" ;;
		*) patterns+=("$1") ;;
		esac
		shift
	done
}

# What all programs say of themselves.
describe() {
	local program

	for program in "$VCM_TOP"/tools/vcmheap-test/tests/*.c; do
		program=$(basename "${program%.c}")
		"$TESTS/$program" --describe >"$OUT/$program.txt"
	done
}

# What igt would build, by its own words: with the declarations of libigt that there are.
check_tree() {
	local tree=$OUT/tree file

	for file in "$tree"/tests/vcm/*.c "$tree"/lib/vcm/*.c; do
		cc -std=gnu11 -D_GNU_SOURCE -fsyntax-only -Wall -Wno-sign-compare -Werror \
			-I"$tree/lib/vcm" -I"$tree/include/linux-uapi" \
			-I"$VCM_TOP/tools/vcmheap-test/compat" -isystem /usr/include/libdrm "$file"
	done
}

# The names of the programs.
programs() {
	"$VCM_TOP/scripts/test.sh" --list "${patterns[@]}" | sed -n "s/^$BOOT \(vcm_[^ ]*\) .*/\1/p"
}

# The options of the guest.
options() {
	"$VCM_TOP/scripts/test.sh" --list | sed -n "s/^$BOOT [^ ]* //p" | sed -n 1p
}

# What the guest runs. The runner finds programs by a list; they come with the loader and
# the libraries of another Debian.
runner() {
	local program

	cat <<'RUNNER'
#!/bin/sh
mkdir -p /igt /tests
tar -xf /igt.tar -C /igt
with="/igt/lib64/ld-linux-x86-64.so.2 --library-path /igt/lib64"
program() {
	printf '#!/bin/sh\nexec %s /programs/%s "$@"\n' "$with" "$1" >"/tests/$1"
	chmod +x "/tests/$1"
}
RUNNER
	for program; do
		echo "program $program"
	done
	cat <<RUNNER
{ echo TESTLIST; echo "$*"; echo END TESTLIST; } >/tests/test-list.txt
RUNNER
	cat <<'RUNNER'
$with /igt/bin/igt_runner -o -m --dmesg-warn-level 3 /tests /results >&2
cat /results/results.json
RUNNER
}

main() {
	local args names name

	parse_args "$@"
	mapfile -t names < <(programs)
	[[ ${#names[@]} -gt 0 ]] || die "nothing to run: no suite of the guest $BOOT is called so"
	load_kernel_env x86_64 guest igt
	lock_output igt
	rm -rf "$OUT"
	mkdir -p "$OUT"
	read -ra args <<<"$(options)"
	args+=(--file "$(vcm_cache)/newer/igt.tar" --file "$OUT/run.sh:/run.sh")
	for name in "${names[@]}"; do
		[[ -x $TESTS/$name ]] || die "no $TESTS/$name: run 'make tests' first"
		args+=(--file "$TESTS/$name:/programs/$name")
	done
	printf '%s\n' "${names[@]}" >"$OUT/chosen"
	describe
	"$VCM_TOP/scripts/igt.py" tree "$OUT"
	check_tree
	runner "${names[@]}" >"$OUT/run.sh"
	chmod +x "$OUT/run.sh"
	"$VCM_TOP/scripts/vm.sh" "${args[@]}" -- /run.sh >"$OUT/results.json" 2>"$OUT/runner.log" ||
		die "the guest failed (log: $OUT/runner.log)"
	"$VCM_TOP/scripts/igt.py" results "$OUT" | tee "$OUT/results"
	print_sum "$OUT/results"
}

main "$@"
