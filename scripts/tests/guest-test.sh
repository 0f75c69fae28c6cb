#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of what a user does with a guest: typing, the lines of README, the example to
# copy. Guests of the stock kernel are booted.

# shellcheck source=scripts/tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly TESTS=$TOP/out/tests

vm() { run "$TOP/scripts/vm.sh" "$@"; }

# What 'make shell' does, but that everything is built already.
shell_args() {
	printf '%s\n' --shell --file "$TESTS/vcmctl" --file "$TESTS/vcm_alloc"
}

# Bytes of all kinds, more than any buffer on the way holds, and the end of them.
test_input() {
	local sum

	head -c 20000 /dev/urandom >"$dir/bytes"
	printf '\0\n\r\004\003' >>"$dir/bytes"
	sum=$(md5sum <"$dir/bytes")
	vm -- sh -c 'md5sum; exit 3' <"$dir/bytes"
	check test $status -eq 3
	check says "$sum"
}

# A command that does not read it ends nevertheless, and a pipe may stay open.
test_input_unread() {
	vm -- echo finished < <(exec sleep 300 2>/dev/null)
	check test $status -eq 0
	check says finished
}

# The indented lines of README's section.
readme_lines() {
	awk '/^## / { on = ($0 == "## Try it") } on && /^    / && !/scripts\/vm.sh/ { print substr($0, 5) }' "$TOP/README.md"
}

test_readme() {
	local args n

	mapfile -t args < <(shell_args)
	n=$(readme_lines | wc -l)
	check test "$n" -gt 8
	vm "${args[@]}" < <(readme_lines | sed 'p; s/.*/[ $? -eq 0 ] \&\& echo "@ok" || echo "@failed"/')
	check test $status -eq 0
	check test "$(grep -c '^@ok$' <<<"$output")" -eq "$n"
	check says "2 MiB, as its largest chunk (1 MiB was asked for)"
	check says "Subtest size-1m: SUCCESS"
	# What is typed to a prompt of this machine.
	output=$(cd "$TOP" && bash -c "$(awk '/^    scripts\/vm.sh/ { print; exit }' README.md)" 2>&1)
	check says "buffers 0"
}

# A terminal: Ctrl-C is for what runs in the guest, and does not end it.
test_terminal() {
	local args command

	mapfile -t args < <(shell_args)
	command="$TOP/scripts/vm.sh${args[*]/#/ }"
	mkfifo "$dir/keys"
	# shellcheck disable=SC2094 # two ends of a pipe
	(
		exec 4>"$dir/keys"
		wait_for 'vcm# '
		printf 'sleep 1000\r' >&4
		wait_for 'sleep 1000'
		# It may not run yet, which shows in nothing: as often as it takes.
		until grep -qs 'ended=130' "$dir/screen"; do
			printf '\003' >&4
			sleep 1
			printf 'echo ended=$?\r' >&4
			sleep 1
		done
		printf 'exit 7\r' >&4
		exec sleep 100
	) >/dev/null 2>&1 &
	timeout --foreground 300 script -qefc "$command" "$dir/typescript" <"$dir/keys" >"$dir/screen" 2>&1
	status=$?
	kill $! 2>/dev/null
	output=$(<"$dir/screen")
	check test $status -eq 7
	check says "A guest with Linux"
	check says "ended=130"
}

wait_for() {
	until grep -qsF -- "$1" "$dir/screen"; do sleep 0.3; done
}

# From an empty directory, as in somebody's own repository, with no more of this one than its
# headers and symbols.
test_example() {
	local env out=$dir/out

	env=$("$TOP/scripts/setup.sh" --print) || { check false; return; }
	eval "$env"
	cp -r "$TOP/tools/vcm-example" "$dir/mine"
	cp -r "$TOP/include" "$TOP/out/modules/Module.symvers" "$dir"
	output=$(make -C "$dir/mine" VCM=/nonexist INCLUDE="$dir/include" SYMBOLS="$dir/Module.symvers" \
		OUT="$out" KDIR="$KDIR" all module 2>&1)
	check test $? -eq 0
	[[ $output != *[Ww]arning:* ]] || check says nothing
	# Buffers do not need the address spaces, nor the other way round.
	vm --no-load --file "$out/vcm-buffer" --file "$out/vcm-import" --file "$out/vcm-many" \
		--file "$out/module/vcm-example.ko" --file "$out/module/vcm-jobs.ko" -- sh -c '
		cd /.vcm/modules && insmod vcm_iova.ko && insmod vcm_heap.ko && vcm-buffer &&
			insmod vcm_iommu.ko && insmod /vcm-example.ko && vcm-import /dev/vcm-example &&
			cat /sys/kernel/debug/vcm/totals && rmmod vcm_example && echo unloaded &&
			insmod /vcm-jobs.ko && vcm-many 8 && rmmod vcm_jobs && echo unloaded too'
	check test $status -eq 0
	# A fault for each 2 MB: it is mapped with large pages.
	check says "16777216 bytes written with 8 faults"
	check says "the device copied it"
	check says "buffers 0"
	check says "unloaded"
	check says "8 jobs on 384 MB"
	check says "unloaded too"
}

# The kernel's own modules take parameters too, and bring those they need.
test_module() {
	vm --module vivid:n_devs=2:multiplanar=1,2 --module vgem --module drm:debug=0x2 -- sh -c '
		cd /sys/module && cat vivid/parameters/n_devs vivid/parameters/multiplanar drm/parameters/debug
		ls -d /.vcm/modules/vivid.ko && ls -d vgem
		tail -n 1 /.vcm/modules/order'
	check test $status -eq 0
	check says "2
1,2,1"
	check says "1,1
2
/.vcm/modules/vivid.ko
vgem
vgem"
}

# The guest gets each picture that it asks for, and the file is the last one.
test_screen() {
	# shellcheck disable=SC2016 # the guest's variables
	vm --device bochs-display --module bochs --screen "$dir/screen.png" -- sh -c '
		size=$(tr , " " </sys/class/graphics/fb0/virtual_size)
		bytes=$((3 * ${size% *} * ${size#* }))
		picture() {
			exec 3<>/dev/vcm-screen
			echo >&3
			for word in P6 "$size" 255; do
				read -r line <&3 && [ "$line" = "$word" ] || echo "$line, not $word"
			done
			head -c $bytes <&3 | tr -d "$1" | wc -c
			exec 3>&-
		}
		printf "\\033[?25l" >/dev/tty0
		for color in 000 377; do
			tr "\000" "\\$color" </dev/zero | head -c $((bytes / 3 * 4)) >/dev/fb0
			tries=0
			until rest=$(picture "\\$color") && [ "$rest" = 0 ] || [ $tries = 100 ]; do
				tries=$((tries + 1))
				sleep 0.1
			done
			echo "$color: $rest"
		done; echo "size $size"'
	check test $status -eq 0
	check says "000: 0
377: 0
size "
	check is_png "$dir/screen.png" "${output##*size }"
}

# Without a line it is what is there at the end. A device that shows nothing has none.
test_screen_at_the_end() {
	vm --device bochs-display --screen "$dir/screen.png" -- true
	check test $status -eq 0
	check is_png "$dir/screen.png"
	vm --screen "$dir/none.png" -- true
	check test $status -eq 1
	check says "no picture: There is no console"
	check test ! -e "$dir/none.png"
}

# is_png FILE ["WIDTH HEIGHT"]
is_png() {
	local bytes

	bytes=$(head -c 24 "$1" | od -An -v -tu1 | tr -s ' \n' ' ')
	read -ra bytes <<<"$bytes"
	[[ ${bytes[*]:1:3} == "80 78 71" ]] || return 1
	[[ -z ${2:-} ]] ||
		[[ $((bytes[18] * 256 + bytes[19])) -eq ${2% *} && $((bytes[22] * 256 + bytes[23])) -eq ${2#* } ]]
}

# A width that no mask has is refused where it is given.
test_edu_dma_bits() {
	# shellcheck disable=SC2016 # the guest's variables
	vm --module vcm-edu-test -- sh -c '
		rmmod vcm_edu_test || exit 1
		for bits in 0 65 28,0 28,65 4294967295; do
			! insmod /.vcm/modules/vcm_edu_test.ko dma_bits=$bits || exit 1
		done
		insmod /.vcm/modules/vcm_edu_test.ko dma_bits=28,64 && echo both=$(echo /dev/vcm-edu-test*)'
	check test $status -eq 0
	check says "Invalid argument"
	check says "both=/dev/vcm-edu-test /dev/vcm-edu-test1"
}

# The rules in the documentation, and what it says of them.
test_udev_rules() {
	sed -n 's/^  \(KERNEL==.*\)/\1/p' "$TOP/Documentation/userspace-api/dma-heap-vcm.rst" >"$dir/rules"
	check test "$(wc -l <"$dir/rules")" -eq 3
	echo 'KERNEL=="vcm", SUBSYSTEM=="dma_heap", SYMLINK+="dma_heap/system"' >>"$dir/rules"
	echo 'root:x:0:0:root:/:/bin/sh' >"$dir/passwd"
	printf '%s:\n' root:x:0 video:x:44 >"$dir/group"
	vm --no-load --file /bin/udevadm:/bin/systemd-udevd --file "$TESTS/vcm_conformance" \
		--file "$dir/rules:/etc/udev/rules.d/60-vcm.rules" --file /bin/udevadm \
		--file "$dir/passwd:/etc/passwd" --file "$dir/group:/etc/group" -- sh -c '
		systemd-udevd --daemon && cd /.vcm/modules && insmod vcm_iova.ko && insmod vcm_heap.ko &&
			udevadm settle && stat -c "%n %a %G" /dev/vcm /dev/dma_heap/vcm &&
			readlink "/dev/dma_heap/linux,cma" && test -c /dev/dma_heap/system || exit
		ln -sf vcm /dev/dma_heap/system
		for HEAP in linux,cma system; do
			export HEAP
			vcm_conformance --run-subtest zeroed || exit
			vcm_conformance --run-subtest name >/log 2>&1
			grep -m 1 "exporter is" /log
		done'
	check test $status -eq 0
	# The heap knows its own name only.
	check test "$(grep -c 'exporter is "vcm"' <<<"$output")" -eq 2
	check says "/dev/vcm 660 video"
	check says "/dev/dma_heap/vcm 660 video"
}

# The examples in the documentation, one after the other, where each has something to show.
test_trace_examples() {
	{
		echo 'cd /tmp || exit'
		sed -nE 's/^  ((trace-cmd|perf) .*)/echo "= \1"; \1 || echo "status $?"/p' \
			"$TOP/Documentation/userspace-api/vcm-tracing.rst"
	} >"$dir/examples.sh"
	check test "$(wc -l <"$dir/examples.sh")" -eq 10
	# A program with buffers of single pages, and one that is mapped
	cat >"$dir/vcm_import" <<-'END'
		#!/bin/sh
		vcmctl alloc --chunks=page 1M && vcm_import.real --run-subtest lengths,visible
	END
	chmod +x "$dir/vcm_import"
	vm --iommu none --module vcm-edu-test --file "$dir/examples.sh" --file "$dir/vcm_import:/bin/vcm_import" \
		--file "$TESTS/vcm_import:/bin/vcm_import.real" --file "$TESTS/vcmctl:/bin/vcmctl" \
		--file "$(command -v trace-cmd):/bin/trace-cmd" --file "$(command -v perf):/bin/perf" -- \
		sh /examples.sh
	check test $status -eq 0
	check says_nothing_of "status "
	check says "2M=0 1M=0 64K=0 page=256"
	check says "iova=none:0 length="
	check says "degraded=1"
	check says "vcm_iova_map();"
	check says "vcm_iova_unmap();"
	check says "vcm_heap:vcm_heap_map  "
	check says "vcm_heap:vcm_heap_release: ino="
}

run_tests "$@"
