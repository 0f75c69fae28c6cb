#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs the test programs that 'make' built, in guests and on this machine, and
# prints one line per subtest. Nothing may be missing, and nothing skipped.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly TESTS=$VCM_TOP/out/tests SCRIPTS=$VCM_TOP/scripts/tests
KSELFTEST=$TESTS/kselftest

# The guests in which suites run: a name, the kernels, and the options of vm.sh. The name
# "host" is this machine.
# Those that take longest come first.
# Modules or not makes no difference to the IOMMUs, and races are the same with all of
# them. What KASAN takes of the memory is missing for "pressure", and for those where all
# of it has to be accounted for, which need swap and cpusets besides.
# With "large" there is more than twelve times what a device can address.
# With "bounce" all memory is below the narrowest device's 256 MB, also that of the
# bounce buffers.
# The sample importer is tested in the guests "edu"; others have the tests' own.
# With "kunit" no allocation but the tests' own is there to fail, kmemleak would have one
# for each of them; nor are devices but theirs, the sample would have a space for each.
# What the heap "system" does with the direction of an access dma-debug objects to, so that
# it is off where the two heaps are compared ("caches").
# The kernel itself must not zero pages (init_on_alloc), or a heap that forgets
# to would pass.
# The displays are the kernel's own drivers alone, with one device each. The device of
# virtio uses the DMA API only with iommu_platform, and imports only with blob.
VIRTIO_GPU="--device virtio-gpu-pci,blob=on,disable-legacy=on,iommu_platform=on --module virtio-gpu --module vgem"
# Five instances of the kernel's own video device, in order: buffers for a frame one or many,
# its memory in any pieces or in one run. Each captures from a camera or a cable, and shows.
VIVID="--module vivid:n_devs=5:node_types=0x101,0x101,0x101,0x101,0x101"
VIVID+=":allocators=0,0,1,1,0:multiplanar=1,2,1,2,1:num_inputs=2,2,2,2,2"
VIVID+=":input_types=0xc,0xc,0xc,0xc,0xc:num_outputs=1,1,1,1,1:output_types=1,1,1,1,1"
# One that only captures, in front of a display.
CAMERA="--module vivid:node_types=0x1:num_inputs=1:input_types=0"
# In "programs" all is run with the libraries of another Debian.
readonly BOOTS=(
	"host stock"
	"intel stock,debug,debug-m,gcov,kcsan --iommu intel --module vcm-edu-test --module vgem --append init_on_alloc=0"
	"strict stock,debug,gcov --iommu intel --module vcm-edu-test --module vgem --append iommu.strict=1"
	"virtio stock,debug,gcov,kcsan --iommu virtio --module vcm-edu-test --module vgem"
	"amd stock,debug,gcov --iommu amd --module vcm-edu-test --module vgem"
	"pool stock,debug,gcov,kcsan --iommu intel --module vcm-edu-test --append init_on_alloc=0"
	"pressure stock,gcov --iommu intel --append init_on_alloc=0"
	"accounting stock,debug,gcov --iommu intel --module vcm-edu-test --append dma_heap.mem_accounting=1"
	"edu stock,debug,debug-m,gcov --iommu intel --module vgem"
	"edu-virtio stock,debug,gcov --iommu virtio --module vgem"
	"edu-none stock,gcov --iommu none --module vgem --mem 256M"
	"init_on_free stock,debug,gcov --iommu none --append init_on_free=1"
	"numa stock,debug,gcov --iommu none --append numa=fake=2"
	"reserve stock --iommu none --append numa=fake=2 --module zram --disk 512M"
	"movable stock --iommu none --append kernelcore=320M"
	"reach stock --iommu none --mem 6G --module vcm-edu-test --append memmap=1664M\$0x18000000 --append swiotlb=noforce"
	"large stock --iommu intel --mem 6G --module vcm-edu-test"
	"small stock --iommu none --mem 256M --module zram --disk 256M"
	"none stock,debug,gcov --iommu none --module vcm-edu-test --module vgem"
	"bad stock --iommu none"
	"bounce stock,debug,gcov --iommu none --module vcm-edu-test --mem 256M --append swiotlb=8192,force --append cma=0"
	"debug debug,gcov --iommu intel --module vcm-edu-test --module vgem"
	"display stock --iommu intel $VIRTIO_GPU $CAMERA"
	"display-amd stock --iommu amd $VIRTIO_GPU"
	"display-virtio stock --iommu virtio $VIRTIO_GPU"
	"display-none stock --iommu none $VIRTIO_GPU"
	"display-bochs stock --iommu intel --device bochs-display --module bochs --module vgem $CAMERA"
	"display-cirrus stock --iommu none --device cirrus-vga --module cirrus-qemu --module vgem"
	"capture stock --iommu intel $VIVID"
	"programs stock --iommu intel --mem 2G"
	"display-refused stock --iommu intel --device qxl-vga --device virtio-gpu-pci --module qxl --module virtio-gpu"
	"kunit debug,gcov --iommu intel --no-load --append kmemleak=off"
	"hide debug-hide --iommu intel --module vcm-edu-test --module vgem"
	"load debug-m --iommu intel --no-load"
	"smmuv3 stock,builtin,debug --arch arm64 --iommu smmuv3 --module vcm-edu-test --module vgem --append init_on_alloc=0"
	"smmuv3-pool stock --arch arm64 --iommu smmuv3 --module vcm-edu-test --append init_on_alloc=0"
	"smmuv3-non-coherent stock --arch arm64 --iommu smmuv3 --non-coherent --module vcm-edu-test --module vgem"
	"smmuv3-edu stock,builtin,debug --arch arm64 --iommu smmuv3 --module vgem"
	"smmuv3-edu-non-coherent stock,builtin,debug --arch arm64 --iommu smmuv3 --non-coherent --module vgem"
	"smmuv3-pages 16k,64k --arch arm64 --iommu smmuv3 --module vcm-edu-test --module vgem --append init_on_alloc=0"
	"smmuv3-caches stock --arch arm64 --iommu smmuv3 --module vcm-edu-test --append dma_debug=off"
	"smmuv3-caches-non-coherent stock --arch arm64 --iommu smmuv3 --non-coherent --module vcm-edu-test --append dma_debug=off"
	"arm64-virtio stock --arch arm64 --iommu virtio --module vcm-edu-test --module vgem"
	"arm64-none stock --arch arm64 --iommu none --module vcm-edu-test --module vgem --append dma_debug=off"
	"arm builtin --arch arm --module vgem --append init_on_alloc=0"
	"arm-high builtin --arch arm --mem 3G --module vgem --append init_on_alloc=0"
	"arm-display builtin --arch arm --module sii902x --module pl111_drm --module vgem"
	"arm-kunit builtin --arch arm --no-load"
)

programs() { printf " $TESTS/vcm_%s" "$@"; }

# What runs: where, and the programs (patterns). The name of a suite is that of the
# program without .sh and -test. Suites print KTAP, but those that begin with vcm_ are
# linked with igt, print what it prints, and say with --list-subtests what must come.
# The guests "debug" and "kunit" are for what only a kernel of scripts/kernel.sh has;
# "hide" is what imports buffers, for the kernel debug-hide, and "load" for debug-m,
# which has the project as modules.
readonly SUITES=(
	"host $SCRIPTS/scripts-test.sh $SCRIPTS/guest-test.sh"
	"intel $(programs alloc zero chunks mmap share sync vgem fence holders conformance import dma vmap abi device)"
	"intel $(programs policy window guard keep gone space space_life set) $SCRIPTS/dmabuf-heap.sh"
	"strict $(programs policy limits secure)"
	"pool $(programs pool pool_keep) $TESTS/vcmctl-test"
	"bad $(programs pool_bad)"
	"pressure $(programs contiguous pool_pressure)"
	"accounting $(programs pool_accounting limits)"
	"init_on_free $(programs pool_accounting)"
	"numa $(programs numa)"
	"reserve $(programs reserve nodes swap)"
	"movable $(programs movable reserve)"
	"large $(programs set_large)"
	"small $(programs reserve swap)"
	"reach $(programs reach)"
	"amd $(programs window guard keep gone space space_life set secure)"
	"virtio $(programs policy window guard keep gone space space_life set secure)"
	"none $(programs noiommu)"
	"edu $(programs edu)"
	"edu-virtio $(programs edu)"
	"edu-none $(programs edu)"
	"bounce $(programs bounce)"
	"debug $(programs failnth)"
	"kunit $SCRIPTS/kunit.sh"
	"display $(programs display camera)"
	"display-amd $(programs display)"
	"display-virtio $(programs display)"
	"display-none $(programs display)"
	"display-bochs $(programs display camera)"
	"display-cirrus $(programs display)"
	"display-refused $(programs display_refused)"
	"capture $(programs capture)"
	"hide $(programs alloc share sync vgem import dma vmap device) $SCRIPTS/dmabuf-heap.sh"
	"load $(programs load)"
	"smmuv3 $(programs alloc zero chunks mmap share sync vgem fence import dma vmap abi device)"
	"smmuv3 $(programs policy limits window guard keep gone space space_life set secure) $SCRIPTS/dmabuf-heap.sh"
	"smmuv3-pool $(programs pool pool_keep) $TESTS/vcmctl-test"
	"smmuv3-non-coherent $(programs alloc zero share sync vgem import dma vmap policy space)"
	"smmuv3-edu $(programs alloc edu)"
	"smmuv3-edu-non-coherent $(programs alloc edu)"
	"smmuv3-pages $(programs alloc zero chunks share sync dma vmap)"
	"smmuv3-caches $(programs coherence)"
	"smmuv3-caches-non-coherent $(programs coherence)"
	"arm64-virtio $(programs dma policy gone space space_life secure)"
	"arm64-none $(programs noiommu)"
	"arm $(programs alloc zero chunks mmap share sync vgem abi device limits) $SCRIPTS/dmabuf-heap.sh"
	"arm $(programs pool pool_keep fence)"
	"arm-high $(programs alloc zero chunks share sync vgem limits)"
	"arm-display $(programs display)"
	"arm-kunit $SCRIPTS/kunit.sh"
)

# What 'make test-matrix' runs instead, in all these guests the same. What a platform does
# not have is skipped.
readonly MATRIX_PROGRAMS="zero share sync vgem import dma vmap device policy gone space space_life set secure noiommu"
mapfile -t MATRIX < <(
	for boot in intel strict amd virtio none smmuv3 smmuv3-non-coherent arm64-virtio arm64-none arm; do
		# shellcheck disable=SC2086 # words
		echo "$boot $(programs $MATRIX_PROGRAMS)"
	done
	for boot in edu edu-virtio edu-none smmuv3-edu smmuv3-edu-non-coherent; do
		echo "$boot $(programs edu)"
	done
	echo "arm-display $(programs display)"
)

# Why something is not possible in a kernel or in a guest, by kind.
declare -rA WHY_NOT=(
	[built-in]="the tests count the users of a module that is in the image"
	[pages-watched]="the core frees a domain with what is mapped in it, which the check of its pages takes for mapped for ever"
	[doorbells]="the page of an interrupt that was requested is in the domain that the device had then, and not in the one that root replaces it with"
	[one-width]="the CPU runs programs of one width"
	[pages-of-64k]="a page of 64 KB is no chunk of 64 KB"
	[all-in-reach]="there is no memory that the device does not reach"
	[copies]="a display that copies has no addresses"
	[no-copies]="a display that does not copy has addresses"
	[virtio-gpu]="virtio-gpu waits for ever when a file is closed that has buffers of a display that is gone, and looks at no framebuffer's size"
	[untranslated]="no IOMMU translates for the display"
	[no-bpf]="the kernel runs no BPF programs"
	[pl111]="the driver goes on with what it has freed when a file is open, and its bus has no plug"
	[no-pci]="without PCI there is no importer"
	[one-node]="the machine has one memory node"
	[small-entries]="drivers map nothing with large entries there"
)

# KIND PROGRAM SUBTEST...: what is not possible
readonly NOT_POSSIBLE=(
	"built-in vcm_space_life unbind unbind-many-times unbind-busy close-after-bind remove
	unload-refused unload parallel managed-unbind"
	"pages-watched vcm_gone managed-new-domain"
	"doorbells vcm_gone managed-new-domain"
	"one-width vcm_abi compat"
	"pages-of-64k vcm_dma edges-64k"
	"all-in-reach vcm_noiommu out-of-reach"
	"copies vcm_display placed"
	"no-copies vcm_display not-mapped"
	"virtio-gpu vcm_display too-large unbind unbind-back unbind-closed unplug unplug-back unplug-closed"
	"untranslated vcm_display placed"
	"no-bpf vcm_holders bpf"
	"pl111 vcm_display unbind unbind-back unplug unplug-back unplug-closed"
	"no-pci vcm_device query-attachments"
	"no-pci vcm_limits many-small-chunks group-import"
	"no-pci vcm_pool zero-kernel-dirty zero-kernel-clean zero-device-dirty zero-device-clean"
	"one-node vcm_pool memory-policy"
	"small-entries vcm_mmap huge-at-aligned-address huge-flags huge-read-only
	huge-read-then-write huge-in-a-mixture huge-from-the-middle huge-cut-short
	huge-unmap-part huge-protect-part huge-move-aligned huge-move-skewed huge-move-part
	huge-advice"
)

# What 'make programs' runs instead: programs of others, and a test that uses one.
readonly OTHERS=(
	"programs $TESTS/programs/vcm_vulkan $SCRIPTS/cameras.sh"
)

KSRC=${KSRC:-} KUAPI=${KUAPI:-}
arch=x86_64
matrix=
others=
patterns=()
kernels=()
boots=()
logs=
list=
out=

usage() {
	cat <<'USAGE'
usage: scripts/test.sh [--arch ARCH] [--kernel KERNEL]... [--boot BOOT]... [--logs DIR] [PATTERN]...
       scripts/test.sh --list [--arch ARCH] [--kernel KERNEL]... [PATTERN]...

Runs the suites whose name matches a shell pattern, by default all:
'scripts/test.sh vcm_alloc', 'scripts/test.sh "vcm_*"'.
Logs are in out/test/. 'make test' builds what is needed first.

  --arch ARCH       the guests of x86_64 (default), or of arm64 or arm, which 'make arm64'
                    and 'make arm' build for besides; logs are in out/test-ARCH/
  --kernel KERNEL   debug, debug-m, debug-hide, kcsan or gcov, of arm64 builtin, 16k,
                    64k or debug, of scripts/kernel.sh; repeatable. Names of results begin with
                    KERNEL/ then, and logs are in out/test-debug/. What gcov counted
                    is in a file counts.tar.gz beside the logs of each guest
  --boot BOOT       only in this guest of the table; repeatable
  --logs DIR        logs are in out/DIR: runs with a DIR of their own may go on at
                    the same time
  --matrix          run what 'make test-matrix' runs
  --programs        run what 'make programs' runs
  --list            only say what would run: lines "BOOT SUITE OPTIONS", those of vm.sh
USAGE
}

parse_args() {
	while [[ $# -gt 0 ]]; do
		case $1 in
		--arch) set_arch "${2:?--arch needs a value}"; shift ;;
		--kernel) kernels+=("${2:?--kernel needs a value}"); shift ;;
		--boot) boots+=("${2:?--boot needs a value}"); shift ;;
		--logs) logs=${2:?--logs needs a value}; shift ;;
		--matrix) matrix=1 ;;
		--programs) others=1 ;;
		--list) list=1 ;;
		-h | --help) usage; exit 0 ;;
		-*) die "unknown option '$1' (see --help)" ;;
		*) patterns+=("$1") ;;
		esac
		shift
	done
	check_kernels
	out=$VCM_TOP/out/test
	[[ $arch == x86_64 ]] || out+=-$arch
	[[ ${#kernels[@]} -eq 0 ]] || out=$VCM_TOP/out/test-debug
	[[ -z $logs ]] || out=$VCM_TOP/out/$logs
	[[ ${#kernels[@]} -gt 0 ]] || kernels=("$default_kernel")
}

check_kernels() {
	local kernel

	for kernel in "${kernels[@]}"; do
		case $arch-$kernel in
		x86_64-debug | x86_64-debug-m | x86_64-debug-hide | x86_64-kcsan | x86_64-gcov) ;;
		arm64-builtin | arm64-16k | arm64-64k | arm64-debug) ;;
		*) die "'--kernel $kernel': not for tests of $arch (see --help)" ;;
		esac
	done
}

# Has kernel $1 in guest $3 what kind $2 of NOT_POSSIBLE says?
is_kind_of() {
	case $2:$1 in
	built-in:debug | built-in:gcov | built-in:kcsan | built-in:builtin | built-in:16k | built-in:64k) ;;
	pages-watched:debug | pages-watched:debug-m | pages-watched:debug-hide) ;;
	pages-of-64k:64k) ;;
	one-width:*) [[ $arch == arm64 || $arch == arm ]] ;;
	no-pci:* | one-node:* | small-entries:*) [[ $arch == arm ]] ;;
	pl111:*) [[ $3 == arm-display ]] ;;
	doorbells:*) [[ $3 == smmuv3* ]] ;;
	copies:*) [[ $3 == display-bochs || $3 == display-cirrus ]] ;;
	no-copies:*) [[ $3 == display || $3 == @(display-@(amd|virtio|none)|arm-display) ]] ;;
	virtio-gpu:*) [[ $3 == display || $3 == display-@(amd|virtio|none) ]] ;;
	untranslated:*) [[ $3 == @(display-none|arm-display) ]] ;;
	no-bpf:*) [[ $1 != stock || $arch == arm64 ]] ;;
	all-in-reach:*) [[ $3 == arm64-none ]] ;;
	*) return 1 ;;
	esac
}

# ---- choosing ------------------------------------------------------------

suite_name() {
	local name=${1##*/}

	name=${name%.sh}
	echo "${name%-test}"
}

# Lines "SUITE PROGRAM" of boot $1, or of all.
suites_of() {
	local boot globs program table=("${SUITES[@]}")

	[[ -z $matrix ]] || table=("${MATRIX[@]}")
	[[ -z $others ]] || table=("${OTHERS[@]}")
	while read -r boot globs; do
		[[ -z ${1:-} || $boot == "$1" ]] || continue
		for program in $globs; do
			echo "$(suite_name "$program") $program"
		done
	done < <(printf '%s\n' "${table[@]}")
}

# Of these, those that were chosen.
chosen_suites() {
	local suite program

	while read -r suite program; do
		! is_selected "$suite" "${patterns[@]}" || echo "$suite $program"
	done < <(suites_of "$1")
}

# check_known WHAT PATTERN NAME...: a pattern that matches nothing is a mistake.
check_known() {
	local what=$1 pattern=$2 name

	shift 2
	for name; do
		! is_selected "$name" "$pattern" || return 0
	done
	die "no $what is called '$pattern'; there are: $*"
}

check_patterns() {
	local pattern suites

	mapfile -t suites < <(suites_of | cut -d' ' -f1 | sort -u)
	for pattern in "${patterns[@]}"; do
		check_known suite "$pattern" "${suites[@]}"
	done
}

# So is a guest that is none, or in which nothing that was chosen runs.
check_boots() {
	local boot name chosen

	for boot in "${boots[@]}"; do
		check_known guest "$boot" "${BOOTS[@]%% *}"
	done
	chosen=$(while read -r _ name _; do chosen_suites "$name"; done < <(chosen_boots))
	[[ -n $chosen ]] || die "nothing to run: no chosen suite is in these guests and kernels"
}

# Has a guest with options $1 the architecture?
is_of_arch() {
	if [[ $arch == x86_64 ]]; then
		[[ $1 != *--arch* ]]
	else
		[[ $1 == *"--arch $arch "* ]]
	fi
}

# The lines "KERNEL BOOT OPTIONS" of the guests that were chosen.
chosen_boots() {
	local kernel name of options

	while read -r name of options; do
		is_selected "$name" "${boots[@]}" || continue
		is_of_arch "$options" || continue
		for kernel in "${kernels[@]}"; do
			[[ ,$of, != *",$kernel,"* ]] || echo "$kernel $name $options"
		done
	done < <(printf '%s\n' "${BOOTS[@]}")
}

# Is all there that 'make tests' builds?
check_programs() {
	local name suite program

	while read -r _ name _; do
		while read -r suite program; do
			[[ -x $program ]] || die "no $program for the suite $suite: run 'make tests' first"
			program=$(in_guest "$program")
			[[ -x $program ]] || die "no $program for the suite $suite: run 'make $arch' first"
		done < <(chosen_suites "$name")
	done < <(chosen_boots)
}

# What program $1 is for the guest. This machine's own is there too, and can be asked
# what it tests.
in_guest() {
	[[ $arch == x86_64 ]] || set -- "${1/#"$VCM_TOP/out/"/"$VCM_TOP/out/$arch/"}"
	echo "$1"
}

# The subtests of suite $2 that kernel $1 or guest $3 makes impossible, one a line.
not_possible() {
	local line kind suite subtests

	for line in "${NOT_POSSIBLE[@]}"; do
		read -r -d '' kind suite subtests <<<"$line" || true
		[[ $suite == "$2" ]] || continue
		! is_kind_of "$1" "$kind" "$3" || tr -s ' \t\n' '\n' <<<"$subtests"
	done
}

# The kernel's selftest by its own Makefile, with nothing written to its source.
build_kselftest() {
	local dir=$KSRC/tools/testing/selftests/dmabuf-heaps

	is_selected dmabuf-heap "${patterns[@]}" || return 0
	[[ -d $dir ]] || die "no selftest in the kernel source (KSRC=$KSRC)"
	KSELFTEST=$(in_guest "$KSELFTEST")
	mkdir -p "$KSELFTEST"
	make -s -C "$dir" OUTPUT="$KSELFTEST" KHDR_INCLUDES="${KUAPI:+-isystem $KUAPI}" \
		${cross:+CROSS_COMPILE="$cross" LDFLAGS=-static} >"$out/kselftest-build.log" 2>&1 ||
		die "cannot build the kernel's selftest: $(tail -n 1 "$out/kselftest-build.log")"
}

# ---- one guest -----------------------------------------------------------

# What scripts/results.py is to see of the suites, lines "SUITE PROGRAM" on standard
# input: igt does not announce what comes.
expected() {
	local suite program subtests

	while read -r suite program; do
		subtests=
		[[ $suite != vcm_* ]] || subtests=$("$program" --list-subtests |
			grep -vxFf <(not_possible "$1" "$suite" "$2") | tr '\n' ' ') || true
		echo "$suite $subtests"
	done
}

# For scripts/matrix.py, of the same suites: lines "LEFT $3SUITE@SUBTEST (why)", what is left
# out because it is not possible.
left_out() {
	local suite program line kind name subtests

	while read -r suite program; do
		for line in "${NOT_POSSIBLE[@]}"; do
			read -r -d '' kind name subtests <<<"$line" || true
			[[ $suite == "$name" ]] || continue
			is_kind_of "$1" "$kind" "$2" || continue
			"$program" --list-subtests | grep -xFf <(tr -s ' \t\n' '\n' <<<"$subtests") |
				sed "s|.*|LEFT $3$suite@& (${WHY_NOT[$kind]})|" || true
		done
	done
}

# The script that runs the same suites in boot $2 of kernel $1, one after the other. In
# a guest they lie in /.
runner() {
	local suite program form without

	cat <<'RUNNER'
#!/bin/sh
suite() {
	printf '\n@@begin %s %s\n' "$1" "$2"
	shift 2
	"$@" 2>&1
	printf '\n@@end %s\n' $?
}
RUNNER
	[[ $2 != programs ]] || newer_root
	while read -r suite program; do
		[[ $2 == host ]] || program=/${program##*/}
		form=ktap
		[[ $suite != vcm_* ]] || form=igt
		without=$(not_possible "$1" "$suite" "$2" | sed 's/^/,!/' | tr -d '\n')
		echo "suite $form $suite $program${without:+ --run-subtest \"*$without\"}"
	done
	[[ $1 != gcov ]] || counting
	# What failed says its own output.
	echo "exit 0"
}

# Goes on in the root of programs of a newer Debian, to which comes what it lacks.
newer_root() {
	cat <<'RUNNER'
if [ -e /newer.tar ]; then
	mkdir /newer
	tar -xf /newer.tar -C /newer && rm /newer.tar || exit
	mkdir /newer/dev /newer/proc /newer/sys /newer/tmp
	cp /*.sh /vcm_* /newer/
	cp /bin/busybox /newer/bin/
	chroot /newer /bin/busybox --install -s /bin
	for dir in dev proc sys; do
		mount --rbind /$dir /newer/$dir
	done
	exec chroot /newer /run.sh
fi
RUNNER
}

# Files in debugfs have no size, which is why they are copied. The rest of what the
# guest prints is theirs.
counting() {
	cat <<'RUNNER'
cd /sys/kernel/debug/gcov
for file in $(find . -name '*vcm*.gcda'); do
	mkdir -p "/tmp/counts/${file%/*}"
	cat "$file" >"/tmp/counts/$file"
done
printf '\n@@counts\n'
cd /tmp/counts && tar -cf - . | gzip -c | base64
RUNNER
}

# Runs the runner in directory $2 of boot $1, with the options and programs behind them,
# where it belongs.
start_boot() {
	local boot=$1 dir=$2 suite program args
	read -ra args <<<"$3"

	if [[ $boot == host ]]; then
		"$dir/run.sh"
		return
	fi
	while read -r suite program; do
		args+=(--file "$(in_guest "$program"):/${program##*/}")
	done <<<"$4"
	[[ $boot != @(display*|arm-display) ]] || args+=(--screen "$dir/screen.png")
	[[ $boot != programs ]] || args+=(--file "$(vcm_cache)/newer/programs.tar:/newer.tar")
	[[ $4 != *dmabuf-heap* ]] || args+=(--file "$KSELFTEST/dmabuf-heap")
	"$VCM_TOP/scripts/vm.sh" "${args[@]}" --file "$dir/run.sh:/run.sh" -- /run.sh
}

# run_boot KERNEL BOOT OPTIONS
run_boot() {
	local kernel=$1 boot=$2 options=$3 dir=$out/$1/$2 where=$2/ suites status start=$SECONDS

	suites=$(chosen_suites "$boot")
	[[ -n $suites ]] || return 0
	# The same suite may run in several guests.
	case $boot in
	host | intel | edu | display | capture | debug | kunit | hide | load | smmuv3 | arm) where= ;;
	esac
	[[ -z $matrix ]] || where=$boot/
	if [[ $kernel != "$default_kernel" ]]; then
		where=$kernel/$where
		options="--kernel $kernel $options"
		# KASAN has an eighth of the memory, and keeps what was freed: vcm_limits
		# asks for buffers of 256 MB, and of a guest of 256 MB hardly more than
		# the reserve is left.
		case $boot in
		strict | accounting) options+=" --mem 1536M" ;;
		bounce) options+=" --append vcm_heap.reserve_mb=4" ;;
		esac
	fi
	mkdir -p "$dir"
	expected "$kernel" "$boot" <<<"$suites" >"$dir/expected"
	[[ -z $matrix ]] || left_out "$kernel" "$boot" "$where" <<<"$suites" >"$dir/left"
	runner "$kernel" "$boot" <<<"$suites" >"$dir/run.sh"
	chmod +x "$dir/run.sh"
	set +e
	start_boot "$boot" "$dir" "$options" "$suites" | tee "$dir/output.log" |
		"$VCM_TOP/scripts/results.py" --boot "$dir" --where "$where" | tee "$dir/results"
	status="${PIPESTATUS[0]} ${PIPESTATUS[2]}"
	set -e
	if [[ $status == "0 0" ]]; then
		echo "PASS ${where}boot@$boot ($((SECONDS - start)) s)"
	else
		echo "FAIL ${where}boot@$boot (exit status ${status% *})"
	fi | tee -a "$dir/results"
}

# An emulated machine keeps one CPU busy: as many as there are run side by side.
# What each prints comes at its end, in one piece.
start_when_free() {
	while [[ $(jobs -rp | wc -l) -ge $(nproc) ]]; do wait -n || true; done
	(
		run_boot "$1" "$2" "$3" >"$out/$1-$2.txt" 2>&1
		flock "$out/terminal" cat "$out/$1-$2.txt"
	) &
}

# ---- all of them ---------------------------------------------------------

list_suites() {
	local name options

	while read -r _ name options; do
		chosen_suites "$name" | sed "s/^/$name /; s| [^ ]*$| $options|"
	done < <(chosen_boots)
}

main() {
	local kernel boot name options chosen purposes=(build tests)

	set_arch "$arch"
	parse_args "$@"
	check_patterns
	if [[ -n $list ]]; then
		list_suites
		exit
	fi
	check_boots
	# A kernel of one's own without an image serves to build the others. In one
	# call: what it sets would be taken for a kernel of one's own by a second one.
	[[ ${kernels[*]} != "$default_kernel" ]] || purposes+=(guest)
	[[ -z $others ]] || purposes+=(programs)
	load_kernel_env "$arch" "${purposes[@]}"
	check_programs
	lock_output "${out#"$VCM_TOP"/out/}"
	rm -rf "$out"
	mkdir -p "$out"
	build_kselftest
	for kernel in "${kernels[@]}"; do
		# Before the guests, which would wait for it all at once.
		[[ $kernel == "$default_kernel" ]] || "$VCM_TOP/scripts/kernel.sh" --arch "$arch" "$kernel"
	done
	mapfile -t chosen < <(chosen_boots)
	for boot in "${chosen[@]}"; do
		read -r kernel name options <<<"$boot"
		start_when_free "$kernel" "$name" "$options"
	done
	wait
	cat "$out"/*/*/results >"$out/results"
	[[ -z $matrix ]] || cat "$out"/*/*/left >>"$out/results"
	print_sum "$out/results"
}

main "$@"
