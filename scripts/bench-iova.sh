#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Measures where buffers go in the address spaces of devices and what mapping
# them costs, against the system heap and the DMA API alone. 'make bench-iova'
# builds what is needed first.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly OUT=$VCM_TOP/out/bench
readonly PLACE=$VCM_TOP/out/tests/vcm-extent-bench
# Microseconds that placing a buffer may take, with so many in the tree.
readonly PLACE_GOAL=5 PLACE_LIVE=10000

# A name, the memory, what is done (see guest_script), and the options of vm.sh.
# Lazy is the kernel's default; QEMU's amd-iommu makes the kernel choose strict.
readonly BOOTS=(
	"intel-lazy   1G lazy   --iommu intel"
	"intel-strict 1G map    --iommu intel --append iommu.strict=1"
	"amd          1G map    --iommu amd"
	"virtio-lazy  1G map    --iommu virtio"
	"virtio-strict 1G map   --iommu virtio --append iommu.strict=1"
	"intel-holes  3G holes  --iommu intel --append iommu.strict=1"
)

KIMAGE=${KIMAGE:-}
patterns=("$@")

usage() {
	cat <<'USAGE'
usage: scripts/bench-iova.sh [PATTERN]...

Runs the guests whose name matches a shell pattern, by default all:
intel-lazy, intel-strict, amd, virtio-lazy, virtio-strict, intel-holes.
Everything they print is in out/bench/iova-<name>.txt.
USAGE
}

find_module() {
	local file

	file=$(find "${VCM_MODULES:-$VCM_TOP/out/modules}" -name "$1.ko" -print -quit)
	[[ -n $file ]] || die "no $1.ko: run 'make' first"
	echo "$file"
}

# What the guest runs.
write_guest_script() {
	cat <<'GUEST'
#!/bin/sh
set -e
insmod /vcm-bench.ko
case $1 in
lazy)
	/vcm-bench iova pack rounds leaves map
	if [ -x /vcm-extent-bench ]; then
		for i in 1 2 3; do
			/vcm-extent-bench --bench
		done
	fi
	;;
map)
	/vcm-bench iova map
	;;
holes)
	/vcm-bench iova holes
	rmmod vcm_edu_test
	insmod /.vcm/modules/*-vcm_edu_test.ko dma_bits=28,31
	/vcm-bench iova holes
	;;
esac
GUEST
}

# A line of the table for the program that places buffers in a tree: the best of
# its runs, because what else the host does only adds.
report_place() {
	awk -v live="$PLACE_LIVE" -v goal="$PLACE_GOAL" '
		$1 == live && NF == 3 && (!n++ || $2 < place) { place = $2; free = $3 }
		END {
			if (n)
				printf "%s  %-28s %.1f us to place, %.1f us to free, best of %d (goal %d us)\n",
				       place <= goal * 1000 ? "PASS" : "MISS",
				       live " live ranges", place / 1000, free / 1000, n, goal
		}' "$1"
}

run_boot() {
	local name=$1 mem=$2 what=$3 log=$OUT/iova-$1.txt args=()
	shift 3

	[[ ! -x $PLACE ]] || args+=(--file "$PLACE:/vcm-extent-bench")
	echo "== $name"
	"$VCM_TOP/scripts/vm.sh" --mem "$mem" --timeout 1200 "$@" "${args[@]}" \
		--module vcm-edu-test --file "$(find_module vcm-bench):/vcm-bench.ko" \
		--file "$OUT/vcm-bench:/vcm-bench" --file "$OUT/guest.sh:/guest.sh" \
		-- /guest.sh "$what" >"$log" || { tail -n 5 "$log" >&2; die "$name failed (log: $log)"; }
	grep -E '^(PASS|MISS|info) ' "$log" || true
	report_place "$log"
}

main() {
	local boot options name

	[[ ${1:-} != -h && ${1:-} != --help ]] || { usage; exit 0; }
	load_kernel_env x86_64 build tests guest bench
	mkdir -p "$OUT"
	make -s -C "$VCM_TOP/tools" O="$OUT" vcm-bench
	write_guest_script >"$OUT/guest.sh"
	chmod +x "$OUT/guest.sh"

	for boot in "${BOOTS[@]}"; do
		read -ra options <<<"$boot"
		name=${options[0]}
		! is_selected "$name" "${patterns[@]}" || run_boot "${options[@]}"
	done | tee "$OUT/iova.txt"
	echo "$(grep -c '^PASS' "$OUT/iova.txt" || true) goals reached, $(grep -c '^MISS' "$OUT/iova.txt" || true) missed"
}

main "$@"
