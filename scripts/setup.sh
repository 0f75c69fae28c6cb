#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Sets up what is needed for a purpose: Debian packages on this machine, and in a
# cache an unmodified Debian kernel (image, modules, source, build tree).
# Every step leaves either nothing or a complete result, so that an interrupted
# run can be repeated, and is skipped when its result is there.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/mirror.sh
. "$VCM_TOP/scripts/mirror.sh"

readonly SERIES=7.3
# Written to the record of the chosen kernel, read back from it.
KVER='' SUITE=''
# Where programs are newer than on this machine.
readonly NEWER_SUITE=testing

# What each purpose needs.
declare -rA PACKAGES=(
	[build]="gcc make libc6-dev flex bison bc libelf-dev libssl-dev cpio kmod dwarves
		xz-utils rsync perl python3 debian-archive-keyring"
	[guest]="qemu-system-x86 busybox-static cpio kmod xz-utils zstd"
	[tests]="gcc make libc6-dev intel-gpu-tools libdrm-dev udev trace-cmd
		linux-perf"
	[check]="g++ sparse shellcheck dwarves perl python3"
	[bench]="python3 gnuplot-nox"
	[coverage]="gcc python3 gcovr"
	[mutate]="coccinelle python3 rsync"
	[docs]="python3-sphinx"
	[igt]="debian-archive-keyring xz-utils"
	[programs]="debian-archive-keyring xz-utils libvulkan-dev glslang-tools"
	[deb]="debhelper dh-dkms dpkg-dev gcc make libc6-dev"
	[deb-test]="mmdebstrap debian-archive-keyring e2fsprogs"
	[kernels]="clang-19 lld-19 llvm-19 gcc-riscv64-linux-gnu rsync"
)

# What it needs besides for guests of an architecture that is not this machine's.
declare -rA ARCH_PACKAGES=(
	[arm64:build]="gcc-aarch64-linux-gnu"
	[arm64:guest]="qemu-system-arm device-tree-compiler"
	[arm64:tests]="gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
	[arm:build]="gcc-arm-linux-gnueabihf"
	[arm:guest]="qemu-system-arm device-tree-compiler"
	[arm:tests]="gcc-arm-linux-gnueabihf libc6-dev-armhf-cross"
)

# What a purpose needs for guests from a newer Debian: packages; and the files that are
# meant, below usr/, to which come the libraries that they are linked with.
readonly NEWER_LIB=lib/x86_64-linux-gnu
declare -rA NEWER_PACKAGES=(
	[igt]="igt-gpu-tools"
	[programs]="igt-gpu-tools mesa-vulkan-drivers libvulkan1 libcamera-tools
		gstreamer1.0-tools gstreamer1.0-libcamera"
)
declare -rA NEWER_FILES=(
	[igt]="bin/igt_runner"
	[programs]="bin/cam bin/gst-launch-1.0 $NEWER_LIB/libigt.so.0 $NEWER_LIB/libSDL3.so.0
		$NEWER_LIB/libvulkan.so.1 $NEWER_LIB/libvulkan_lvp.so share/vulkan/icd.d/lvp_icd*
		$NEWER_LIB/gstreamer-1.0/libgstcoreelements.so
		$NEWER_LIB/gstreamer-1.0/libgstlibcamera.so"
)
# Packages that those bring, and that none of the files needs.
readonly NEWER_UNUSED='^(fonts-|glycin-|iso-codes|libgtk-3|libqt6|mesa-libgallium|python3|systemd|xkb-)'

# The parts of the cache in MB, measured with 7.3.4, and a tenth more.
declare -rA PART_MB=([debs]=320 [root]=160 [src]=2000 [build]=40 [uapi]=20)

usage() {
	cat <<USAGE
usage: scripts/setup.sh [--for PURPOSE]... [--arch x86_64|arm64|arm] [--quiet] [--print]

  --arch    x86_64 (default); arm64, arm: the packages to build for it and to boot it, and
            a kernel built from the same source, because Debian's has no heaps (cold: 6
            minutes)
  --source  without a kernel built from the source
  --for     build (default), guest, tests, check, bench, coverage, mutate, docs, kernels, igt,
            programs, deb, deb-test or all: the packages of that purpose; those of build too
            while there is no kernel. igt, programs: for a guest, besides, programs of a newer
            Debian with their libraries, in newer/ of the cache; deb-test: a disk with the
            Debian that the kernel is for
  --quiet   say nothing when there is nothing to do
  --print   set up, then print KDIR, KIMAGE, KMODULES, KSRC and the like as assignments

environment:
  VCM_CACHE    where everything goes (default ~/.cache/vcm)
  VCM_MIRROR   Debian mirror to use instead of the one of this machine
  VCM_SUITES   suites to look in, in order
  KDIR, KIMAGE, KMODULES, KSRC   a kernel of your own: nothing is downloaded
USAGE
}

arch=x86_64
source_only=
purposes=()
quiet=
print=
began=$SECONDS
worked=
ticker=

parse_args() {
	while [[ $# -gt 0 ]]; do
		case $1 in
		--arch | --for)
			[[ $# -ge 2 ]] || die "$1 needs a value (see --help)"
			set -- "$1=$2" "${@:3}"
			continue
			;;
		--arch=*) arch=${1#*=} ;;
		--for=all) purposes+=("${!PACKAGES[@]}") ;;
		--for=*)
			[[ -n ${PACKAGES[${1#*=}]:-} ]] || die "unknown purpose '${1#*=}' (see --help)"
			purposes+=("${1#*=}")
			;;
		--source) source_only=1 ;;
		--quiet) quiet=1 ;;
		--print) print=1 ;;
		-h | --help) usage; exit 0 ;;
		*) die "unknown argument '$1' (see --help)" ;;
		esac
		shift
	done
	[[ ${#purposes[@]} -gt 0 ]] || purposes=(build)
	set_arch "$arch"
}

is_for() { [[ " ${purposes[*]} " == *" $1 "* ]]; }

# ---- steps ---------------------------------------------------------------

free_mb() { df -Pm "$1" | awk 'NR == 2 { print $4 }'; }

# The exit status of a step that found the disk full, which its log may have no
# room to say.
readonly DISK_FULL=28

end_of_step() {
	local status=$?

	[[ $status -eq 0 || $(free_mb "$cache") -ge 20 ]] || status=$DISK_FULL
	cleanup
	exit "$status"
}

# Why the step with log file $1 failed with status $2, in one line.
reason() {
	if [[ $2 -eq $DISK_FULL ]] || grep -qi 'no space left on device' "$1"; then
		echo "the disk of $cache is full"
	elif grep -qE 'Could not resolve|Temporary failure resolving|Could not connect|Cannot initiate|Connection (timed out|refused|failed)|Network is unreachable|Failed to fetch' "$1"; then
		echo "the mirror cannot be reached (no network?): $(grep -m1 -E '^(Err|E|W):' "$1" || true)"
	else
		tail -n 1 "$1"
	fi
}

# step TEXT FUNCTION [ARG]...: run it with a line of progress, its output to a
# log. In a subshell with errexit on, which a function tested by `if` has not.
step() {
	local text=$1 start=$SECONDS log status=0
	shift

	log=$cache/log/$1.log
	worked=1
	say "$text ..."
	show_progress "$text" "$start" 7>&- 9>&- &
	ticker=$!
	set +e
	(set -e; trap end_of_step EXIT; "$@") >"$log" 2>&1
	status=$?
	set -e
	stop_ticker
	[[ $status -eq 0 ]] || die "$text: $(reason "$log" "$status") (log: $log)"
	say "$text: $((SECONDS - start)) s"
}

# What a step has put into its temporary directory by now, in MB.
work_mb() {
	du -smc "$cache"/tmp.* 2>/dev/null | awk 'END { print $1 + 0 }'
}

# Until it is stopped, or the script is gone: on a terminal a line that moves,
# elsewhere a line a minute. Waits without a process of its own, which would
# outlive it.
show_progress() {
	local text=$1 start=$2 pause=60 mb line

	[[ ! -t 2 ]] || pause=2
	while ! read -rt "$pause" <> <(:) && kill -0 $$ 2>/dev/null; do
		mb=$(work_mb)
		line="$((SECONDS - start)) s"
		((mb == 0)) || line+=", $mb MB"
		if [[ -t 2 ]]; then
			printf '\r%.79s\e[K' "${VCM_PROG%.sh}: $line: $text" >&2
		else
			say "$text ... $line"
		fi
	done
}

stop_ticker() {
	[[ -n $ticker ]] || return 0
	kill "$ticker" 2>/dev/null || true
	wait "$ticker" 2>/dev/null || true
	ticker=
	[[ ! -t 2 ]] || printf '\r\e[K' >&2
}

# Makes the temporary directory $work, which the exit trap removes.
make_work() {
	work=$(mktemp -d "$cache/tmp.XXXXXX")
}

cleanup() {
	stop_ticker
	[[ -z ${work:-} ]] || rm -rf "$work"
}

# ---- packages of this machine --------------------------------------------

wanted_packages() {
	local purpose

	for purpose in "${purposes[@]}"; do
		tr -s ' \t\n' '\n' <<<"${PACKAGES[$purpose]} ${ARCH_PACKAGES[$arch:$purpose]:-}"
	done | sed '/^$/d' | LC_ALL=C sort -u
}

missing_packages() {
	local installed

	# What it does not know it complains about.
	# shellcheck disable=SC2016 # a format of dpkg-query
	installed=$(wanted_packages | xargs dpkg-query -W -f='${db:Status-Abbrev}${Package}\n' 2>/dev/null |
		sed -n 's/^.i //p') || true
	wanted_packages | grep -vxFf <(printf '%s\n' "$installed") || true
}

# One run at a time on this machine, whatever their caches are; a package manager
# that somebody else runs is waited for.
install_packages() {
	local missing

	exec 7</var/lib/dpkg
	flock 7
	mapfile -t missing < <(missing_packages)
	[[ ${#missing[@]} -gt 0 ]] || return 0
	# A third party's source that fails must not stop us: what matters is
	# whether the packages can be had.
	apt-get update || true
	DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 \
		install -y --no-install-recommends "${missing[@]}"
}

setup_host() {
	local missing

	have dpkg-query || die "no dpkg, not a Debian machine? Give $OWN_KERNEL"
	mapfile -t missing < <(missing_packages)
	[[ ${#missing[@]} -gt 0 ]] || return 0
	[[ $(id -u) -eq 0 ]] ||
		die "packages are missing, as root run: apt-get install --no-install-recommends ${missing[*]}"
	step "install ${missing[*]}" install_packages
}

# ---- the mirror ----------------------------------------------------------

# Chooses the kernel: the newest of the series, else the newest of all.
# Leaves "VERSION SUITE" in $1/found.
search_kernel() {
	local dir=$1 mirror=$2 suite version status newest='' newest_suite=''

	while read -r suite; do
		status=0
		update_suite "$dir/$suite" "$mirror" "$suite" || status=$?
		[[ $status -ne 3 ]] || continue
		[[ $status -eq 0 ]] || return "$status"
		version=$(list_kernels "$dir/$suite" | grep -m1 -F "$SERIES." || true)
		if [[ -n $version ]]; then
			echo "$version $suite" >"$dir/found"
			return 0
		fi
		version=$(list_kernels "$dir/$suite" | head -n 1)
		if [[ -n $version && $(printf '%s\n' "$newest" "$version" | sort -V | tail -n 1) != "$newest" ]]; then
			newest=$version
			newest_suite=$suite
		fi
	done < <(suites)
	[[ -z $newest ]] || { echo "$newest $newest_suite" >"$dir/found"; return 0; }
	echo "no kernel packages (linux-binary-*) in any of: $(suites | xargs)"
	return 1
}

resolve() {
	local dir=$cache/apt mirror version suite

	mirror=$(find_mirror)
	step "look for the kernel on the mirror" search_kernel "$dir" "$mirror"
	read -r version suite <"$dir/found"
	[[ $version == "$SERIES".* ]] ||
		say "the mirror has no $SERIES kernel: taking the newest, $version from $suite"
	make_work
	printf '%s=%q\n' KVER "$version" SUITE "$suite" >"$work/env"
	mv "$work/env" "$cache/kernel.env"
	rm -rf "$work"
}

# ---- the kernel ----------------------------------------------------------

# NAME=VERSION of each package; the source at the binary's version: the suite may
# have moved on.
kernel_packages() {
	local dir=$cache/apt/$SUITE pkgver

	pkgver=$(private_apt "$dir" apt-cache show "linux-binary-$KVER-amd64" |
		sed -n 's/^Version: //p' | head -n 1)
	printf "%s=$pkgver\n" "linux-binary-$KVER-amd64" "linux-modules-$KVER-amd64" \
		"linux-headers-$KVER-amd64" "linux-source-$(cut -d. -f1,2 <<<"$KVER")"
}

download_mb() {
	local packages

	mapfile -t packages < <(kernel_packages)
	private_apt "$cache/apt/$SUITE" apt-cache show "${packages[@]}" 2>/dev/null |
		awk '$1 == "Size:" { bytes += $2 } END { printf "%d", bytes / 1000000 }'
}

download() {
	local packages

	mapfile -t packages < <(kernel_packages)
	make_work
	cd "$work"
	private_apt "$cache/apt/$SUITE" apt-get download "${packages[@]}"
	cd "$cache"
	mv "$work" "$tree/debs"
}

# The lists age: with a version recorded earlier and nothing downloaded yet,
# what the record names may be gone from the mirror.
refresh_suite() {
	[[ -d $cache/apt/$SUITE/lists ]] || update_suite "$cache/apt/$SUITE" "$(find_mirror)" "$SUITE"
}

unpack_binaries() {
	local pkg

	make_work
	for pkg in binary modules headers; do
		dpkg-deb -x "$tree/debs/linux-$pkg-"*.deb "$work"
	done
	# The package manager would do this on installation.
	ln -s usr/lib "$work/lib"
	depmod -b "$work" "$RELEASE"
	mv "$work" "$tree/root"
}

unpack_source() {
	make_work
	dpkg-deb --fsys-tarfile "$tree"/debs/linux-source-*.deb |
		tar -xO --wildcards './usr/src/linux-source-*.tar.xz' |
		tar -xJ -C "$work" --strip-components=1
	mv "$work" "$tree/src"
}

# In place, with a stamp: the tree's makefiles and tools hold its own path.
prepare_build() {
	local release headers=$tree/root/usr/src/linux-headers-$RELEASE build=$tree/build

	rm -rf "$build"
	mkdir "$build"
	cp "$headers/.config" "$build/"
	# No Rust: not needed, and it needs tools that a plain machine lacks. BTF
	# stays on, for it changes the layout of struct module: without it a
	# module that has an exit function does not load ("Invalid relocation
	# target"). The name has to be Debian's own for the vermagic.
	"$tree/src/scripts/config" --file "$build/.config" \
		-d RUST \
		--set-str LOCALVERSION "${RELEASE#"${KVER%%+*}"}" \
		--set-str SYSTEM_TRUSTED_KEYS "" --set-str MODULE_SIG_KEY ""
	make -C "$tree/src" O="$build" olddefconfig
	make -C "$tree/src" O="$build" -j"$(nproc)" modules_prepare
	cp "$headers/Module.symvers" "$build/"
	release=$(<"$build/include/config/kernel.release")
	[[ $release == "$RELEASE" ]] ||
		{ echo "the source makes kernel $release, the package is $RELEASE"; return 1; }
	touch "$build/.vcm-prepared"
}

headers_install() {
	make_work
	make -C "$tree/src" O="$work" -j"$(nproc)" headers
	mv "$work/usr/include" "$tree/uapi"
	rm -rf "$work"
}

# Without a record there is no kernel yet. A build tree holds its own path: it is made
# again in a cache that was moved.
has_part() {
	[[ -n ${tree:-} ]] || return 1
	case $1 in
	debs) [[ -d $tree/debs || (-d $tree/root && -d $tree/src) ]] ;;
	build) [[ -f $tree/build/.vcm-prepared && $(readlink "$tree/build/source") == "$tree/src" ]] ;;
	*) [[ -d $tree/$1 ]] ;;
	esac
}

# The disk has to hold what is not there yet.
check_space() {
	local part mb need=0

	for part in "${!PART_MB[@]}"; do
		has_part "$part" || need=$((need + PART_MB[$part]))
	done
	mb=$(free_mb "$cache")
	[[ $mb -ge $need ]] ||
		die "$cache has $mb MB free, set-up needs $need more (VCM_CACHE=<dir> to put it elsewhere)"
}

read_record() {
	# shellcheck source=/dev/null
	. "$cache/kernel.env"
	tree=$cache/linux-$KVER
	RELEASE=$KVER-amd64
	mkdir -p "$tree"
}

is_ready() {
	[[ -f $cache/kernel.env ]] || return 1
	read_record
	has_part root && has_part src && has_part build && has_part uapi
}

setup_kernel() {
	# Two runs at a time wait for each other instead of doing it all twice.
	exec 9>"$cache/lock"
	flock 9
	! is_ready || return 0
	rm -rf "$cache"/tmp.*
	check_space
	[[ -f $cache/kernel.env ]] || resolve
	read_record
	if ! has_part debs; then
		step "ask the mirror for linux $KVER" refresh_suite
		step "download linux $KVER from $SUITE ($(download_mb) MB)" download
	fi
	has_part root || step "unpack image and modules" unpack_binaries
	has_part src || step "unpack the source" unpack_source
	# 290 MB that are needed no more.
	rm -rf "$tree/debs"
	has_part build || step "prepare the build tree" prepare_build
	has_part uapi || step "make the userspace headers" headers_install
	exec 9>&-
}

# ---- another architecture -------------------------------------------------

# What this machine has no package of, from its own Debian.
download_busybox() {
	local apt_arch=$deb_arch suite dir

	suite=$(own_codename)
	dir=$cache/apt/$arch-${suite:=stable}
	update_suite "$dir" "$(find_mirror)" "$suite"
	make_work
	cd "$work"
	private_apt "$dir" apt-get download busybox-static
	dpkg-deb -x busybox-static*.deb root
	# Debian has it in /bin or in /usr/bin.
	mkdir "$work/guest"
	find root -path '*bin/busybox' -exec mv {} guest/ \;
	[[ -x guest/busybox ]] || { echo "no busybox in its package"; return 1; }
	cd "$cache"
	mv "$work/guest" "$cache/guest-$arch"
	rm -rf "$work"
}

# Unpacks packages of a newer Debian, and those that they need, into $work/root.
unpack_newer() {
	local dir=$cache/apt/$NEWER_SUITE packages file

	update_suite "$dir" "$(find_mirror)" "$NEWER_SUITE"
	mapfile -t packages < <(private_apt "$dir" apt-get install -y --no-install-recommends --print-uris "$@" |
		sed -nE "s/^'[^']+' ([^_]+)_.*/\1/p" | grep -vE "$NEWER_UNUSED")
	[[ ${#packages[@]} -gt 0 ]] || { echo "not in $NEWER_SUITE: $*"; return 1; }
	mkdir "$work"/{debs,root}
	cd "$work/debs"
	private_apt "$dir" apt-get download "${packages[@]}"
	for file in *.deb; do
		dpkg-deb -x "$file" "$work/root"
	done
}

# add_newer DIR FILE...: files of $work/root, with the loader and all libraries, into a
# directory that can be the root of those programs.
add_newer() {
	local dir=$1 file lib libs
	local loader=usr/$NEWER_LIB/ld-linux-x86-64.so.2 path=usr/$NEWER_LIB:usr/$NEWER_LIB/pulseaudio
	shift

	cd "$work/root"
	for file in "$loader" "$@"; do
		install -D "$file" "$dir/$file"
		[[ $(head -c 4 "$file" | tr -d '\0') == $'\x7fELF' && $file != "$loader" ]] || continue
		libs=$("$loader" --library-path "$path" --list "$file")
		while read -r lib; do
			[[ -e $dir/$lib ]] || install -D "$lib" "$dir/$lib"
		done < <(grep -oE "usr/$NEWER_LIB/[^ ]+" <<<"$libs")
	done
	ln -s usr/bin usr/lib "$dir/"
	ln -s "usr/$NEWER_LIB" "$dir/lib64"
}

# In one file for a guest: none of these libraries is for this machine.
download_newer() {
	local packages files

	make_work
	read -rd '' -a packages <<<"${NEWER_PACKAGES[$1]}" || true
	unpack_newer "${packages[@]}"
	cd "$work/root/usr"
	# shellcheck disable=SC2206 # patterns
	files=(${NEWER_FILES[$1]})
	add_newer "$work/tree" "${files[@]/#/usr/}"
	cd "$cache"
	mkdir -p newer
	tar -C "$work/tree" -cf "$work/part.tar" .
	mv "$work/part.tar" "newer/$1.tar"
	rm -rf "$work"
}

# A file system with the Debian that the kernel is for, its headers and DKMS, for a guest.
install_debian() {
	local mirror signed base=${SUITE%-backports} sources=()

	mirror=$(find_mirror)
	signed=$(keyring)
	sources=("deb [signed-by=$signed] $mirror $base main")
	[[ $base == "$SUITE" ]] || sources+=("deb [signed-by=$signed] $mirror $SUITE main")
	make_work
	mkdir "$work/part"
	# Without a kernel's list of modules DKMS takes it for one that is not installed.
	# shellcheck disable=SC2016 # for the shell of the hook
	mmdebstrap --variant=apt --include="dkms,kmod,udev,linux-headers-$RELEASE" \
		--customize-hook='chroot "$1" depmod '"$RELEASE" "$base" "$work/root" "${sources[@]}"
	truncate -s 3G "$work/part/$RELEASE"
	mke2fs -q -t ext4 -d "$work/root" "$work/part/$RELEASE"
	rm -rf "$cache/debian"
	mv "$work/part" "$cache/debian"
	rm -rf "$work"
}

setup_debian() {
	exec 9>"$cache/lock"
	flock 9
	[[ -f $cache/debian/$RELEASE ]] ||
		step "install Debian for a guest, from $SUITE (250 MB)" install_debian
	exec 9>&-
}

setup_newer() {
	exec 9>"$cache/lock"
	flock 9
	[[ -f $cache/newer/$1.tar ]] || step "download programs of Debian $NEWER_SUITE ($1)" download_newer "$1"
	exec 9>&-
}

# Sets KDIR, KIMAGE and KMODULES, of the kernel that is built.
setup_arch() {
	local env

	exec 9>"$cache/lock"
	flock 9
	[[ -x $cache/guest-$arch/busybox ]] || step "download busybox for $arch" download_busybox
	exec 9>&-
	[[ -z $source_only ]] || return 0
	# Which must not take the other one for a kernel of somebody's own.
	env=$(KDIR='' KIMAGE='' KMODULES='' KSRC='' "$VCM_TOP/scripts/kernel.sh" --arch "$arch" --print "$default_kernel") ||
		exit 1
	eval "$env"
}

# print_env KDIR KIMAGE KMODULES KSRC KUAPI
print_env() {
	printf '%s=%q\n' KDIR "$1" KIMAGE "$2" KMODULES "$3" KSRC "$4" KUAPI "$5" \
		KARCH "$kernel_arch" KCROSS "$cross"
}

# What kernels before the oldest do not export, and what a configuration may leave out.
readonly NEEDED=(
	"dma_iova_try_alloc CONFIG_IOMMU_DMA" "mem_accounting CONFIG_DMABUF_HEAPS"
	"dma_heap_get_drvdata CONFIG_DMABUF_HEAPS" "iommu_device_register CONFIG_IOMMU_API"
)

# An old kernel would fail somewhere in the middle of the build.
check_kernel() {
	local symbols=$1/Module.symvers release='' symbol option lack=''

	[[ -f $symbols ]] || symbols=$1/vmlinux.symvers
	[[ -f $symbols ]] || die "KDIR=$1 is no built or prepared kernel tree (no Module.symvers)"
	[[ ! -f $1/include/config/kernel.release ]] || release=$(<"$1/include/config/kernel.release")
	while read -r symbol option; do
		[[ -n $symbol ]] || continue
		awk -v s="$symbol" '$2 == s { found = 1; exit } END { exit !found }' "$symbols" ||
			lack+="${lack:+, }$symbol ($option)"
	done < <(printf '%s\n' "${NEEDED[@]}")
	if [[ -n $release && $(printf '%s\n' "$OLDEST" "$release" | sort -V | head -n 1) != "$OLDEST" ]]; then
		die "KDIR=$1 is Linux $release, too old: $OLDEST or later is needed${lack:+ (not exported: $lack)}"
	fi
	[[ -z $lack ]] || die "KDIR=$1${release:+, Linux $release,} does not export what is needed: $lack"
}

# A kernel of one's own: nothing to set up, just look.
own_kernel() {
	! has_bad_path "$KDIR" || die "KDIR='$KDIR': the kernel's build takes no path with a blank or a colon"
	[[ -d $KDIR ]] || die "KDIR=$KDIR is no directory"
	check_kernel "$KDIR"
	[[ -z ${KIMAGE:-} || -f $KIMAGE ]] || die "KIMAGE=$KIMAGE does not exist"
	[[ -z ${KMODULES:-} || -d $KMODULES ]] || die "KMODULES=$KMODULES is no directory"
	! is_for guest || [[ -n ${KIMAGE:-} ]] || die "KDIR=$KDIR without KIMAGE=<its image>, which a guest needs"
	if [[ -z ${KSRC:-} ]]; then
		KSRC=$KDIR
		[[ ! -e $KDIR/source ]] || KSRC=$(readlink -f "$KDIR/source")
	fi
	[[ -z $print ]] || print_env "$(realpath "$KDIR")" "${KIMAGE:-}" "${KMODULES:-}" "$KSRC" "${KUAPI:-}"
}

main() {
	local purpose

	parse_args "$@"
	if [[ -n ${KDIR:-} ]]; then
		own_kernel
		return
	fi
	[[ -z ${KIMAGE:-} ]] || die "KIMAGE=$KIMAGE without KDIR=<its build tree>"
	open_cache
	mkdir -p "$cache/log"
	work=
	trap cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	is_ready || purposes+=(build)
	setup_host
	is_ready || setup_kernel
	for purpose in "${!NEWER_PACKAGES[@]}"; do
		! is_for "$purpose" || setup_newer "$purpose"
	done
	! is_for deb-test || setup_debian
	if [[ -n $worked ]]; then
		say "linux $KVER is set up in $tree: $((SECONDS - began)) s in all"
	elif [[ -z $quiet$print ]]; then
		say "linux $KVER is ready in $tree"
	fi
	KDIR=$tree/build
	KMODULES=$tree/root/usr/lib/modules/$RELEASE
	KIMAGE=$KMODULES/vmlinuz
	[[ $arch == x86_64 ]] || setup_arch
	[[ -z $print ]] || print_env "$KDIR" "$KIMAGE" "$KMODULES" "$tree/src" "$tree/uapi"
}

main "$@"
