#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Measures address spaces of devices: what it takes to make one, and to switch a
# device from one to another. 'make bench-space' builds what is needed first.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly OUT=$VCM_TOP/out/bench
readonly IOMMUS=(intel amd virtio)

ROUNDS=${ROUNDS:-200}

usage() {
	cat <<'USAGE'
usage: scripts/bench-space.sh [intel|amd|virtio]...

One guest for each IOMMU, by default all. Everything they print is in
out/bench/space-<iommu>.txt: times are medians with the quartiles behind them.

environment: ROUNDS (how often a device is switched there and back, default 200)
USAGE
}

# The table of log $1: a line for each way in which memory is mapped.
table() {
	awk '
		BEGIN {
			split("create map unmap destroy switch", steps)
			printf "%-20s %6s", "64 MB mapped", "runs"
			for (i = 1; i in steps; i++)
				printf " %10s", steps[i]
			print "   (medians, us)"
		}
		/^#  .* runs  .* us \(/ {
			name = substr($0, 5, 18)
			sub(/ +$/, "", name)
			if (!(name in runs))
				names[++n] = name
			runs[name] = $(field("runs") - 1)
			median[name, $(field("runs") + 1)] = $(field("runs") + 2)
		}
		function field(word,    i) {
			for (i = 1; i <= NF && $i != word; i++)
				;
			return i
		}
		END {
			for (i = 1; i <= n; i++) {
				printf "%-20s %6d", names[i], runs[names[i]]
				for (j = 1; j in steps; j++)
					printf " %10s", (names[i], steps[j]) in median ? median[names[i], steps[j]] : "-"
				print ""
			}
		}' "$1"
}

run_guest() {
	local iommu=$1 log=$OUT/space-$1.txt

	echo "== $iommu"
	"$VCM_TOP/scripts/vm.sh" --iommu "$iommu" --mem 2G --timeout 1200 --module vcm-edu-test \
		--file "$OUT/vcm-bench:/vcm-bench" \
		-- /vcm-bench space --rounds "$ROUNDS" >"$log" ||
		{ tail -n 5 "$log" >&2; die "$iommu failed (log: $log)"; }
	table "$log"
	grep -E '^(PASS|MISS) ' "$log" || true
}

main() {
	local iommus=("$@") iommu results

	[[ ${1:-} != -h && ${1:-} != --help ]] || { usage; exit 0; }
	[[ $# -gt 0 ]] || iommus=("${IOMMUS[@]}")
	for iommu in "${iommus[@]}"; do
		[[ " ${IOMMUS[*]} " == *" $iommu "* ]] || die "unknown IOMMU '$iommu' (see --help)"
	done
	[[ $ROUNDS =~ ^[1-9][0-9]*$ ]] || die "ROUNDS=$ROUNDS is no number above 0"

	load_kernel_env x86_64 build guest bench
	mkdir -p "$OUT"
	make -s -C "$VCM_TOP/tools" O="$OUT" vcm-bench
	results=$OUT/space.txt
	for iommu in "${iommus[@]}"; do
		run_guest "$iommu"
	done | tee "$results"
	echo "$(grep -c '^PASS' "$results" || true) goals reached, $(grep -c '^MISS' "$results" || true) missed"
	! grep -q '^MISS' "$results"
}

main "$@"
