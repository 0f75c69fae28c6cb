#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Measures the vcm heap beside the other heaps of the kernel. 'make bench' builds
# what is needed first.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly OUT=$VCM_TOP/out/bench
readonly PARTS=(heaps fragments threads)
# Boots that die before the run begins, which multi-threaded TCG has now and then.
readonly TRIES=4

KIMAGE=${KIMAGE:-} KMODULES=${KMODULES:-}
kernel=${VCM_BENCH_KERNEL:-stock}
iommu=${VCM_BENCH_IOMMU:-intel}
repeats=${VCM_BENCH_REPEATS:-15}
largest=${VCM_BENCH_LARGEST:-256}

usage() {
	cat <<'USAGE'
usage: scripts/bench.sh [heaps|fragments|threads]...

Measures in a guest for each part, by default all:
  heaps      allocate, free, touch, copy and map buffers of 4 KB to 256 MB, the
             heaps in turn; bookkeeping; the loop of dmabuf_heap_bench
  fragments  what large chunks are left when memory is in pieces
  threads    1 to 4 threads; under TCG with a host thread for each CPU

Prints tables and what became of the goals. Leaves out/bench/results.json,
out/bench/*.png (with gnuplot), and what the guests printed in out/bench/*.tsv.

environment: VCM_BENCH_KERNEL (--kernel of scripts/vm.sh, default stock),
VCM_BENCH_IOMMU (default intel), VCM_BENCH_REPEATS (default 15),
VCM_BENCH_LARGEST (MB in the largest buffer, default 256), VCM_BENCH_OPTIONS
(further options for vcm-bench, see its --help)
USAGE
}

# The modules of kernels other than the stock one are built with them.
find_module() {
	local dir=${VCM_MODULES:-$VCM_TOP/out/modules} env file

	if [[ $kernel != stock ]]; then
		env=$("$VCM_TOP/scripts/kernel.sh" --print "$kernel") || exit 1
		eval "$env"
		dir=$KMODULES
	fi
	file=$(find "$dir" -name "$1.ko" -print -quit)
	[[ -n $file ]] || die "no $1.ko in $dir"
	echo "$file"
}

# What the guest runs.
write_guest_script() {
	cat <<'GUEST'
#!/bin/sh
insmod /vcm-bench.ko && exec /vcm-bench heap "$@"
GUEST
}

# run_guest PART MEM SECTION...
run_guest() {
	local part=$1 mem=$2 options=() module boot=()
	shift 2

	module=$(find_module vcm-bench)
	read -ra options <<<"${VCM_BENCH_OPTIONS:-}"
	# The stock kernel has no heap for it.
	[[ $part != heaps || $kernel == stock ]] || boot=(--append "cma=$((largest + largest / 2))M")
	"$VCM_TOP/scripts/vm.sh" --kernel "$kernel" --iommu "$iommu" --mem "$mem" --timeout 2400 \
		"${boot[@]}" --module vcm-edu-test --file "$module:/vcm-bench.ko" \
		--file "$OUT/vcm-bench:/vcm-bench" --file "$OUT/guest.sh:/guest.sh" \
		-- /guest.sh --repeats "$repeats" --largest "$largest" "${options[@]}" \
		machine "$@" >>"$OUT/$part.tsv"
}

# What is known outside of the guest only.
write_host_info() {
	printf 'info\tqemu\t%s\n' "$(qemu-system-x86_64 --version | sed -nE '1s/^.*version ([^ ]+).*/\1/p')"
}

run_part() {
	local part=$1 start=$SECONDS

	say "$part"
	write_host_info >"$OUT/$part.tsv"
	case $part in
	heaps) run_guest heaps 4G overhead steps loop ;;
	# Small, for all of it is touched.
	fragments) run_guest fragments 1G frag ;;
	threads) run_threads ;;
	esac || die "$part failed (see above and $OUT/$part.tsv)"
	say "$part: $((SECONDS - start)) s"
}

# Whether a part that ran says that the CPU is emulated; without any, it is.
is_tcg() {
	local cpu

	cpu=$(sed -n 's/^info\tcpu\t//p' "$OUT/heaps.tsv" "$OUT/fragments.tsv" 2>/dev/null | head -n 1)
	[[ -z $cpu || $cpu == *TCG* ]]
}

# The emulated CPUs share a thread of the host, unless it is said otherwise. Then
# a boot may die; one that did not begin to measure is tried again.
run_threads() {
	local try accel=${VCM_ACCEL:-}

	if [[ -z $accel ]] && is_tcg; then
		accel=mttcg
	fi
	for ((try = 1; ; try++)); do
		write_host_info >"$OUT/threads.tsv"
		[[ $accel != mttcg ]] || printf 'info\taccelerator_mode\tmulti-threaded\n' >>"$OUT/threads.tsv"
		if VCM_ACCEL=$accel run_guest threads 1G threads; then
			return 0
		fi
		if [[ $try -ge $TRIES ]] || grep -q '^threads' "$OUT/threads.tsv"; then
			return 1
		fi
		say "the guest died before it measured, trying again"
	done
}

report() {
	local part files=()

	for part; do
		files+=("$OUT/$part.tsv")
	done
	rm -rf "$OUT/plot"
	python3 "$VCM_TOP/tools/vcm-bench/results.py" "$OUT" "${files[@]}"
	if have gnuplot; then
		gnuplot -e "dir='$OUT'" "$VCM_TOP/tools/vcm-bench/plots.gp"
	else
		say "no gnuplot, so no pictures"
	fi
	say "figures in $OUT/results.json"
}

main() {
	local parts=("$@") part

	[[ ${1:-} != -h && ${1:-} != --help ]] || { usage; exit 0; }
	[[ $# -gt 0 ]] || parts=("${PARTS[@]}")
	for part in "${parts[@]}"; do
		[[ " ${PARTS[*]} " == *" $part "* ]] || die "unknown part '$part' (see --help)"
	done

	load_kernel_env x86_64 build guest bench
	mkdir -p "$OUT"
	make -s -C "$VCM_TOP/tools" O="$OUT" vcm-bench
	write_guest_script >"$OUT/guest.sh"
	chmod +x "$OUT/guest.sh"
	for part in "${parts[@]}"; do
		run_part "$part"
	done
	report "${parts[@]}"
}

main "$@"
