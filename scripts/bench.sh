#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Measures the project beside its peers, in guests. 'make bench', 'make bench-count',
# 'make bench-iova' and 'make bench-space' build what is needed first.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly OUT=$VCM_TOP/out/bench
readonly TOOLS=$VCM_TOP/tools/vcm-bench
readonly PARTS=(heaps fragments runs threads) IOMMUS=(intel amd virtio)
# Boots that die before the run begins, which multi-threaded TCG has now and then.
readonly TRIES=4
# Four devices for threads, besides the narrow one.
readonly WIDE=edu,dma_mask=0xffffffff
readonly FIVE_DEVICES=(--module "vcm-edu-test:dma_bits=28,32,32,32,32" --device "$WIDE"
	--device "$WIDE" --device "$WIDE")

# The guests of iova: a name, the memory, the sections of vcm-bench, and options of vm.sh.
# Lazy is the kernel's default; QEMU's amd-iommu makes the kernel choose strict.
readonly IOVA_BOOTS=(
	"intel-lazy    1G pack,place,leaves,map --iommu intel"
	"intel-strict  1G map   --iommu intel --append iommu.strict=1"
	"amd           1G map   --iommu amd"
	"virtio-lazy   1G map   --iommu virtio"
	"virtio-strict 1G map   --iommu virtio --append iommu.strict=1"
	"holes-32      3G holes --iommu intel --append iommu.strict=1"
	"holes-31      3G holes --iommu intel --append iommu.strict=1 --module vcm-edu-test:dma_bits=28,31"
)

# The guests of count: the architecture, a name, options of vm.sh, and behind them the
# sections of vcm-bench. By itself the kernel is lazy on x86_64 and strict on arm64.
readonly ALL_COUNTED="count-steps count-scattered count-loop count-camera"
readonly OF_DEVICES="count-devices count-scattered count-camera"
readonly COUNT_BOOTS=(
	"x86_64 lazy -- $ALL_COUNTED"
	"x86_64 strict --append iommu.strict=1 -- $OF_DEVICES"
	"arm64 coherent -- $ALL_COUNTED"
	"arm64 non-coherent --non-coherent -- $OF_DEVICES count-caches"
)

KIMAGE=${KIMAGE:-} KMODULES=${KMODULES:-}
arch=x86_64
kernel=${VCM_BENCH_KERNEL:-stock}
iommu=${VCM_BENCH_IOMMU:-intel}
repeats=${VCM_BENCH_REPEATS:-15}
heap_largest=${VCM_BENCH_LARGEST:-256}
rounds=${ROUNDS:-200}
limit=
largest=64
update=
profile=

usage() {
	cat <<'USAGE'
usage: scripts/bench.sh heap [heaps|fragments|runs|threads]...
       scripts/bench.sh count [--arch ARCH] [--limit RATIO] [--largest MB] [--update]
                              [--profile STEP:BYTES]
       scripts/bench.sh iova [PATTERN]...
       scripts/bench.sh space [intel|amd|virtio]...

heap: the heap beside the kernel's others, by default all of
  heaps      allocate, free, touch, copy and map buffers of 4 KB to 256 MB, the
             heaps in turn; bookkeeping; the loop of dmabuf_heap_bench
  fragments  what large chunks are left when memory is in pieces
  runs       buffers in one run of memory, where others have most of it; beside the
             CMA heap with VCM_BENCH_KERNEL=bench
  threads    1 to 4 threads, on one device and on four; under TCG with a host thread
             for each CPU
  Prints tables and what became of the goals. Leaves out/bench/results.json,
  out/bench/*.png (with gnuplot), and what the guests printed in out/bench/*.tsv.

count: in a guest whose clock counts instructions, all steps; and in one whose IOMMU
  flushes at each unmap (iommu.strict=1) those of devices, called strict-... here. A line
  per step, size and peer: step, peer, bytes, instructions, and their ratio to the system
  heap's. Then the goals that are missed. Fails when a ratio is more than 2 % above that in
  tools/vcm-bench/bench-count.txt, 10 % for camera-frame, vmap and vmap-touch.
  --arch ARCH     x86_64 (default) behind VT-d; or arm64 behind SMMUv3, where the kernel
                  is strict by itself, with a table of its own, bench-count-arm64.txt. The
                  second guest is one with devices that are not coherent there:
                  non-coherent-..., and non-coherent-calls-... is how many calls reached
                  the caches
  --limit RATIO   fail when a ratio is above this one
  --largest MB    the largest buffer (default 64)
  --update        write the table instead of comparing
  --profile STEP:BYTES
                  instead: the functions that a step calls, each with how often and its
                  instructions, for the peers side by side. STEP is alloc, free, mmap,
                  vmap, map, remap, attach-map-unmap or sync

iova: where buffers go in the addresses of devices and what mapping them costs, against
  the system heap and the DMA API alone, in the guests whose names match a pattern:
  intel-lazy, intel-strict, amd, virtio-lazy, virtio-strict, holes-32, holes-31. What they
  print is in out/bench/iova-*.txt.

space: address spaces: what it takes to make one, to map in it, and to switch a device
  from one to another, also among the 16 of a set that 3.5 GB are mapped in; beside it what
  mapping for each job takes. What the guests print is in out/bench/space-*.txt.

environment: for heap VCM_BENCH_KERNEL (--kernel of scripts/vm.sh, default stock),
VCM_BENCH_IOMMU (default intel), VCM_BENCH_REPEATS (default 15), VCM_BENCH_LARGEST (MB in
the largest buffer, default 256); for space ROUNDS (how often a device is switched there and
back, default 200)
USAGE
}

# --- Guests -------------------------------------------------------------------

# The modules of kernels other than the stock one are built with them.
find_module() {
	local dir=${VCM_MODULES:-$VCM_TOP/out/modules} env file

	[[ $arch == x86_64 ]] || dir=${VCM_MODULES:-$VCM_TOP/out/$arch/modules}
	if [[ $kernel != stock ]]; then
		env=$("$VCM_TOP/scripts/kernel.sh" --print "$kernel") || exit 1
		eval "$env"
		dir=$KMODULES
	fi
	file=$(find "$dir" -name "$1.ko" -print -quit)
	[[ -n $file ]] || die "no $1.ko in $dir: run 'make' first"
	echo "$file"
}

prepare() {
	set_arch "$arch"
	load_kernel_env "$arch" build tests guest bench
	program=$OUT/vcm-bench options=()
	if [[ $arch != x86_64 ]]; then
		program=$OUT/$arch/vcm-bench
		options=(CC="${cross}gcc" AR="${cross}ar" LDFLAGS=-static)
	fi
	mkdir -p "$OUT"
	make -s -C "$VCM_TOP/tools" O="${program%/*}" "${options[@]}" vcm-bench
	cat >"$OUT/guest.sh" <<'GUEST'
#!/bin/sh
insmod /vcm-bench.ko || exit
case "$*" in
# Printing in the midst of it would be instructions too.
*count-*) /vcm-bench "$@" >/tmp/count && cat /tmp/count ;;
*) /vcm-bench "$@" ;;
esac || exit
GUEST
	chmod +x "$OUT/guest.sh"
}

# guest LOG VM_OPTION... -- ARG...: vcm-bench in a guest, adding to the log.
guest() {
	local log=$1 vm=() module
	shift

	while [[ $1 != -- ]]; do
		vm+=("$1")
		shift
	done
	module=$(find_module vcm-bench)
	"$VCM_TOP/scripts/vm.sh" --arch "$arch" --module vcm-edu-test "${vm[@]}" \
		--file "$module:/vcm-bench.ko" --file "$program:/vcm-bench" --file "$OUT/guest.sh:/guest.sh" \
		-- /guest.sh "${@:2}" >>"$log"
}

# --- Heaps --------------------------------------------------------------------

# run_heap PART MEM SECTION...
run_heap() {
	local part=$1 mem=$2 boot=()
	shift 2

	case $part in
	# The stock kernel has no heap for it.
	heaps) [[ $kernel == stock ]] || boot=(--append "cma=$((heap_largest + heap_largest / 2))M") ;;
	runs) [[ $kernel == stock ]] || boot=(--append cma=384M) ;;
	threads) boot=("${FIVE_DEVICES[@]}") ;;
	esac
	printf 'info\tqemu\t%s\n' "$(qemu-system-x86_64 --version | sed -nE '1s/^.*version ([^ ]+).*/\1/p')" \
		>"$OUT/$part.tsv"
	guest "$OUT/$part.tsv" --kernel "$kernel" --iommu "$iommu" --mem "$mem" --timeout 2400 \
		"${boot[@]}" -- --repeats "$repeats" --largest "$heap_largest" machine "$@"
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
		if VCM_ACCEL=$accel run_heap threads 1G threads; then
			[[ $accel != mttcg ]] || printf 'info\taccelerator_mode\tmulti-threaded\n' >>"$OUT/threads.tsv"
			return 0
		fi
		[[ $try -lt $TRIES ]] && ! grep -q '^threads' "$OUT/threads.tsv" || return 1
		say "the guest died before it measured, trying again"
	done
}

bench_heap() {
	local parts=("$@") part start files=()

	[[ $# -gt 0 ]] || parts=("${PARTS[@]}")
	check_names part "${PARTS[*]}" "${parts[@]}"
	prepare
	for part in "${parts[@]}"; do
		say "$part"
		start=$SECONDS
		case $part in
		heaps) run_heap heaps 4G overhead steps loop ;;
		# Small, for all of it is touched.
		fragments) run_heap fragments 1G frag ;;
		runs) run_heap runs 2G runs ;;
		threads) run_threads ;;
		esac || die "$part failed (see above and $OUT/$part.tsv)"
		say "$part: $((SECONDS - start)) s"
		files+=("$OUT/$part.tsv")
	done
	rm -rf "$OUT/plot"
	python3 "$TOOLS/results.py" heap "$OUT" "${files[@]}"
	if have gnuplot; then
		gnuplot -e "dir='$OUT'" "$TOOLS/plots.gp"
	else
		say "no gnuplot, so no pictures"
	fi
	say "figures in $OUT/results.json"
}

# --- Instructions -------------------------------------------------------------

parse_count() {
	while [[ $# -gt 0 ]]; do
		case $1 in
		--update) update=--update; shift; continue ;;
		--arch) set_arch "${2:?--arch needs a value}"; shift 2; continue ;;
		--profile) [[ ${2:-} =~ ^[a-z-]+:[1-9][0-9]*$ ]] || die "--profile ${2:-}: not STEP:BYTES (see --help)" ;;
		--limit) [[ ${2:-} =~ ^[0-9]+(\.[0-9]+)?$ ]] || die "$1 needs a number (see --help)" ;;
		--largest) [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "--largest ${2:-} is no number of MB" ;;
		*) die "unknown argument '$1' (see --help)" ;;
		esac
		printf -v "${1#--}" %s "$2"
		shift 2
	done
	[[ -z $update || $largest -eq 64 ]] || die "the table is for 64 MB: --update without --largest"
}

# What a difference may come from that is not in the source.
machine() {
	local module=$1

	printf 'info\tmachine\tLinux %s, modules by %s, QEMU %s\n' \
		"$(modinfo -F vermagic "$module" | cut -d ' ' -f 1)" \
		"$(readelf -p .comment "$module" | sed -nE 's/^.*(GCC: .*|clang .*)$/\1/p' | head -n 1)" \
		"$("$qemu" --version | sed -nE '1s/^.*version ([^ ]+).*/\1/p')"
}

# count NAME [VM_OPTION]... -- ARG...
count() {
	local log=$dir/$1 vm=()
	shift

	while [[ $1 != -- ]]; do
		vm+=("$1")
		shift
	done
	# The kernel that is built for arm64 checks the DMA API where it is not told otherwise.
	[[ $arch == x86_64 ]] || vm+=(--append dma_debug=off)
	machine "$(find_module vcm-bench)" >"$log.tsv"
	# Free memory is half of the guest's: room for a camera's buffers and the largest one.
	VCM_ACCEL=icount guest "$log.tsv" --mem "$((1280 + 4 * largest))M" "${vm[@]}" \
		--timeout 1200 -- --repeats 4 --largest "$largest" "${@:2}" 2>"$log.log" ||
		{ tail -n 5 "$log.log" >&2; die "the guest failed (log: $log.log)"; }
}

bench_count() {
	local dir boot of options guests=() files=() pid table=$TOOLS/bench-count.txt

	parse_count "$@"
	need_tools python3 readelf modinfo
	prepare
	dir=$OUT/count
	if [[ $arch != x86_64 ]]; then
		dir+=-$arch
		table=${table%.txt}-$arch.txt
	fi
	mkdir -p "$dir"
	if [[ -n $profile ]]; then
		largest=$((${profile#*:} / 1048576 + 1))
		count profile -- --bytes "${profile#*:}" profile
		exec python3 "$TOOLS/profile.py" "${profile%:*}" "$dir/profile.tsv"
	fi
	for boot in "${COUNT_BOOTS[@]}"; do
		read -r of boot <<<"$boot"
		[[ $of == "$arch" ]] || continue
		read -ra options <<<"$boot"
		files+=("$dir/${options[0]}.tsv")
		count "${options[@]}" &
		guests+=($!)
	done
	for pid in "${guests[@]}"; do
		wait "$pid"
	done
	python3 "$TOOLS/results.py" count ${limit:+--limit "$limit"} $update "$table" "${files[@]}"
}

# --- Placement and address spaces ---------------------------------------------

# report_goals LOG...: the figures of guests, and how many goals they reached.
report_goals() {
	local log

	for log; do
		echo "== $(basename "$log" .txt)"
		grep -E '^(PASS|MISS|info) ' "$log" || true
	done
	echo "$(cat "$@" | grep -c '^PASS' || true) goals reached, $(cat "$@" | grep -c '^MISS' || true) missed"
}

# run_boot LOG VM_OPTION... -- ARG...
run_boot() {
	local log=$1

	say "$(basename "$log" .txt)"
	: >"$log"
	guest "$log" --timeout 1200 "${@:2}" || { tail -n 5 "$log" >&2; die "the guest failed (log: $log)"; }
}

bench_iova() {
	local patterns=("$@") boot options sections log logs=()

	prepare
	for boot in "${IOVA_BOOTS[@]}"; do
		read -ra options <<<"$boot"
		is_selected "${options[0]}" "${patterns[@]}" || continue
		log=$OUT/iova-${options[0]}.txt
		IFS=, read -ra sections <<<"${options[2]}"
		run_boot "$log" --mem "${options[1]}" "${options[@]:3}" -- "${sections[@]}"
		logs+=("$log")
	done
	[[ ${#logs[@]} -gt 0 ]] || die "no such guest (see --help)"
	report_goals "${logs[@]}"
}

bench_space() {
	local iommus=("$@") logs=()

	[[ $# -gt 0 ]] || iommus=("${IOMMUS[@]}")
	check_names IOMMU "${IOMMUS[*]}" "${iommus[@]}"
	[[ $rounds =~ ^[1-9][0-9]*$ ]] || die "ROUNDS=$rounds is no number above 0"
	prepare
	for iommu in "${iommus[@]}"; do
		logs+=("$OUT/space-$iommu.txt")
		run_boot "$OUT/space-$iommu.txt" --iommu "$iommu" --mem 2G -- --rounds "$rounds" space set
	done
	report_goals "${logs[@]}"
	! grep -q '^MISS' "${logs[@]}"
}

# check_names WHAT KNOWN NAME...
check_names() {
	local what=$1 known=$2 name

	for name in "${@:3}"; do
		[[ " $known " == *" $name "* ]] || die "unknown $what '$name' (see --help)"
	done
}

main() {
	case "${1:-} ${2:-}" in
	*-h | *--help | *-h\ | *--help\ ) usage ;;
	heap\ * | count\ * | iova\ * | space\ *) "bench_$1" "${@:2}" ;;
	*) die "heap, count, iova or space? (see --help)" ;;
	esac
}

main "$@"
