#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Asks of each heap of a guest what holds for its buffers, prints a table, and writes the
# page of the documentation that has it.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly PAGE=$VCM_TOP/Documentation/userspace-api/vcm-conformance.rst
readonly PROGRAM=$VCM_TOP/out/tests/vcm_conformance OUT=$VCM_TOP/out/conformance

# Debian's kernel has no heap of the CMA, that for measurements has. Memory for seven
# buffers of 33 MB in each heap.
readonly GUEST=(--kernel bench --mem 1536M --append cma=256M --module vcm-edu-test --module vgem)

usage() {
	cat <<'USAGE'
usage: scripts/conformance.sh [--print] [HEAP...]

Runs vcm_conformance for each heap of a guest, or for those that are named, behind an
IOMMU and without one, and prints a table. Without names
Documentation/userspace-api/vcm-conformance.rst is written anew. Fails when the heap vcm
does not have what every heap should. Logs are in out/conformance/.

  --print   run nothing, read the results of the last run
USAGE
}

print=
heaps=()

parse_args() {
	while [[ $# -gt 0 ]]; do
		case $1 in
		--print) print=1 ;;
		-h | --help) usage; exit 0 ;;
		-*) die "unknown option '$1' (see --help)" ;;
		*) heaps+=("$1") ;;
		esac
		shift
	done
}

# What a guest runs.
runner() {
	cat <<'RUNNER'
#!/bin/sh
[ $# -gt 0 ] || set -- $(ls /dev/dma_heap)
for heap; do
	printf '\n@@heap %s\n' "$heap"
	HEAP=$heap /vcm_conformance 2>&1
done
RUNNER
}

# run_guest IOMMU
run_guest() {
	say "behind IOMMU: $1"
	"$VCM_TOP/scripts/vm.sh" --iommu "$1" "${GUEST[@]}" --file "$PROGRAM" --file "$OUT/run.sh:/run.sh" -- \
		/run.sh "${heaps[@]}" >"$OUT/$1.log" || die "the guest failed (log: $OUT/$1.log)"
}

main() {
	local options=()

	parse_args "$@"
	[[ -x $PROGRAM ]] || die "no $PROGRAM: run 'make tests' first"
	lock_output conformance
	if [[ -z $print ]]; then
		rm -rf "$OUT"
		mkdir -p "$OUT"
		runner >"$OUT/run.sh"
		chmod +x "$OUT/run.sh"
		run_guest intel
		run_guest none
	fi
	[[ ${#heaps[@]} -gt 0 ]] || options=(--page "$PAGE")
	"$PROGRAM" --describe >"$OUT/describe.txt"
	"$VCM_TOP/scripts/conformance.py" "${options[@]}" --describe "$OUT/describe.txt" \
		"$OUT/intel.log" "$OUT/none.log"
}

main "$@"
