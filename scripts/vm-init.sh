#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The guest's first process (busybox sh). vm.sh puts it into the initramfs as
# /.vcm/init, beside what it needs to know: nonce, options, modules/*, command.

export PATH=/:/usr/sbin:/usr/bin:/sbin:/bin HOME=/ TERM=dumb LANG=C

# Through the kernel log: the console's own lines are never torn apart, while
# what is written to the console tty may have kernel messages in the middle.
mark() {
	echo "<1>VCM-$1:$nonce:$2" >/dev/kmsg
}

finish() {
	mark END "$1:$(cat /proc/sys/kernel/tainted)"
	# QEMU runs with -no-reboot.
	reboot -f
	sleep 60
}

mount_all() {
	mount -t devtmpfs dev /dev
	mount -t proc proc /proc
	mount -t sysfs sys /sys
	mount -t debugfs debugfs /sys/kernel/debug
	mount -t tracefs tracefs /sys/kernel/tracing
	mkdir -p /dev/shm /dev/pts
	mount -t tmpfs tmpfs /dev/shm
	mount -t devpts devpts /dev/pts
	mount_tmp
	# Not in every kernel.
	ip link set lo up 2>/dev/null
}

# Files of the caller may lie below /tmp: they move into the new file system.
mount_tmp() {
	mkdir /.vcm/tmp
	mount -t tmpfs tmpfs /.vcm/tmp
	chmod 1777 /.vcm/tmp
	cp -a /tmp/. /.vcm/tmp/
	mount --move /.vcm/tmp /tmp
}

# The tests' importer cannot see how wide vm.sh made the devices' DMA addresses.
module_params() {
	# shellcheck disable=SC2154 # what is in the options
	case $1 in
	vcm_edu_test) echo "dma_bits=$dma_bits" ;;
	esac
	# What the caller asks for comes later, and is what counts.
	cat "/.vcm/params/$1" 2>/dev/null
}

load_modules() {
	while read -r module; do
		# shellcheck disable=SC2046
		if ! err=$(insmod "/.vcm/modules/$module.ko" $(module_params "$module") 2>&1); then
			mark FAIL "$module.ko: $err"
			reboot -f
		fi
	done </.vcm/modules/order
}

# Standard output and error leave through a serial port each, and are pipes for
# the command, as they are when a program's output is collected on a host.
run_command() {
	if [ -n "$terminal" ]; then
		run_on_terminal
		return
	fi
	start_input
	stty -F "$port0" 115200 raw -echo
	stty -F "$port1" 115200 raw -echo
	mkfifo /.vcm/out /.vcm/err
	cat /.vcm/out >"$port0" &
	out=$!
	cat /.vcm/err >"$port1" &
	err=$!
	cd / || return
	/bin/sh /.vcm/command <"$from" >/.vcm/out 2>/.vcm/err
	status=$?
	[ -z "$feeder" ] || kill "$feeder" 2>/dev/null
	drain "$out"
	drain "$err"
	return $status
}

# Standard input comes a line of hexadecimal digits at a time, see vm.sh.
start_input() {
	from=/dev/null
	feeder=
	[ -n "$input" ] || return
	from=/.vcm/in
	mkfifo $from
	stty -F "$port2" 115200 raw -echo
	feed_input <>"$port2" >$from &
	feeder=$!
}

feed_input() {
	while echo >&0 && IFS= read -r block && [ "$block" != . ]; do
		echo "$block" | xxd -r -p || return
	done
}

# The command has the serial port as its terminal, with all that belongs to one.
run_on_terminal() {
	# shellcheck disable=SC2154 # what is in the options
	stty -F "$port0" 115200 sane rows "$rows" cols "$columns"
	export TERM=vt102 PS1='vcm# '
	cd / || return
	{
		echo "A guest with Linux $(uname -r), and the vcm heap in it. 'vcmctl help' says what"
		echo "there is to do; 'exit' ends the guest."
	} >"$port0"
	# shellcheck disable=SC2094 # it is a terminal
	setsid -c /bin/sh /.vcm/command <"$port0" >"$port0" 2>&1
}

# The number of descriptors that are open on the two pipes.
pipe_holders() {
	n=0
	for fd in /proc/[0-9]*/fd/*; do
		case $(readlink "$fd") in
		/.vcm/out | /.vcm/err) n=$((n + 1)) ;;
		esac
	done
	echo $n
}

# The last close of a serial port waits until all is sent. A process that the
# command left behind may hold the pipe: it is not waited for.
drain() {
	tries=0
	while kill -0 "$1" 2>/dev/null && [ $tries -lt 600 ]; do
		sleep 0.1
		tries=$((tries + 1))
		# Besides the two readers.
		if [ $((tries % 10)) -eq 0 ] && [ "$(pipe_holders)" -gt 2 ]; then
			return
		fi
	done
}

# The port through which pictures of the screen are asked for, see vm.sh.
find_screen() {
	# shellcheck disable=SC2154 # what is in the options
	[ -n "$screen" ] || return
	port=$(grep -lx vcm.screen /sys/class/virtio-ports/*/name) || return
	port=${port%/name}
	ln -s "${port##*/}" /dev/vcm-screen
}

# The answer begins when the picture is there; the rest of it nobody needs.
take_last_picture() {
	[ -c /dev/vcm-screen ] || return
	{ echo end >&0 && read -r _; } <>/dev/vcm-screen
}

# A kernel that can, looks for memory that nothing points to any more. It takes
# an object for lost when that is 5 seconds old.
check_leaks() {
	leaks=/sys/kernel/debug/kmemleak
	[ -e $leaks ] && echo scan 2>/dev/null >$leaks || return 0
	sleep 6
	echo scan >$leaks
	sed 's/^/<4>leak: /' $leaks >/.vcm/leaks
	while read -r line; do
		echo "$line" >/dev/kmsg
	done </.vcm/leaks
}

mount_all
nonce=$(cat /.vcm/nonce)
# shellcheck disable=SC1091
. /.vcm/options
# shellcheck disable=SC2154
port0=/dev/$ports$first_port port1=/dev/$ports$((first_port + 1)) port2=/dev/$ports$((first_port + 2))
[ -z "$load" ] || load_modules
find_screen
mark START 0
run_command
status=$?
take_last_picture
check_leaks
finish $status
