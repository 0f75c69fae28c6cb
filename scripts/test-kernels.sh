#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Compiles the project, and its KUnit tests, in kernel trees of other architectures, page
# sizes and compilers than those that guests are booted with: nothing of that is linked or
# run. And builds the modules for the other kernels that the mirror has, and boots them.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/mirror.sh
. "$VCM_TOP/scripts/mirror.sh"

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
	cat <<USAGE
usage: scripts/test-kernels.sh [PATTERN]...

Compiles the project in kernels of other architectures (arm64, riscv64), page sizes (4, 16
and 64 KB) and compilers (clang): those whose name matches a shell pattern, by default all.
A line for each. Nothing is linked.

Then, of each series that a suite of the mirror has headers of ($(mirror_suites | xargs)),
the newest kernel that is not the one that guests are booted with: linux-VERSION. The
modules are built for it, and a guest with it runs a few tests; an older one than $OLDEST has to be
refused with what it lacks. 340 MB to download and 2 GB for each that is built.

The builds are in the cache, in kernels/.
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

# ---- kernels of the mirror -----------------------------------------------

# Those that have no kernel packages at all cost a request. Not experimental: what it has
# are release candidates, whose names are not those that their source makes.
mirror_suites() { { suites; echo unstable; } | awk '!seen[$0]++'; }

# The newest kernel of each series of suite $1.
list_series() {
	private_apt "$cache/apt/$1" apt-cache pkgnames linux-headers- |
		sed -nE 's/^linux-headers-([0-9.]+(\+deb[0-9]+)?)-amd64$/\1/p' | sort -rV |
		awk -F. '!seen[$1 "." $2 + 0]++'
}

# Lines "VERSION SUITE". A suite may be another one's name.
mirror_kernels() {
	local suite status mirror

	mirror=$(find_mirror)
	while read -r suite; do
		status=0
		update_suite "$cache/apt/$suite" "$mirror" "$suite" || status=$?
		[[ $status -ne 3 ]] || continue
		[[ $status -eq 0 ]] || die "the mirror cannot be asked for $suite"
		list_series "$suite" | sed "s/$/ $suite/"
	done < <(mirror_suites) | awk -v used="$(sed -n 's/^KVER=//p' "$cache/kernel.env" 2>/dev/null)" \
		'$1 != used && !seen[$1]++'
}

is_older() { [[ $1 != "$2" && $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]; }

# Kernel $1 of suite $2: the build says in a line that it is too old, and what it lacks.
refused() {
	local dir=$tree/headers-$1 said

	rm -rf "$dir"
	mkdir -p "$dir"
	(cd "$dir" && private_apt "$cache/apt/$2" apt-get download "linux-headers-$1-amd64" >/dev/null)
	dpkg-deb -x "$dir"/*.deb "$dir"
	said=$(make -s -C "$VCM_TOP" OUT="$dir/out" KDIR="$dir/usr/src/linux-headers-$1-amd64" modules 2>&1) &&
		{ echo "it was built"; return 1; }
	rm -rf "$dir"
	echo "$said"
	[[ $said == *" is Linux $1-amd64, too old: "*"(not exported: "* && $(grep -c '^setup: ' <<<"$said") -eq 1 ]]
}

# Kernel $1 of suite $2: a cache of its own, as that of the kernel that is set up.
boots() {
	local own=$cache/kernels/linux-$1

	mkdir -p "$own"
	printf '%s=%q\n' KVER "$1" SUITE "$2" >"$own/kernel.env"
	export VCM_CACHE=$own
	make -s -C "$VCM_TOP" OUT="$own/out" modules
	VCM_MODULES=$own/out/modules "$VCM_TOP/scripts/vm.sh" --iommu intel --module vcm-edu-test \
		--file "$VCM_TOP/out/tests/vcm_alloc" --file "$VCM_TOP/out/tests/vcm_dma" \
		--file "$VCM_TOP/out/tests/vcm_space" -- sh -ec "vcm_alloc; vcm_dma; vcm_space --run-subtest 'same-address,window'"
}

check_mirror() {
	local version suite what

	have dpkg-deb || return 0
	while read -r version suite; do
		is_selected "linux-$version" "$@" || continue
		what=boots
		! is_older "$version" "$OLDEST" || what=refused
		run_check "linux-$version ($suite): $what" "$what" "$version" "$suite"
	done < <(mirror_kernels)
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
	check_mirror "$@"
	print_checks
}

main "$@"
