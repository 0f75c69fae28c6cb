#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds kernels for the guest, most of them with the project in them, from the source
# that set-up downloaded. The source stays as it is: the project goes into a copy of
# it in the cache, where the builds stay for the next time.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly CONFIGS=$VCM_TOP/scripts/configs
readonly TEST_MODULES=$VCM_TOP/tools/vcmheap-test/module
KSRC=${KSRC:-}

# ARCH|FLAVOUR|TREE|FRAGMENT...: two flavours of one TREE share the objects that are
# the same in both.
readonly FLAVOURS=(
	'x86_64|debug|debug|guest guest-64 x86_64 watch debug failures kunit builtin'
	'x86_64|debug-m|debug|guest guest-64 x86_64 watch debug failures modules'
	'x86_64|debug-hide|debug|guest guest-64 x86_64 watch debug hide-pages failures builtin'
	'x86_64|kcsan|kcsan|guest guest-64 x86_64 watch kcsan builtin'
	'x86_64|bench|bench|guest guest-64 x86_64 bench modules'
	'x86_64|gcov|gcov|guest guest-64 x86_64 watch gcov failures kunit builtin'
	'arm64|stock|arm64-stock|guest guest-64 arm64 pages-4k standing-in'
	'arm64|builtin|arm64|guest guest-64 arm64 pages-4k standing-in builtin'
	'arm64|16k|arm64-16k|guest guest-64 arm64 pages-16k standing-in builtin'
	'arm64|64k|arm64-64k|guest guest-64 arm64 pages-64k standing-in builtin'
	'arm64|debug|arm64-debug|guest guest-64 arm64 pages-4k watch debug failures kunit builtin'
	'arm|builtin|arm|guest arm standing-in failures heap'
)

usage() {
	cat <<'USAGE'
usage: scripts/kernel.sh [--arch x86_64|arm64|arm] [--print] FLAVOUR...

x86_64:
  debug     every check that finds what the project may do wrong, the project
            in the image
  debug-m   the same with the project as modules
  debug-hide  as debug, and the pages of a buffer are hidden from importers
  kcsan     the check for data races, the project in the image
  bench     nothing that costs time, the project as modules
  gcov      counts what code runs, and failures to order, the project in the image
arm64:
  stock     no project: it stands in for Debian's kernel, which has no heaps there
  builtin   the same with the project in the image
  16k, 64k  as builtin, with pages of 16 and 64 KB
  debug     every check, as for x86_64, the project in the image
arm:
  builtin   with LPAE and memory that is not mapped, the heap and its KUnit tests in
            the image; there are no address spaces without an IOMMU

  --print   build, then print KIMAGE and KMODULES as assignments, with stock KDIR too

Builds are in the cache, in kernels/; done again when the sources have changed.
The first one takes minutes.
USAGE
}

arch=x86_64
print=
flavours=()

parse_args() {
	while [[ $# -gt 0 ]]; do
		case $1 in
		--arch) arch=${2:?--arch needs a value}; shift ;;
		--print) print=1 ;;
		-h | --help) usage; exit 0 ;;
		-*) die "unknown option '$1' (see --help)" ;;
		*) flavours+=("$1") ;;
		esac
		shift
	done
	[[ ${#flavours[@]} -gt 0 ]] || die "which kernel? (see --help)"
	set_arch "$arch"
	check_flavours
}

check_flavours() {
	local name known=()

	mapfile -t known < <(printf '%s\n' "${FLAVOURS[@]}" | sed -n "s/^$arch|\([^|]*\)|.*/\1/p")
	for name in "${flavours[@]}"; do
		[[ " ${known[*]} " == *" $name "* ]] ||
			die "unknown kernel '$name' for $arch (there are: ${known[*]})"
	done
}

# Sets flavour and fragments, and the places: of the tree, of its source, of its build,
# of the result.
set_flavour() {
	local line of name

	for line in "${FLAVOURS[@]}"; do
		IFS='|' read -r of flavour name fragments <<<"$line"
		[[ $of-$flavour != "$arch-$1" ]] || break
	done
	tree=$cache/tree-$name
	source=$tree/src
	! is_plain || source=$KSRC
	build=$tree/build
	result=$cache/$flavour
	[[ $arch == x86_64 ]] || result=$cache/$arch-$flavour
	log=$result.log
}

# Without the project, and so straight from the source.
is_plain() { [[ $flavour == stock ]]; }

# ---- configuration -------------------------------------------------------

# The suites come from the files that name them for user-mode Linux too.
kunit_fragment() {
	find "$VCM_TOP/drivers" -name .kunitconfig.vcm -exec cat {} + |
		grep -E '^CONFIG_.*KUNIT.*=y$' | sort -u
}

fragment() {
	case $1 in
	kunit) kunit_fragment ;;
	*) cat "$CONFIGS/$1.config" ;;
	esac
}

asked_config() {
	local name

	echo 'CONFIG_LOCALVERSION="-vcm"'
	for name in $fragments; do
		fragment "$name"
	done
}

# Kconfig leaves out without a word what a dependency does not allow.
check_config() {
	local line missing=()

	while read -r line; do
		case $line in
		CONFIG_*=*) grep -qxF -- "$line" "$build/.config" || missing+=("$line") ;;
		'# CONFIG_'*' is not set')
			line=${line#\# }
			! grep -q "^${line% is not set}=" "$build/.config" || missing+=("${line% is not set}=n")
			;;
		esac
	done <"$build/asked"
	[[ ${#missing[@]} -eq 0 ]] || die "kernel ${result##*/}: not possible in this kernel: ${missing[*]}"
}

configure() {
	asked_config >"$build/asked.new"
	if [[ -f $build/.config ]] && cmp -s "$build/asked" "$build/asked.new"; then
		# The project's Kconfig may have changed.
		run_make olddefconfig
	else
		mv "$build/asked.new" "$build/asked"
		run_make KCONFIG_ALLCONFIG="$build/asked" allnoconfig
	fi
	check_config
}

# ---- building ------------------------------------------------------------

# With gcov the project's objects alone count. Not in its fragments,
# for the sake of which a make variable per object is as good.
gcov_options() {
	local file

	[[ $flavour == gcov ]] || return 0
	while read -r file; do
		file=${file##*/}
		printf 'GCOV_PROFILE_%s.o=y\n' "${file%.c}"
	done < <(cd "$VCM_TOP" && find drivers samples -name '*.c' ! -name '*.mod.c' ! -path '*/tests/*')
}

run_make() {
	nice make -C "$source" O="$build" ARCH="$kernel_arch" CROSS_COMPILE="$cross" LOCALVERSION= \
		-j"$(nproc)" "$@" >>"$log" 2>&1 9>&- ||
		die "kernel ${result##*/}: $(grep -m1 -E 'error:|Error |\*\*\*' "$log" || tail -n 1 "$log") (log: $log)"
}

# What decides about the result: the source, what was asked for, the project.
key() {
	{
		source_origin
		asked_config
		! is_plain || return 0
		cat "${BASH_SOURCE[0]}"
		cd "$VCM_TOP"
		{ project_files | grep -v '^Documentation/'; find "$TEST_MODULES" -type f; } |
			xargs -d '\n' sha256sum
	} | sha256sum | cut -d' ' -f1
}

is_built() {
	[[ -f $result/key && $(<"$result/key") == "$now" ]]
}

# The copy of the source with the project in it.
prepare_source() {
	! is_plain || return 0
	copy_source "$tree"
	"$VCM_TOP/scripts/overlay.sh" "$tree/src" 2>"$log" || die "$(tail -n 1 "$log")"
}

install_result() {
	rm -rf "$result"
	mkdir -p "$result"
	run_make INSTALL_MOD_PATH="$result" INSTALL_MOD_STRIP=1 modules_install
	# What only tests have is not for a kernel tree.
	if ! is_plain; then
		run_make M="$TEST_MODULES" MO="$build/vcm-test" modules
		run_make M="$TEST_MODULES" MO="$build/vcm-test" INSTALL_MOD_PATH="$result" modules_install
	fi
	cp "$build/arch/$image" "$build/.config" "$build/System.map" "$result/"
	[[ -z $device_tree ]] || cp "$build/arch/$device_tree" "$result/machine.dtb"
	mv "$result/.config" "$result/config"
	cp "$build/include/config/kernel.release" "$result/release"
	[[ $flavour != gcov ]] || install_notes
}

# What the compiler noted for gcov, beside the kernel that it is about.
install_notes() {
	mkdir "$result/notes"
	(cd "$build" && find . -name '*vcm*.gcno' -print0 | tar -cf - --null -T -) |
		tar -xf - -C "$result/notes"
}

build_flavour() {
	local start=$SECONDS options now

	now=$(key)
	! is_built || return 0
	# Two runs at a time wait for each other instead of doing it all twice.
	mkdir -p "$build"
	exec 9>"$tree/lock"
	flock 9
	! is_built || return 0
	: >"$log"
	prepare_source
	[[ -f $build/vmlinux ]] || say "kernel ${result##*/}: building, minutes the first time (log: $log)"
	configure
	mapfile -t options < <(gcov_options)
	run_make "${options[@]}" "${image##*/}" ${device_tree:+"${device_tree##*/dts/}"} modules
	install_result
	echo "$now" >"$result/key"
	exec 9>&-
	say "kernel ${result##*/}: built in $((SECONDS - start)) s"
}

print_env() {
	printf '%s=%q\n' KIMAGE "$result/${image##*/}" KMODULES "$result/lib/modules/$(<"$result/release")"
	! is_plain || printf '%s=%q\n' KDIR "$build"
}

main() {
	local name

	parse_args "$@"
	load_kernel_env x86_64 build
	[[ $arch == x86_64 ]] || "$VCM_TOP/scripts/setup.sh" --arch "$arch" --source --for=build --quiet
	[[ -f $KSRC/Kconfig ]] || die "no kernel source in $KSRC: give KSRC="
	open_cache
	cache+=/kernels
	mkdir -p "$cache"
	for name in "${flavours[@]}"; do
		set_flavour "$name"
		build_flavour
		[[ -z $print ]] || print_env
	done
}

main "$@"
