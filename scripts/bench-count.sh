#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Counts the instructions of each step of a buffer's life beside those of the system
# heap. 'make bench-count' builds what is needed first.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly OUT=$VCM_TOP/out/bench/count
readonly TABLE=$VCM_TOP/tools/vcm-bench/bench-count.txt

KIMAGE=${KIMAGE:-}
limit=
largest=64
update=
profile=

usage() {
	cat <<'USAGE'
usage: scripts/bench-count.sh [--limit RATIO] [--largest MB] [--update]

In a guest whose clock counts instructions, all steps; and in one whose IOMMU flushes at
each unmap (iommu.strict=1) those of devices, called strict-... here. A line per step,
size and peer: step, peer, bytes, instructions, and their ratio to the system heap's.
Then the goals that are missed. Fails when a ratio is more than 2 % above that in
tools/vcm-bench/bench-count.txt.

  --limit RATIO   fail when a ratio is above this one
  --largest MB    the largest buffer (default 64)
  --update        write the table instead of comparing
  --profile STEP:BYTES
                  instead: the functions that a step calls, each with how often and its
                  instructions, for the peers side by side. STEP is alloc, free, mmap,
                  vmap, map, remap, attach-map-unmap or sync
USAGE
}

parse_args() {
	while [[ $# -gt 0 ]]; do
		case $1 in
		--update) update=--update ;;
		-h | --help) usage; exit 0 ;;
		--profile)
			[[ ${2:-} =~ ^(alloc|free|mmap|vmap|map|remap|attach-map-unmap|sync):[1-9][0-9]*$ ]] ||
				die "--profile ${2:-}: not STEP:BYTES (see --help)"
			profile=$2
			shift
			;;
		--limit | --largest)
			[[ ${2:-} =~ ^[0-9]+(\.[0-9]+)?$ ]] || die "$1 needs a number (see --help)"
			printf -v "${1#--}" %s "$2"
			shift
			;;
		*) die "unknown argument '$1' (see --help)" ;;
		esac
		shift
	done
	[[ $largest =~ ^[1-9][0-9]*$ ]] || die "--largest $largest is no number of MB"
	[[ -z $update || $largest -eq 64 ]] || die "the table is for 64 MB: --update without --largest"
}

# Printing in the midst of it would be instructions too.
write_guest_script() {
	cat <<'GUEST'
#!/bin/sh
insmod /vcm-bench.ko && /vcm-bench count "$@" >/tmp/count && cat /tmp/count
GUEST
}

# What a difference may come from that is not in the source.
machine() {
	local module=$1

	printf 'info\tmachine\tLinux %s, modules by %s, QEMU %s\n' \
		"$(modinfo -F vermagic "$module" | cut -d ' ' -f 1)" \
		"$(readelf -p .comment "$module" | sed -nE 's/^.*(GCC: .*|clang .*)$/\1/p' | head -n 1)" \
		"$(qemu-system-x86_64 --version | sed -nE '1s/^.*version ([^ ]+).*/\1/p')"
}

# count NAME KERNEL_ARGS SECTION...
count() {
	local name=$1 append=$2 dir=${VCM_MODULES:-$VCM_TOP/out/modules} module
	shift 2

	module=$(find "$dir" -name vcm-bench.ko -print -quit)
	[[ -n $module ]] || die "no vcm-bench.ko in $dir"
	machine "$module" >"$OUT/$name.tsv"
	# Free memory is half of the guest's: room for a camera's buffers and the largest one.
	VCM_ACCEL=icount "$VCM_TOP/scripts/vm.sh" --mem "$((1280 + 4 * largest))M" --append "$append" \
		--timeout 1200 --module vcm-edu-test --file "$module:/vcm-bench.ko" --file "$OUT/vcm-bench:/vcm-bench" \
		--file "$OUT/guest.sh:/guest.sh" \
		-- /guest.sh --repeats 4 --largest "$largest" "$@" >>"$OUT/$name.tsv" 2>"$OUT/$name.log" ||
		{ tail -n 5 "$OUT/$name.log" >&2; die "the guest failed (log: $OUT/$name.log)"; }
}

main() {
	local lazy strict

	parse_args "$@"
	need_tools python3 readelf modinfo
	load_kernel_env x86_64 build guest bench
	mkdir -p "$OUT"
	make -s -C "$VCM_TOP/tools" O="$OUT" vcm-bench
	write_guest_script >"$OUT/guest.sh"
	chmod +x "$OUT/guest.sh"
	if [[ -n $profile ]]; then
		largest=$((${profile#*:} / 1048576 + 1))
		count profile "" --bytes "${profile#*:}" profile
		exec python3 "$VCM_TOP/tools/vcm-bench/profile.py" "${profile%:*}" "$OUT/profile.tsv"
	fi
	count lazy "" steps scattered loop camera &
	lazy=$!
	count strict iommu.strict=1 devices scattered camera &
	strict=$!
	wait "$lazy"
	wait "$strict"
	python3 "$VCM_TOP/tools/vcm-bench/count.py" ${limit:+--limit "$limit"} $update \
		"$TABLE" "$OUT/lazy.tsv" "$OUT/strict.tsv"
}

main "$@"
