#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Compiles the project, and its KUnit tests, in kernel trees of other architectures, page
# sizes and compilers than those that guests are booted with. Nothing is linked or run.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly CONFIGS=$VCM_TOP/scripts/configs
# Where the project's files are in a kernel tree.
readonly DIRS=(drivers/iommu/ drivers/dma-buf/heaps/ samples/)
KSRC=${KSRC:-}

# NAME|ARCH of the build|what make is told of the compiler|FRAGMENT...
readonly KERNELS=(
	'arm64-4k|arm64|CROSS_COMPILE=aarch64-linux-gnu-|compile pages-4k'
	'arm64-16k|arm64|CROSS_COMPILE=aarch64-linux-gnu-|compile pages-16k'
	'arm64-64k|arm64|CROSS_COMPILE=aarch64-linux-gnu-|compile pages-64k'
	'riscv64|riscv|CROSS_COMPILE=riscv64-linux-gnu-|compile riscv64'
	'clang|x86|LLVM=-19|compile x86_64'
)

usage() {
	cat <<'USAGE'
usage: scripts/test-kernels.sh [PATTERN]...

Compiles the project in kernels of other architectures (arm64, riscv64), page sizes (4, 16
and 64 KB) and compilers (clang): those whose name matches a shell pattern, by default all.
A line for each. Nothing is linked. The builds are in the cache, in kernels/.
USAGE
}

configure() {
	local fragment

	mkdir -p "$build"
	for fragment in $fragments; do
		cat "$CONFIGS/$fragment.config"
	done >"$build/asked"
	"$VCM_TOP/scripts/overlay.sh" "$tree/src" 2>/dev/null
	{
		printf 'CONFIG_%s=y\n' IOMMU_API IOMMU_DMA VCM_IOVA VCM_IOMMU DMABUF_HEAPS_VCM SAMPLES
		echo CONFIG_SAMPLE_VCM_EDU=m
		find "$VCM_TOP/drivers" -name .kunitconfig.vcm -exec cat {} + | grep -E '^CONFIG_.*VCM.*=y$'
	} | sort -u >>"$build/asked"
	run_make KCONFIG_ALLCONFIG="$build/asked" allnoconfig
}

run_make() {
	nice make -C "$tree/src" O="$build" ARCH="$kernel_arch" "$compiler" LOCALVERSION= -j"$(nproc)" "$@"
}

# All sources of the project have an object, but for tests that Kconfig leaves out: what
# they make up of an IOMMU is not for all architectures.
all_compiled() {
	local file missing=()

	while read -r file; do
		[[ $kernel_arch != riscv || $file != drivers/iommu/tests/* ]] || continue
		[[ -f $build/${file%.c}.o ]] || missing+=("$file")
	done < <(project_files | grep '\.c$')
	[[ ${#missing[@]} -eq 0 ]] || { echo "not compiled: ${missing[*]}"; return 1; }
}

# Not W=1, which scripts/check.sh has: clang's takes a check that one page size does not need
# for a mistake.
compile() {
	local build=$tree/$name

	{ configure && run_make KCFLAGS=-Werror "${DIRS[@]}"; } >"$build.log" 2>&1 ||
		{ grep -m5 -E 'error:|Error |\*\*\*' "$build.log" || tail -n 3 "$build.log"; return 1; }
	all_compiled
}

main() {
	local line name kernel_arch compiler fragments tree cache

	for line; do
		case $line in
		-h | --help) usage; exit 0 ;;
		-*) die "unknown option '$line' (see --help)" ;;
		esac
	done
	load_kernel_env x86_64 build kernels
	"$VCM_TOP/scripts/setup.sh" --arch arm64 --source --for=build --quiet
	open_cache
	tree=$cache/kernels/tree-compile
	mkdir -p "$tree"
	exec 9>"$tree/lock"
	flock 9
	copy_source "$tree"
	for line in "${KERNELS[@]}"; do
		IFS='|' read -r name kernel_arch compiler fragments <<<"$line"
		! is_selected "$name" "$@" || run_check "$name" compile
	done
	print_checks
}

main "$@"
