#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of the scripts: what they refuse, and in how many words, and what they
# remove. Everything happens in a temporary directory, with stand-ins for the
# programs that would change the machine; nothing is downloaded and nothing booted.

# shellcheck source=scripts/tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly MARK="This directory was made by VCM's scripts/setup.sh; 'make distclean' empties it."

unset KDIR KIMAGE KMODULES KSRC KUAPI VCM_CACHE VCM_MIRROR VCM_SUITES VCM_ACCEL VCM_VM_TIMEOUT
unset XDG_CACHE_HOME MAKEFLAGS MAKELEVEL MAKEOVERRIDES MFLAGS
PATH_BEFORE=$PATH

# ---- tools of the tests --------------------------------------------------

before_test() {
	export HOME=$dir/home
	mkdir "$HOME"
}

# It failed, with one line that has the words $1, and make's own.
refused() {
	output=$(grep -v '^make' <<<"$output")
	[[ $status -ne 0 && $(wc -l <<<"$output") -eq 1 ]] && says "$1" && return
	printf 'status %d: %s\n' "$status" "$output"
	return 1
}

# refuses WORDS SCRIPT [ARG]...
refuses() {
	run "$TOP/scripts/$2" "${@:3}"
	check refused "$1"
}

is_missing() { [[ ! -e $1 ]]; }

# stand_in NAME: a program of that name in PATH that does what standard input says
stand_in() {
	mkdir -p "$dir/bin"
	{ echo '#!/bin/bash'; cat; } >"$dir/bin/$1"
	chmod +x "$dir/bin/$1"
	PATH=$dir/bin:$PATH_BEFORE
}

# Debian's programs for a machine where the packages in the file "installed" are.
fake_machine() {
	: >"$dir/installed"
	stand_in dpkg-query <<-END
		for package; do grep -qx -- "\$package" "$dir/installed" && echo "ii \$package"; done
		true
	END
	stand_in id <<-END
		echo "${1:-0}"
	END
	stand_in apt-get <<-END
		echo "begin \$*" >>"$dir/apt.log"
		sleep 0.2
		for package; do echo "\$package" >>"$dir/installed"; done
		echo end >>"$dir/apt.log"
	END
}

# A cache as set-up leaves it, but for what is in it.
fake_cache() {
	mkdir -p "$1"/{log,apt/x,kunit/um,kernels/debug} "$1"/linux-7.3.9/{root,src,build,uapi}
	echo 'KVER=7.3.9' >"$1/kernel.env"
	echo 'SUITE=testing' >>"$1/kernel.env"
	touch "$1/lock" "$1/accel-0123" "$1/linux-7.3.9/build/.vcm-prepared"
	ln -s "$1/linux-7.3.9/src" "$1/linux-7.3.9/build/source"
	echo "$MARK" >"$1/.vcm-cache"
}

# fake_kernel DIR RELEASE [SYMBOL]...: a built kernel tree with these exports
fake_kernel() {
	mkdir -p "$1/include/config"
	echo "$2" >"$1/include/config/kernel.release"
	printf '0x00000000\t%s\tvmlinux\tEXPORT_SYMBOL_GPL\t\n' "${@:3}" >"$1/Module.symvers"
}

setup() { run "$TOP/scripts/setup.sh" "$@"; }
distclean() { run make -s -C "$TOP" OUT="$dir/out" distclean; }

# ---- distclean -----------------------------------------------------------

test_distclean() {
	export VCM_CACHE=$dir/cache
	fake_cache "$VCM_CACHE"
	mkdir "$dir/out"
	distclean
	check test $status -eq 0
	check is_missing "$VCM_CACHE"
	check is_missing "$dir/out"
	# There is nothing left to do.
	distclean
	check test $status -eq 0
}

test_distclean_leaves_the_rest() {
	export VCM_CACHE=$dir/cache
	fake_cache "$VCM_CACHE"
	echo mine >"$VCM_CACHE/notes"
	mkdir -p "$VCM_CACHE/linux-7.3.9/patches" "$VCM_CACHE/linux-next/src"
	distclean
	check test $status -eq 0
	check says notes
	check test -f "$VCM_CACHE/notes"
	check test -d "$VCM_CACHE/linux-7.3.9/patches"
	check test -d "$VCM_CACHE/linux-next/src"
	check is_missing "$VCM_CACHE/linux-7.3.9/src"
	check is_missing "$VCM_CACHE/kernels"
	# It is still the cache that it was.
	refuses "unknown purpose" setup.sh --for none
	distclean
	check test $status -eq 0
}

# Somebody's directories with names that begin as ours do.
test_distclean_leaves_similar_names() {
	local name kept=(linux-{6.1-mine,7.3.4+mine,7.3.4+deb13.old}/src
		tmp.{mine,backups} accel-notes)

	export VCM_CACHE=$dir/cache
	fake_cache "$VCM_CACHE"
	mkdir -p "${kept[@]/#/$VCM_CACHE/}" "$VCM_CACHE/linux-7.3.4+deb13/src" \
		"$VCM_CACHE/tmp.aB3xyZ"
	distclean
	check test $status -eq 0
	for name in "${kept[@]}"; do
		check test -d "$VCM_CACHE/$name"
	done
	for name in linux-7.3.9 linux-7.3.4+deb13 tmp.aB3xyZ accel-0123 kernels; do
		check is_missing "$VCM_CACHE/$name"
	done
}

# The link and the directory are somebody's, and the next set-up needs both.
test_distclean_of_a_link() {
	local path

	for path in "$dir/link" "$dir/link/"; do
		fake_cache "$dir/disk"
		ln -sfn "$dir/disk" "$dir/link"
		export VCM_CACHE=$path
		distclean
		check test $status -eq 0
		check test -L "$dir/link"
		check test -d "$dir/disk"
		check test -z "$(ls -A "$dir/disk")"
		# There is nothing left to do.
		distclean
		check test $status -eq 0
		echo "$MARK" >"$dir/disk/.vcm-cache"
		distclean
		check test $status -eq 0
		check test -d "$dir/disk"
	done
	# It is no reason to empty what is not ours.
	touch "$dir/disk/letter"
	distclean
	check refused "nothing is removed"
	check test -f "$dir/disk/letter"
	rm "$dir/disk/letter"
	refuses "unknown purpose" setup.sh --for none
	fake_machine 1000
	refuses "as root run: apt-get install" setup.sh --for guest
}

test_distclean_of_an_earlier_cache() {
	export VCM_CACHE=$dir/cache
	fake_cache "$VCM_CACHE"
	rm "$VCM_CACHE/.vcm-cache"
	distclean
	check test $status -eq 0
	check is_missing "$VCM_CACHE"
}

# Somebody's home, with directories that have the names of ours.
test_distclean_refuses_a_home() {
	mkdir -p "$dir/home"/{log,kernels,apt} "$dir/home/.cache"
	echo letter >"$dir/home/letter"
	HOME=$dir/home VCM_CACHE=$dir/home distclean
	check refused "nothing is removed"
	check test -d "$dir/home/kernels"
	check test -f "$dir/home/letter"
	# Of another form.
	echo "something else" >"$dir/home/.vcm-cache"
	HOME=$dir/home VCM_CACHE=$dir/home distclean
	check refused "nothing is removed"
	check test -f "$dir/home/letter"
}

test_distclean_refuses_other_paths() {
	local path

	# Whatever happens, nothing is.
	stand_in rm <<<'echo "removed: $*"'
	stand_in rmdir <<<'echo "removed: $*"'
	for path in / /etc "$dir" relative . ..; do
		VCM_CACHE=$path distclean
		check refused "$path"
	done
	mkdir -p "$dir/a b"
	echo "$MARK" >"$dir/a b/.vcm-cache"
	VCM_CACHE="$dir/a b" distclean
	check refused "blank"
	touch "$dir/file"
	VCM_CACHE=$dir/file distclean
	check refused "no directory"
	unset HOME
	distclean
	check refused "HOME"
}

test_distclean_of_the_default() {
	export HOME=$dir/home
	fake_cache "$HOME/.cache/vcm"
	VCM_CACHE='' distclean
	check test $status -eq 0
	check is_missing "$HOME/.cache/vcm"
	check test -d "$HOME/.cache"
	XDG_CACHE_HOME=$dir/xdg fake_cache "$dir/xdg/vcm"
	XDG_CACHE_HOME=$dir/xdg distclean
	check is_missing "$dir/xdg/vcm"
}

test_distclean_waits_for_no_setup() {
	export VCM_CACHE=$dir/cache
	fake_cache "$VCM_CACHE"
	exec 5<"$VCM_CACHE/lock"
	flock 5
	distclean
	exec 5<&-
	check refused "set-up is at work"
	check test -d "$VCM_CACHE/kernels"
}

# ---- set-up --------------------------------------------------------------

test_setup_refuses_paths() {
	fake_machine
	mkdir -p "$dir/home/documents"
	VCM_CACHE=$dir/home refuses "no cache of ours" setup.sh
	check test "$(ls -A "$dir/home")" = documents
	VCM_CACHE=relative refuses "no absolute path" setup.sh
	VCM_CACHE="$dir/a b" refuses "blank" setup.sh
	touch "$dir/file"
	VCM_CACHE=$dir/file refuses "no directory" setup.sh
	VCM_CACHE=$dir/file/below refuses "cannot make" setup.sh
	(unset HOME; setup; check refused "no HOME"; exit $failures)
	check test $? -eq 0
}

test_setup_of_a_ready_cache() {
	fake_machine
	export VCM_CACHE=$dir/cache
	fake_cache "$VCM_CACHE"
	tr ' ' '\n' >"$dir/installed" <<<"qemu-system-x86 busybox-static cpio kmod xz-utils zstd"
	setup --for guest
	check test $status -eq 0
	check says "is ready"
	check is_missing "$dir/apt.log"
	setup --for guest --print
	check says "KSRC=$VCM_CACHE/linux-7.3.9/src"
}

test_setup_by_purpose() {
	fake_machine 1000
	export VCM_CACHE=$dir/cache
	fake_cache "$VCM_CACHE"
	refuses "as root run: apt-get install" setup.sh
	check says flex
	check says_nothing_of qemu
	check says_nothing_of intel-gpu-tools
	check says_nothing_of shellcheck
	setup --for guest
	check says qemu-system-x86
	check says_nothing_of flex
	setup --for tests --for check
	check says intel-gpu-tools
	check says shellcheck
	check says_nothing_of gcovr
	setup --for all
	check says gcovr
	# What makes a kernel is needed where there is none.
	rm "$VCM_CACHE/kernel.env"
	setup --for guest
	check says flex
}

# Only who asks for another architecture gets its compiler and its machine.
test_setup_by_architecture() {
	fake_machine 1000
	export VCM_CACHE=$dir/cache
	fake_cache "$VCM_CACHE"
	setup --for all
	check says_nothing_of aarch64
	check says_nothing_of qemu-system-arm
	check says_nothing_of libc6-dev-arm64
	setup --for guest --arch arm64
	check says qemu-system-arm
	check says device-tree-compiler
	check says_nothing_of aarch64
	setup --for tests --arch arm64
	check says gcc-aarch64-linux-gnu
	check says libc6-dev-arm64-cross
	check says_nothing_of qemu
}

test_setup_one_at_a_time() {
	local i

	fake_machine
	for i in 1 2 3; do
		fake_cache "$dir/cache$i"
		VCM_CACHE=$dir/cache$i "$TOP/scripts/setup.sh" --for build >"$dir/setup$i.log" 2>&1 &
	done
	wait
	# The first one installs, the others find it done.
	check test "$(grep -c 'begin.* install ' "$dir/apt.log")" -eq 1
	check test "$(sed 's/ .*//' "$dir/apt.log" | uniq -c | awk '$1 > 1' | wc -l)" -eq 0
	for i in 1 2 3; do
		output=$(<"$dir/setup$i.log")
		# What is being done, and when it is done.
		check says "flex"
		check says " ..."
		check says " s in all"
	done
}

test_setup_moves_on_a_terminal() {
	fake_machine
	export VCM_CACHE=$dir/cache
	fake_cache "$VCM_CACHE"
	stand_in apt-get <<-END
		mkdir -p "$VCM_CACHE/tmp.x"
		head -c 3000000 /dev/zero >"$VCM_CACHE/tmp.x/half"
		for package; do echo "\$package" >>"$dir/installed"; done
		sleep 2.5
	END
	run script -qec "$TOP/scripts/setup.sh" "$dir/typescript"
	check test $status -eq 0
	check says " s, 3 MB: install "
	check says "is set up"
}

test_setup_space() {
	fake_machine
	: >"$dir/needed"
	stand_in dpkg-query <<-'END'
		for package; do echo "ii $package"; done
	END
	stand_in df <<-'END'
		echo Filesystem; echo "disk 9 9 100 9% /"
	END
	export VCM_CACHE=$dir/cache
	refuses "has 100 MB free, set-up needs 2540 more" setup.sh
	# What is there already is not asked for again.
	fake_cache "$VCM_CACHE"
	rm -r "$VCM_CACHE/linux-7.3.9/src" "$VCM_CACHE/linux-7.3.9/build"
	refuses "set-up needs 2360 more" setup.sh
}

# A build tree names the places where it was made.
test_setup_of_a_moved_cache() {
	fake_machine
	stand_in dpkg-query <<-'END'
		for package; do echo "ii $package"; done
	END
	fake_cache "$dir/before"
	mv "$dir/before" "$dir/cache"
	VCM_CACHE=$dir/cache setup
	check says "prepare the build tree"
}

# ---- a kernel of one's own -----------------------------------------------

readonly EXPORTS=(dma_iova_try_alloc mem_accounting dma_heap_get_drvdata iommu_device_register)

test_old_kernel() {
	fake_kernel "$dir/linux" 6.1.0-27-amd64 dma_heap_get_drvdata iommu_device_register
	KDIR=$dir/linux refuses "is Linux 6.1.0-27-amd64, too old: 7.2 or later is needed (not exported: dma_iova_try_alloc" setup.sh
	run make -s -C "$TOP" KDIR="$dir/linux" OUT="$dir/out"
	check refused "too old"
	check is_missing "$dir/out"
}

test_kernel_without_heaps() {
	fake_kernel "$dir/linux" 7.4.0 dma_iova_try_alloc iommu_device_register
	KDIR=$dir/linux refuses "mem_accounting (CONFIG_DMABUF_HEAPS)" setup.sh
	check says_nothing_of "too old"
}

test_own_kernel() {
	fake_kernel "$dir/linux" 7.10.1 "${EXPORTS[@]}"
	export KDIR=$dir/linux
	setup --print
	check test $status -eq 0
	check says "KDIR=$dir/linux"
	refuses "without KIMAGE" setup.sh --for guest
	KIMAGE=$dir/nothing refuses "does not exist" setup.sh --for guest
	KMODULES=$dir/nothing refuses "no directory" setup.sh
}

test_own_kernel_refused() {
	KDIR=$dir/nothing refuses "is no directory" setup.sh
	mkdir -p "$dir/empty"
	KDIR=$dir/empty refuses "no Module.symvers" setup.sh
	fake_kernel "$dir/a b" 7.4.0 "${EXPORTS[@]}"
	KDIR="$dir/a b" refuses "blank" setup.sh
	touch "$dir/image"
	KIMAGE=$dir/image refuses "without KDIR" setup.sh
}

# ---- a kernel tree -------------------------------------------------------

# What overlay.sh looks at, with an empty line before and behind each line it needs.
fake_tree() {
	local hook file before

	mkdir -p "$1"
	printf 'VERSION = 7\nPATCHLEVEL = 4\n' >"$1/Makefile"
	touch "$1/Kbuild" "$1/MAINTAINERS"
	while read -r hook; do
		IFS='|' read -r file before _ <<<"$hook"
		mkdir -p "$1/${file%/*}"
		grep -sqxF -- "$before" "$1/$file" || printf 'first\n\n%s\n' "$before" >>"$1/$file"
	done < <(sed -n 's/^hook: //p' "$TOP"/scripts/series/[0-9]-*)
}

test_overlay() {
	local part file

	fake_tree "$dir/linux"
	cp -r "$dir/linux" "$dir/before"
	cp -al "$dir/linux" "$dir/linked"
	for part in 2-heap 6-documentation; do
		run "$TOP/scripts/overlay.sh" "$dir/linux" --until $part
		check test $status -eq 0
	done
	run diff -r "$dir/before" "$dir/linked"
	check test $status -eq 0
	# With all parts there is all, and nothing else to do.
	run "$TOP/scripts/overlay.sh" "$dir/linux"
	check says " 0 files copied, 0 removed, 0 lines hooked"
	while read -r file; do
		check cmp "$TOP/$file" "$dir/linux/$file"
	done <"$dir/linux/.vcm-overlay"
	check test -f "$dir/linux/drivers/iommu/tests/vcm-extent-test.c"
	# A step back takes out what comes later.
	run "$TOP/scripts/overlay.sh" "$dir/linux" --until 1-placement
	check is_missing "$dir/linux/drivers/iommu/tests"
	check test "$(grep -c '^config' "$dir/linux/drivers/iommu/Kconfig.vcm")" -eq 1
	run "$TOP/scripts/overlay.sh" "$dir/linux" --remove
	check test $status -eq 0
	run diff -r "$dir/before" "$dir/linux"
	check test $status -eq 0
	refuses "no part" overlay.sh "$dir/linux" --until nothing
	refuses "not the source tree" overlay.sh "$dir"
	refuses "no such directory" patches.sh "$dir/nothing"
}

# ---- wrong use of the others ---------------------------------------------

test_path_with_a_blank() {
	local name

	for name in "with blank" with:colon; do
		mkdir -p "$dir/$name"
		cp -r "$TOP/Makefile" "$TOP/scripts" "$dir/$name/"
		run make -C "$dir/$name"
		check refused "no path with a blank or a colon"
		run "$dir/$name/scripts/setup.sh"
		check refused "no path with a blank or a colon"
	done
}

test_wrong_values() {
	refuses "no suite is called 'nosuch'; there are: " test.sh nosuch
	check says vcm_alloc
	refuses "'vcm_x*'" test.sh vcm_alloc 'vcm_x*'
	refuses "no guest is called 'nosuch'; there are: host intel " test.sh --boot nosuch
	refuses "nothing to run" test.sh --boot pool vcm_alloc
	refuses "nothing to run" test.sh --kernel debug vcm_swap
	refuses "'abc'" kunit.sh --seed abc
	refuses "--seed" kunit.sh --seed
	refuses "unknown argument" check.sh --nothing
	refuses "--for needs a value" setup.sh --for
	refuses "unknown architecture 'vax' (known: x86_64 arm64 arm)" setup.sh --arch vax
	refuses "unknown kernel 'kcsan' for arm64" kernel.sh --arch arm64 kcsan
	refuses "'--kernel builtin'" test.sh --kernel builtin
	refuses "nothing to run" test.sh --arch arm64 vcm_swap
}

test_wrong_guest() {
	VCM_ACCEL=foo refuses "VCM_ACCEL=foo" vm.sh -- true
	refuses "16M" vm.sh --mem 16M -- true
	refuses "'1X' is no size" vm.sh --mem 1X -- true
	refuses "'0' is no size" vm.sh --disk 0 -- true
	refuses "no command" vm.sh --iommu none
	refuses "'foo'" vm.sh --iommu foo -- true
	refuses "'smmuv3' for x86_64 (there are: intel amd virtio none)" vm.sh --iommu smmuv3 -- true
	refuses "'intel' for arm64 (there are: smmuv3 virtio none)" vm.sh --arch arm64 --iommu intel -- true
	refuses "'kcsan' for arm64" vm.sh --arch arm64 --kernel kcsan -- true
	refuses "'vax'" vm.sh --arch vax -- true
	refuses "--non-coherent" vm.sh --non-coherent -- true
	refuses "'soon'" vm.sh --timeout soon -- true
	refuses "'99999999999G' is no size" vm.sh --disk 99999999999G -- true
	refuses "--mem needs a value" vm.sh --mem
	refuses "--screen a.jpg" vm.sh --screen a.jpg -- true
	refuses "no such place" vm.sh --screen "$dir/none/a.png" -- true
}

# Before anything is set up, which this machine would refuse in other words.
test_guest_refused_before_setup() {
	local spec

	fake_machine 1000
	export VCM_CACHE=$dir/cache
	refuses "/nonexist does not exist" vm.sh --file /nonexist -- true
	refuses "$dir/nonexist does not exist" vm.sh --file "$dir/nonexist:/here" -- true
	for spec in '' :a=b vgem:a 'vgem a=b' vcm-edu:=3; do
		refuses "--module '$spec'" vm.sh --module "$spec" -- true
	done
	check is_missing "$VCM_CACHE"
}

test_soak_refused_before_setup() {
	local seed

	fake_machine 1000
	export VCM_CACHE=$dir/cache
	for seed in x -1 '' 1.5 08; do
		refuses "'$seed' is no seed" soak.sh soak --seed "$seed"
		refuses "'$seed' is no seed" soak.sh fuzz --seed="$seed"
	done
	refuses "--seed needs a value" soak.sh soak --seed
	refuses "--kernel foo: stock or debug" soak.sh --kernel foo soak
	refuses "'soon' is no number of seconds" soak.sh soak --seconds=soon
	check is_missing "$VCM_CACHE"
	# One that is right comes as far as set-up.
	refuses "as root run: apt-get install" soak.sh soak --seconds 1 --seed 4294967295
}

test_example_module_refused() {
	run make -s -C "$TOP/tools/vcm-example" OUT="$dir/out" module
	check refused "give KDIR="
	run make -s -C "$TOP/tools/vcm-example" OUT="$dir/out" KDIR="$dir" VCM="$dir" module
	check refused "run 'make' in $dir first"
}

# ---- results ---------------------------------------------------------------

# What igt prints of a subtest that it skips is the reason, also for those that it skips
# right behind it.
test_skip_reason() {
	echo "vcm_x one two three four" >"$dir/expected"
	output=$("$TOP/scripts/results.py" --boot "$dir" --where arm/ 2>&1 <<-'END'
		@@begin igt vcm_x
		Starting subtest: one
		Test requirement not met in function f, file x.c:1:
		Test requirement: !access(path, F_OK)
		no such IOMMU
		Subtest one: SKIP (0.001s)
		Subtest two: SKIP (0.000s)
		Starting subtest: three
		Subtest three: SUCCESS (0.001s)
		Subtest four: SKIP (0.000s)
		@@end 77
	END
	)
	check says "SKIP arm/vcm_x@one (no such IOMMU)"
	check says "SKIP arm/vcm_x@two (no such IOMMU)"
	check says "PASS arm/vcm_x@three (0.001 s)"
	check test "$(tail -n 1 <<<"$output")" = "SKIP arm/vcm_x@four"
}

test_matrix() {
	cat >"$dir/results" <<-'END'
		PASS intel/vcm_x@one (0.1 s)
		PASS edu/vcm_edu@one (0.1 s)
		PASS intel/boot@intel (5 s)
		SKIP arm64-none/vcm_x@one (no IOMMU)
		PASS arm64-none/boot@arm64-none (5 s)
		PASS intel/vcm_policy@guard-read (0.1 s)
		LEFT intel/vcm_policy@guard-write (no page (none))
		LEFT arm64-none/vcm_policy@guard-write (no page (none))
		SKIP arm64-virtio/vcm_policy@guard-read (no IOMMU)
		PASS arm64-virtio/vcm_policy@guard-write (0.1 s)
	END
	run "$TOP/scripts/matrix.py" --page "$dir/page.rst" "$dir/results"
	check test $status -eq 0
	check says "no IOMMU: vcm_x (one) on arm64 no IOMMU"
	check says "6 passed, 0 failed, 2 skipped"
	check grep -q "^What was skipped" "$dir/page.rst"
	check grep -qxF "* no page (none): vcm_policy (guard-write) on x86_64 VT-d, arm64 no IOMMU" "$dir/page.rst"
	# Of two tests that show something one is enough if the other does not run, and only then.
	check test "$(sed -n '/- a guard that it reaches/,/\*/p' "$dir/page.rst" | tr -d ' \n')" = \
		"*-aguardthatitreachesnothingin-yes-------------no----*-faultsintheguardinthekernel'slog"
	# What is wrong is not documented.
	echo "FAIL intel/boot@intel (exit status 125)" >>"$dir/results"
	rm "$dir/page.rst"
	run "$TOP/scripts/matrix.py" --page "$dir/page.rst" "$dir/results"
	check test $status -ne 0
	check says "1 FAILED"
	check is_missing "$dir/page.rst"
}

# What vcm_conformance says of itself, in $dir.
say_conformance() {
	printf 'A test.\n\nSUB zeroed test.c:1:\n  Memory is zero\n\nSUB segments test.c:2:\n  Segments\n' \
		>"$dir/describe"
}

test_conformance() {
	local args=(--page "$dir/page.rst" --describe "$dir/describe" "$dir/intel.log" "$dir/none.log")

	say_conformance
	cat >"$dir/intel.log" <<-'END'
		@@heap system
		Subtest zeroed: FAIL (0.1s)
		@found segments: 33
		Subtest segments: SUCCESS (0.1s)
		@@heap vcm
		Subtest zeroed: SUCCESS (0.1s)
		@found segments: 1
		Subtest segments: SUCCESS (0.1s)
	END
	sed 's/segments: [0-9]*/segments: 5/; s/zeroed: SUCCESS/zeroed: SKIP/' "$dir/intel.log" >"$dir/none.log"
	run "$TOP/scripts/conformance.py" "${args[@]}"
	check test $status -eq 0
	check grep -qx "Memory is zero  no      yes" <<<"$output"
	check grep -qE "^Segments +33 +1$" <<<"$output"
	check grep -qE "^Segments, without an IOMMU +5 +5$" <<<"$output"
	check grep -q "^   \* - Memory is zero" "$dir/page.rst"
	# The project's own heap has to have it.
	rm "$dir/page.rst"
	sed -i 's/zeroed: SUCCESS/zeroed: FAIL/' "$dir/intel.log"
	run "$TOP/scripts/conformance.py" "${args[@]}"
	check test $status -ne 0
	check says "vcm lacks: zeroed"
	check is_missing "$dir/page.rst"
}

test_igt() {
	mkdir "$dir/out"
	"$TOP/out/tests/vcm_sync" --describe >"$dir/out/vcm_sync.txt"
	echo vcm_sync >"$dir/out/chosen"
	run "$TOP/scripts/igt.py" tree "$dir/out"
	check test $status -eq 0
	check grep -qx " \* SUBTEST: legal" "$dir/out/tree/tests/vcm/vcm_sync.c"
	check grep -q "'vcm_sync'," "$dir/out/tree/tests/vcm/meson.build"
	echo '{"tests": {"igt@vcm_sync@legal": {"result": "pass"}, "igt@vcm_sync@name": {"result": "fail"},
		"igt@vcm_sync@seek": {"result": "warn"}}}' >"$dir/out/results.json"
	run "$TOP/scripts/igt.py" results "$dir/out"
	check says "PASS igt@vcm_sync@legal"
	check says "FAIL igt@vcm_sync@name (fail)"
	check says "PASS igt@vcm_sync@seek (warn)"
	check says "FAIL igt@vcm_sync@idle (no result)"
}

# ---- what is installed -----------------------------------------------------

complete_vcmctl() {
	# shellcheck disable=SC2034 # what bash tells a completion
	local COMP_WORDS=(vcmctl "$@") COMP_CWORD=$# COMPREPLY=()

	compopt() { :; }
	_vcmctl
	output="${COMPREPLY[*]}"
}

test_completion() {
	mkdir "$dir/bin"
	ln -s "$TOP/out/tests/vcmctl" "$dir/bin/"
	PATH=$dir/bin:$PATH
	# shellcheck source=tools/vcmctl/vcmctl.bash-completion
	. "$TOP/tools/vcmctl/vcmctl.bash-completion"
	complete_vcmctl al
	check test "$output" = alloc
	complete_vcmctl help p
	check test "$output" = pool
	complete_vcmctl alloc --al
	check test "$output" = --align=
	complete_vcmctl pool --
	check test "$output" = "--cap= --drain --high= --low="
}

test_man_page() {
	run "$TOP/tools/vcmctl/man.sh" "$TOP/out/tests/vcmctl"
	check test $status -eq 0
	check says '.SH NAME'
	check says '.SS alloc'
	check says '\-\-align=SIZE'
}

# The kernel that is downloaded is hardly the one that runs.
test_install_without_kernel() {
	run make -s -C "$TOP" install KDIR= "DESTDIR=$dir/root"
	check refused "for which kernel?"
	check is_missing "$dir/root"
}

test_install_tools() {
	run make -s -C "$TOP" install-tools install-boot "DESTDIR=$dir/root" "OUT=$dir/out"
	check test $status -eq 0
	check test -x "$dir/root/usr/bin/vcmctl"
	check test -f "$dir/root/usr/share/man/man1/vcmctl.1"
	check test -f "$dir/root/usr/include/linux/dma-heap-vcm.h"
	# What the documentation says they are
	check diff <(grep KERNEL "$dir/root/usr/lib/udev/rules.d/60-vcm.rules") \
		<(sed -n 's/^  \(KERNEL.*GROUP.*\)/\1/p' "$TOP/Documentation/userspace-api/dma-heap-vcm.rst")
}

# DKMS builds for the kernels that "make" builds for.
test_dkms_kernels() {
	local release BUILD_EXCLUSIVE_KERNEL oldest

	oldest=$(sed -n 's/^readonly OLDEST=//p' "$TOP/scripts/lib.sh")
	eval "$(grep '^BUILD_EXCLUSIVE_KERNEL=' "$TOP/debian/vcm-dkms.dkms")"
	for release in "$oldest" "$oldest.12+deb13-amd64" 7.10-amd64 8.0-amd64 10.1-amd64; do
		check grep -qE "$BUILD_EXCLUSIVE_KERNEL" <<<"$release"
	done
	for release in "${oldest%.*}.$((${oldest#*.} - 1)).99-amd64" 6.12.95-amd64; do
		check is_not "$BUILD_EXCLUSIVE_KERNEL" "$release"
	done
}

is_not() { ! grep -qE "$1" <<<"$2"; }

test_help() {
	local script

	for script in "$TOP"/scripts/*.sh; do
		case $script in
		*/lib.sh | */mirror.sh | */vm-*.sh) continue ;;
		esac
		run "$script" --help
		check test $status -eq 0
		check says "usage: scripts/${script##*/}"
	done
	run make -s -C "$TOP" help
	check test $status -eq 0
	check says distclean
}

run_tests "$@"
