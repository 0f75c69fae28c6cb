#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Boots a guest with the unmodified kernel or one of scripts/kernel.sh, loads the
# project's modules and runs one command in it as root.
#
# What differs between the architectures is in two tables: ARCHS in scripts/lib.sh, and
# here what set_machine sets.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# In load order.
PROJECT_MODULES=(vcm_iova vcm_iommu vcm-heap vcm-edu)
# Seconds for the whole run, and until the command must have started: ten times
# what a boot takes. With a kernel that checks everything as many times longer.
readonly TIMEOUT=600 BOOT_TIMEOUT=120 SLOWNESS=5
readonly ICOUNT="-icount shift=1,sleep=off,align=off -seed 1 -rtc base=2026-01-01,clock=vm"
# The kernel's image, unpacked, and the initramfs; with less it says nothing at all.
readonly MEM_MIN_MB=96
readonly EXIT_TIMEOUT=124 EXIT_KERNEL=125 EXIT_GUEST=126

usage() {
	cat <<'USAGE'
usage: scripts/vm.sh [OPTION]... -- COMMAND [ARG]...

  --arch x86_64|arm64|arm   (default x86_64)
  --iommu IOMMU             x86_64: intel (default), amd, virtio or none
                            arm64: smmuv3 (default), virtio or none; arm: none
  --non-coherent            devices do not see the CPUs' caches (arm64)
  --kernel KERNEL           x86_64: stock (default), debug, debug-m, debug-hide,
                            kcsan, bench or gcov; arm64: stock (default), which
                            stands in for Debian's, builtin, 16k, 64k or debug;
                            arm: builtin (default);
                            all but Debian's are those of scripts/kernel.sh, built
                            if they are not there
  --mem SIZE                memory of the guest (default 1G)
  --append KERNEL_ARGS      further arguments for the kernel
  --file HOST[:GUEST]       a file or directory for the guest, with the shared
                            libraries it needs (default /<its name>); repeatable
  --module NAME[:PARAM=VALUE]...
                            a module of the kernel's own to load, or parameters for
                            one of the project's; repeatable
  --device QEMU_DEVICE      a further device (-device of QEMU); repeatable. One with
                            blob=on needs /dev/udmabuf here, or 'make tests'
  --disk SIZE|FILE          an empty disk, or one with what is in a file, /dev/vda and so
                            on; what is written to it is gone afterwards; repeatable
  --screen FILE.png         a picture of what the first display among the devices shows:
                            each time COMMAND writes a line to /dev/vcm-screen, of
                            which the last one stays, or else at the end. COMMAND must
                            read the answer: the picture as PPM (P6), or a line
                            "error: ..." in its place
  --shell                   a shell: on a terminal to type into, else one that reads
                            standard input; COMMAND may be left out
  --no-load                 load no modules; their files are /.vcm/modules/<name>.ko,
                            with _ for -, and in /.vcm/modules/order their names
  --timeout SEC             time for the whole run (default 600; 3000 with
                            a kernel that checks)

COMMAND gets standard input, unless that is a terminal, standard output and error.
Exit status: COMMAND's; 124 timeout; 125 the kernel reported a bug, or at the
end memory that was leaked; 126 the guest died; 1 wrong use or set-up. What the
kernel said is in out/vm/.

environment: VCM_VM_TIMEOUT (as --timeout), VCM_ACCEL=tcg|mttcg|icount|kvm (no
trying out; mttcg is tcg with a host thread for each CPU, icount is tcg with a
clock that counts instructions: 2 ns each), VCM_MODULES (directory with the
project's modules, default out/modules, of arm64 out/arm64/modules), and those of
scripts/setup.sh
USAGE
}

arch=x86_64
iommu=
# The width of the DMA addresses of the two edu devices.
dma_bits=(28 32)
coherent=1
kernel=
mem=1G
append=()
files=()
modules=()
devices=()
disks=()
screen=
command=()
timeout=${VCM_VM_TIMEOUT:-}
slowness=1
project_modules=1
load=1
shell=
input=
terminal=
work=
qemu_pid=
readers=()
feeder=
photographer=
# The kernel, set by load_kernel.
KDIR=${KDIR:-} KIMAGE=${KIMAGE:-} KMODULES=${KMODULES:-}

parse_args() {
	while [[ $# -gt 0 ]]; do
		case $1 in
		--no-project-modules) project_modules= ;;
		--no-load) load= ;;
		--non-coherent) coherent= ;;
		--shell) shell=1 ;;
		-h | --help) usage; exit 0 ;;
		--) shift; command=("$@"); break ;;
		--arch | --iommu | --kernel | --mem | --append | --file | --module | --device | \
			--disk | --screen | --timeout)
			[[ $# -ge 2 ]] || die "$1 needs a value (see --help)"
			set_option "${1#--}" "$2"
			shift
			;;
		*) die "unknown argument '$1' (see --help)" ;;
		esac
		shift
	done
	[[ -z $shell || ${#command[@]} -gt 0 ]] || command=(sh)
	[[ ${#command[@]} -gt 0 ]] || die "no command: give it behind -- (see --help)"
	[[ -z $timeout || $timeout =~ ^[1-9][0-9]*$ ]] || die "timeout '$timeout' is no number of seconds"
}

set_option() {
	case $1 in
	append) append+=("$2") ;;
	file | module | device | disk) declare -n list=$1s; list+=("$2") ;;
	*) printf -v "$1" %s "$2" ;;
	esac
}

# What the terminal was set to, where there is one for a shell; else whether there is
# something to read. What was started in the background must not touch the terminal.
choose_input() {
	if [[ -n $shell && -t 0 && -t 1 ]]; then
		terminal=$(stty -g)
	elif [[ -e /dev/fd/0 && ! -t 0 && ! /dev/fd/0 -ef /dev/null ]]; then
		input=1
	fi
}

# What there is of an architecture: its IOMMUs, the default first; its kernels, those that
# check everything, and are slow, last. And where things are in its machine: the options
# for the CPU, with what a clock takes that tells single nanoseconds, for a serial port, the
# bus of virtio devices, and what Linux calls the ports, with the number of the first one of
# the command.
set_machine() {
	case $arch in
	x86_64)
		iommus=(intel amd virtio none)
		kernels=(stock bench) slow_kernels=(debug debug-m debug-hide kcsan gcov)
		cpu=max fine_clock='' serial=isa-serial virtio=pci ports=ttyS first_port=1
		default_modules=$VCM_TOP/out/modules make_modules='make'
		;;
	arm64)
		iommus=(smmuv3 virtio none)
		kernels=(stock builtin 16k 64k) slow_kernels=(debug)
		cpu=cortex-a72 fine_clock=cntfrq=1000000000 serial=pci-serial virtio=pci ports=ttyS first_port=0
		default_modules=$VCM_TOP/out/$arch/modules make_modules="make $arch"
		;;
	arm)
		iommus=(none)
		kernels=(builtin) slow_kernels=()
		cpu=cortex-a15 fine_clock='' serial=board virtio=device ports=ttyAMA first_port=1
		# Without PCI there is none; and the project is in the image.
		dma_bits=() default_modules='' make_modules=''
		;;
	esac
}

check_options() {
	set_arch "$arch"
	set_machine
	: "${iommu:=${iommus[0]}}" "${kernel:=$default_kernel}"
	[[ " ${iommus[*]} " == *" $iommu "* ]] || die "unknown IOMMU '$iommu' for $arch (there are: ${iommus[*]})"
	[[ " ${kernels[*]} ${slow_kernels[*]} " == *" $kernel "* ]] ||
		die "unknown kernel '$kernel' for $arch (there are: ${kernels[*]} ${slow_kernels[*]})"
	[[ " ${slow_kernels[*]} " != *" $kernel "* ]] || slowness=$SLOWNESS
	# The other CPU has no pages of 16 KB.
	[[ $arch-$kernel != arm64-16k ]] || cpu=max
	# No memory of this machine is where the narrow device could reach it.
	[[ $arch-$iommu != arm64-none ]] || dma_bits=(32 32)
	[[ -n $coherent || $arch == arm64 ]] || die "--non-coherent: for arm64 alone"
	case ${VCM_ACCEL:-} in
	'' | tcg | mttcg | icount | kvm) ;;
	*) die "VCM_ACCEL=$VCM_ACCEL: tcg, mttcg, icount or kvm" ;;
	esac
	# Nobody hurries who types.
	[[ -z $terminal ]] || : "${timeout:=$((30 * 24 * 3600))}"
	: "${timeout:=$((TIMEOUT * slowness))}"
	check_sizes "$mem"
	check_disks
	check_screen
	check_contents
}

check_sizes() {
	local size

	for size; do
		[[ $size =~ ^[1-9][0-9]{0,5}[MG]$ ]] ||
			die "'$size' is no size: a number of up to six digits with M or G behind it"
	done
	[[ $mem == *G || ${mem%M} -ge $MEM_MIN_MB ]] ||
		die "--mem $mem: a guest needs ${MEM_MIN_MB}M or more"
}

check_disks() {
	local disk

	for disk in "${disks[@]}"; do
		[[ -f $disk ]] || check_sizes "$disk"
	done
}

check_screen() {
	[[ -n $screen ]] || return 0
	[[ $screen == *.png ]] || die "--screen $screen: a file whose name ends in .png is needed"
	[[ -d $(dirname "$screen") && ! -d $screen ]] || die "--screen $screen: no such place"
}

# Sets host and guest in the caller from HOST[:GUEST].
split_file() {
	host=$1 guest=
	if [[ ! -e $host && $1 == *:* ]]; then
		host=${1%:*}
		guest=${1##*:}
	fi
	[[ -e $host ]] || die "--file: $host does not exist"
}

check_contents() {
	local spec host guest

	for spec in "${files[@]}"; do
		split_file "$spec"
	done
	for spec in "${modules[@]}"; do
		[[ $spec =~ ^[A-Za-z0-9_][A-Za-z0-9_-]*(:[A-Za-z0-9_.]+=.*)?$ ]] ||
			die "--module '$spec': NAME[:PARAM=VALUE]... is needed"
	done
}

load_kernel() {
	local env

	[[ $kernel != stock && -n $KDIR ]] || load_kernel_env "$arch" guest
	[[ $kernel != stock ]] || return 0
	env=$("$VCM_TOP/scripts/kernel.sh" --arch "$arch" --print "$kernel") || exit 1
	eval "$env"
}

# ---- initramfs -----------------------------------------------------------

# Of the guest's architecture, as set-up left it.
find_busybox() {
	if [[ $arch == x86_64 ]]; then
		command -v busybox
	else
		echo "$(vcm_cache)/guest-$arch/busybox"
	fi
}

build_skeleton() {
	local root=$1 busybox dir

	busybox=$(find_busybox)
	[[ -x $busybox ]] || die "no $busybox: run 'scripts/setup.sh --arch $arch --for guest'"
	mkdir -p "$root"/{.vcm/modules,dev,proc,sys,tmp,root,etc,var,mnt,run,usr/{bin,sbin,lib,lib64}}
	# As on Debian, so that every library has one place.
	for dir in bin sbin lib lib64; do
		ln -s "usr/$dir" "$root/$dir"
	done
	chmod 1777 "$root/tmp"
	cp "$busybox" "$root/usr/bin/busybox"
	! ldd "$busybox" >/dev/null 2>&1 || add_libraries "$root" "$busybox"
	# This machine's own says what there is, for it can be asked.
	while read -r dir; do
		ln -s busybox "$root/usr/bin/$dir"
	done < <(busybox --list | grep -vx busybox)
	echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"
	echo 'root:x:0:' >"$root/etc/group"
	cp "$VCM_TOP/scripts/vm-init.sh" "$root/.vcm/init"
	chmod 755 "$root/.vcm/init"
}

is_elf() {
	[[ -f $1 && $(head -c 4 "$1" | tr -d '\0') == $'\x7fELF' ]]
}

# The libraries and the loader that ELF file $2 names, at the same paths.
add_libraries() {
	local root=$1 lib out

	out=$(ldd "$2" 2>/dev/null) || return 0
	! grep -q 'not found' <<<"$out" || die "$2: library not found: $(grep -m1 'not found' <<<"$out" | xargs)"
	while read -r lib; do
		[[ -e $root$lib ]] || install -D "$lib" "$root$lib"
	done < <(grep -oE '(^|[[:space:]])/[^[:space:]]+' <<<"$out" | tr -d '[:blank:]')
}

# Makes room for $2 in the tree $1: the links to busybox may be replaced.
make_place() {
	mkdir -p "$(dirname "$1$2")"
	[[ ! -d $1$2 || -L $1$2 ]] || die "--file: $2 is a directory of the guest"
	rm -f "$1$2"
}

add_file() {
	local root=$1 spec=$2 host guest elf

	split_file "$spec"
	guest=/${guest#/}
	[[ $guest != */ ]] || guest+=$(basename "$host")
	make_place "$root" "$guest"
	cp -RL "$host" "$root$guest"
	if [[ $host == /* && $host != "$guest" && $spec == "$host" ]]; then
		make_place "$root" "$host"
		ln -s "$guest" "$root$host"
	fi
	while IFS= read -r -d '' elf; do
		! is_elf "$elf" || add_libraries "$root" "$elf"
	done < <(find -L "$host" -type f \( -perm -100 -o -name '*.so*' \) -print0)
}

# Single quotes: the one form of quoting that every shell reads alike.
quote() {
	local arg

	for arg; do
		printf " '%s'" "${arg//\'/\'\\\'\'}"
	done
}

declare -A loaded=()

# Puts one module file behind those that are there; .ko.xz and others unpacked,
# as busybox cannot.
add_module_file() {
	local root=$1 file=$2 name to

	name=$(module_name "$file")
	[[ -z ${loaded[$name]:-} ]] || return 0
	loaded[$name]=1
	echo "$name" >>"$root/.vcm/modules/order"
	to=$root/.vcm/modules/$name.ko
	case $file in
	*.ko) cp "$file" "$to" ;;
	*.ko.xz) xz -dc "$file" >"$to" ;;
	*.ko.gz) gzip -dc "$file" >"$to" ;;
	*.ko.zst) need_tools zstd; zstd -qdc "$file" >"$to" ;;
	*) die "module $file: unknown form of file" ;;
	esac
}

# Not with the host's modprobe.d: its blacklists and options are not for the guest.
what_to_insert() {
	modprobe -C /dev/null -d "$(realpath "$KMODULES/../../..")" -S "$(basename "$KMODULES")" -D "$1"
}

# A module of the kernel's own, behind those it depends on.
add_kernel_module() {
	local root=$1 name=$2 out verb file

	[[ -z ${loaded[${name//-/_}]:-} ]] || return 0
	[[ -n $KMODULES ]] || die "--module $name: give KMODULES=<lib/modules/VERSION of the kernel>"
	out=$(what_to_insert "$name" 2>&1) || die "--module $name: $(head -n 1 <<<"$out")"
	while read -r verb file _; do
		[[ $verb != insmod ]] || add_module_file "$root" "$file"
	done <<<"$out"
}

add_project_module() {
	local root=$1 dir=${VCM_MODULES:-$default_modules} file='' dep

	[[ $kernel == stock ]] || dir=$KMODULES
	[[ ! -d $dir ]] || file=$(find "$dir" -name "$2.ko" -print -quit)
	# What a kernel of scripts/kernel.sh has no module of is in its image.
	[[ -n $file || $kernel == stock ]] || return 0
	[[ -n $file ]] || die "no $2.ko under $dir: run '$make_modules' first"
	while read -r dep; do
		[[ -z $dep ]] || is_project_module "$dep" || add_kernel_module "$root" "$dep"
	done < <(modinfo -F depends "$file" | tr , '\n')
	add_module_file "$root" "$file"
}

add_modules() {
	local root=$1 name

	: >"$root/.vcm/modules/order"
	# Only one driver can have the devices.
	[[ " ${modules[*]%%:*} " != *" vcm-edu-test "* ]] ||
		PROJECT_MODULES=("${PROJECT_MODULES[@]/%vcm-edu/vcm-edu-test}")
	# Before anything that makes devices: they get their groups from it.
	[[ $iommu != virtio ]] || add_kernel_module "$root" virtio-iommu
	if [[ -n $project_modules ]]; then
		for name in "${PROJECT_MODULES[@]}"; do
			add_project_module "$root" "$name"
		done
	fi
	[[ ${#disks[@]} -eq 0 ]] || add_kernel_module "$root" virtio-blk
	# Debian's has it in the image, and no list of what is there.
	[[ -z $screen ]] || ! what_to_insert virtio_console >/dev/null 2>&1 ||
		add_kernel_module "$root" virtio_console
	for name in "${modules[@]%%:*}"; do
		is_project_module "$name" || add_kernel_module "$root" "$name"
	done
	add_module_params "$root"
}

is_project_module() {
	[[ -n $project_modules && " ${PROJECT_MODULES[*]//-/_} " == *" ${1//-/_} "* ]]
}

# A file of parameters for vm-init.sh for each module that has some; the kernel's
# command line takes those of a module that is in the image. A value may have
# colons in it.
add_module_params() {
	local root=$1 spec name params

	mkdir "$root/.vcm/params"
	for spec in "${modules[@]}"; do
		[[ $spec == *:* ]] || continue
		name=$(module_name "${spec%%:*}")
		read -ra params <<<"$(sed -E 's/:([A-Za-z0-9_.]+=)/ \1/g' <<<":${spec#*:}")"
		if [[ -n ${loaded[$name]:-} ]]; then
			echo "${params[*]}" >>"$root/.vcm/params/$name"
		else
			append+=("${params[@]/#/$name.}")
		fi
	done
}

# What the script in the guest has to know.
guest_options() {
	local rows=24 columns=80

	[[ -z $terminal ]] || read -r rows columns < <(stty size)
	# Some terminals do not know theirs.
	((rows > 0 && columns > 0)) || { rows=24 columns=80; }
	echo "load=$load input=$input screen=${screen:+1} terminal=$terminal rows=$rows columns=$columns ports=$ports first_port=$first_port" \
		"dma_bits=$(IFS=,; echo "${dma_bits[*]}")"
}

build_initramfs() {
	local root=$work/root spec

	build_skeleton "$root"
	for spec in "${files[@]}"; do
		add_file "$root" "$spec"
	done
	add_modules "$root"
	guest_options >"$root/.vcm/options"
	echo "exec$(quote "${command[@]}")" >"$root/.vcm/command"
	echo "$nonce" >"$root/.vcm/nonce"
	# Not compressed: unpacking in an emulated CPU costs more than copying.
	# Of the same files the same bytes, so that a guest can be the same to the last page.
	(cd "$root" && find . -exec touch -h -d @0 {} + && find . -print0 | LC_ALL=C sort -z |
		cpio -0 -o -H newc -R +0:+0 --reproducible --quiet) >"$work/initrd" ||
		die "cannot write the initramfs (disk full?)"
	rm -rf "$root"
}

# ---- QEMU ----------------------------------------------------------------

# KVM only where a real kernel was seen to boot with it: the device may exist,
# and even make a virtual machine, and still not run one.
choose_accel() {
	local key file

	if [[ -n ${VCM_ACCEL:-} ]]; then
		echo "$VCM_ACCEL"
		return
	fi
	if [[ $arch != x86_64 || ! -r /dev/kvm || ! -w /dev/kvm ]]; then
		echo tcg
		return
	fi
	open_cache
	key=$({ uname -nrv; qemu-system-x86_64 --version; echo "$KIMAGE"; grep -m1 'model name' /proc/cpuinfo; } |
		sha256sum | cut -c1-16)
	file=$cache/accel-$key
	if [[ ! -f $file ]]; then
		if kvm_boots; then echo kvm; else echo tcg; fi >"$file.$$"
		mv "$file.$$" "$file"
	fi
	cat "$file"
}

kvm_boots() {
	VCM_ACCEL=kvm "$VCM_TOP/scripts/vm.sh" --no-project-modules --iommu none \
		--timeout 20 -- true >/dev/null 2>&1
}

accel_args() {
	case $1 in
	# Multi-threaded TCG of QEMU 7.2 crashes one boot in twenty.
	tcg) echo "-accel tcg,thread=single -cpu $cpu" ;;
	mttcg) echo "-accel tcg,thread=multi -cpu $cpu" ;;
	# 2 ns for each instruction of either CPU, none waited for while both are idle, and
	# nothing of the host's: the same files run the same way to the last instruction.
	icount) echo "-accel tcg,thread=single -cpu $cpu${fine_clock:+,$fine_clock} $ICOUNT" ;;
	kvm) echo "-accel kvm -cpu host" ;;
	esac
}

# By what this QEMU knows: 11 renamed the switch, and with the default of 10 and
# 11 the device lets DMA through untranslated.
amd_iommu_args() {
	local help

	help=$(qemu-system-x86_64 -device amd-iommu,help)
	case $help in
	*dma-remap=*) echo "amd-iommu,intremap=on,dma-remap=on" ;;
	*pt=*) echo "amd-iommu,intremap=on,pt=off" ;;
	*) echo "amd-iommu,intremap=on" ;;
	esac
}

machine_args() {
	case $arch-$iommu in
	x86_64-intel) echo "-machine q35,kernel-irqchip=split -device intel-iommu,intremap=on" ;;
	x86_64-amd) echo "-machine q35,kernel-irqchip=split -device $(amd_iommu_args)" ;;
	x86_64-virtio) echo "-machine q35 -device virtio-iommu-pci" ;;
	x86_64-none) echo "-machine q35" ;;
	arm64-smmuv3) echo "-machine virt,gic-version=3,iommu=smmuv3" ;;
	arm64-virtio) echo "-machine virt,gic-version=3 -device virtio-iommu-pci" ;;
	arm64-none) echo "-machine virt,gic-version=3" ;;
	arm-none) echo "-machine vexpress-a15" ;;
	esac
}

# How the machine is described to the kernel, where that is not what QEMU says by itself.
device_tree_args() {
	[[ -n $coherent ]] || non_coherent_tree "$@"
	[[ -z $device_tree ]] || display_tree
	[[ ! -f $work/machine.dtb ]] || echo "-dtb $work/machine.dtb"
}

# As the kernel's source has it, but that the display has no memory of its own: with that
# the driver takes no buffers.
display_tree() {
	local tree=${KIMAGE%/*}/machine.dtb node
	node=/bus@8000000/motherboard-bus@8000000/iofpga-bus@300000000/clcd@1f0000

	cp "$tree" "$work/" || die "no $tree beside KIMAGE"
	fdtput -d "$work/machine.dtb" "$node" memory-region || die "$tree: no $node"
}

# The machine's own description of itself, but that its PCI devices are not coherent.
non_coherent_tree() {
	local tree=$work/machine.dtb node

	"$qemu" "$@" -machine dumpdtb="$tree" >"$work/dtb.log" 2>&1 ||
		die "QEMU does not describe its machine: $(grep -m1 . "$work/dtb.log")"
	node=$(fdtget -l "$tree" / | grep -m1 '^pcie@')
	fdtput -d "$tree" "/$node" dma-coherent
}

# Checks that have to be asked for.
own_kernel_args() {
	printf 'printk.devkmsg=on'
	[[ $slowness -eq 1 ]] || printf ' %s' kasan_multi_shot debug_pagealloc=on \
		iommu.debug_pagealloc=1 sysctl.kernel.hung_task_timeout_secs=600
}

# All of the kernel's log goes to the console, which costs no measurable time. An
# oops ends the guest, because what the dead task held stays locked. The
# watchdogs are patient, for a host that is busy and an emulated CPU, and the
# timer is not checked: it comes too late for the check now and then.
kernel_args() {
	local args="console=$tty rdinit=/.vcm/init panic=-1 oops=panic loglevel=7"

	args+=" watchdog_thresh=$((slowness == 1 ? 30 : 60))"
	args+=" rcupdate.rcu_cpu_stall_timeout=$((slowness == 1 ? 60 : 300))"
	[[ $arch != x86_64 ]] || args+=" no_timer_check"
	[[ $iommu != intel ]] || args+=" intel_iommu=on"
	[[ $arch-$kernel == x86_64-stock ]] || args+=" $(own_kernel_args)"
	echo "$args ${append[*]}"
}

# The disk $1 of the command line as the file $2. What is written to a file's copy takes
# space, and no more.
make_disk() {
	if [[ -f $1 ]]; then
		cp --reflink=auto --sparse=always "$1" "$2"
	else
		truncate -s "$1" "$2" || die "--disk $1: no such size"
	fi
}

# The options for the edu devices and what --device and --disk ask for, one a line.
device_args() {
	local i

	for i in "${dma_bits[@]}"; do
		printf -- '-device\nedu,dma_mask=%#x\n' $(((1 << i) - 1))
	done
	[[ ${#devices[@]} -eq 0 ]] || printf -- '-device\n%s\n' "${devices[@]}"
	for i in "${!disks[@]}"; do
		make_disk "${disks[i]}" "$work/disk$i"
		printf -- '-drive\nif=none,id=disk%d,format=raw,cache=unsafe,file=%s\n' "$i" "$work/disk$i"
		printf -- '-device\nvirtio-blk-%s,drive=disk%d\n' "$virtio" "$i"
	done
}

# Serial port number $1 of the command, for the character device $2. No two of a PC have
# one interrupt.
port_arg() {
	local irqs=(3 5 7)

	case $serial in
	isa-serial) echo "-device isa-serial,chardev=$2,index=$(($1 + 1)),irq=${irqs[$1]}" ;;
	# Its own, of which the console is the first.
	board) echo "-serial chardev:$2" ;;
	*) echo "-device $serial,chardev=$2" ;;
	esac
}

# The serial ports of the command: its output and its errors, and its input where
# there is one. A terminal is all three.
port_args() {
	if [[ -n $terminal ]]; then
		echo "-chardev stdio,id=out,signal=off $(port_arg 0 out)"
		return
	fi
	echo "-chardev file,id=out,path=$work/stdout $(port_arg 0 out)"
	echo "-chardev file,id=err,path=$work/stderr $(port_arg 1 err)"
	[[ -z $input ]] || echo "-chardev pipe,id=in,path=$work/stdin $(port_arg 2 in)"
}

# What asks for pictures, the monitor that takes them.
screen_args() {
	[[ -n $screen ]] || return 0
	echo "-chardev pipe,id=screen,path=$work/screen -device virtio-serial-$virtio"
	echo "-device virtserialport,chardev=screen,name=vcm.screen"
	echo "-chardev pipe,id=monitor,path=$work/monitor -mon chardev=monitor,mode=control"
}

# The console, whose log is in file $1.
console_args() {
	echo "-chardev file,id=con,path=$1"
	case $arch in
	x86_64) echo "-device isa-serial,chardev=con,index=0" ;;
	*) echo "-serial chardev:con" ;;
	esac
}

# A display with blob resources shows the guest's own memory, however scattered.
needs_udmabuf() {
	[[ "${devices[*]/%/,}" == *,blob=@(on|true|yes),* ]]
}

# The kernel makes one piece of it for QEMU; where it cannot, a library does.
find_udmabuf() {
	local library=$VCM_TOP/out/tests/vcm-udmabuf.so

	if [[ -r /dev/udmabuf && -w /dev/udmabuf ]]; then
		echo "${LD_PRELOAD:-}"
	elif [[ -f $library ]]; then
		echo "$library${LD_PRELOAD:+:$LD_PRELOAD}"
	else
		die "--device with blob=on: no /dev/udmabuf, and no $library: run 'make tests' first"
	fi
}

start_qemu() {
	local args further preload=${LD_PRELOAD:-} machine=(-nodefaults -no-user-config -display none -smp 2 -m "$mem")

	if [[ -n $terminal ]]; then
		exec 5<&0 6>&1
	else
		exec 5</dev/null 6>>"$work/qemu.log"
	fi

	read -r -d '' -a args <<<"$(accel_args "$accel") $(machine_args)" || true
	machine+=("${args[@]}")
	if needs_udmabuf; then
		machine+=(-object "memory-backend-memfd,id=memory,size=$mem" -machine memory-backend=memory)
		preload=$(find_udmabuf) || exit 1
	fi
	args=$(device_tree_args "${machine[@]}") || exit 1
	read -r -a args <<<"$args"
	machine+=("${args[@]}")
	read -r -d '' -a args <<<"$(console_args "$1") $(port_args) $(screen_args)" || true
	mapfile -t further < <(device_args)
	# Some boards have a sound card, which nobody is to hear.
	QEMU_AUDIO_DRV=none LD_PRELOAD=$preload "$qemu" "${machine[@]}" -no-reboot "${further[@]}" "${args[@]}" \
		-kernel "$KIMAGE" -initrd "$work/initrd" -append "$(kernel_args)" \
		<&5 >&6 2>>"$work/qemu.log" 5<&- 6>&- &
	qemu_pid=$!
	exec 5<&- 6>&-
}

# stop PID: waits too; there may be none
stop() {
	[[ -n $1 ]] || return 0
	kill "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
}

# shellcheck disable=SC2317 # the exit trap calls it
cleanup() {
	stop "$qemu_pid"
	[[ ${#readers[@]} -eq 0 ]] || kill "${readers[@]}" 2>/dev/null || true
	stop "$feeder"
	stop "$photographer"
	[[ -z $terminal ]] || stty "$terminal" 2>/dev/null || true
	[[ -z $work ]] || rm -rf "$work"
}

# ---- one run -------------------------------------------------------------

# The value of the guest's marker $2 in console log $1, if it is there.
marker() {
	sed -nE "s/^.*VCM-$2:$nonce:([^\r]*).*$/\1/p" "$1" | tail -n 1
}

# Waits until QEMU is gone. Fails with a word why it had to be killed.
watch_qemu() {
	local console=$1 started='' ended=''

	while kill -0 "$qemu_pid" 2>/dev/null; do
		[[ -n $started ]] || started=$(marker "$console" START)
		[[ -n $ended || -z $(marker "$console" END) ]] || ended=$SECONDS
		if [[ -z $started && $((SECONDS - began)) -ge $((BOOT_TIMEOUT * slowness)) ]]; then
			outcome=boot-timeout
		elif [[ $((SECONDS - began)) -ge $timeout ]]; then
			outcome=timeout
		elif [[ -z $ended || $((SECONDS - ended)) -lt $((20 * slowness)) ]]; then
			sleep 0.2
			continue
		fi
		return
	done
}

# Standard input goes to the guest a block at a time, when the guest asks for it: a
# serial port has no end of file, and loses what nobody takes. A block is a line of
# hexadecimal digits, and the last one is a dot.
start_feeder() {
	[[ -n $input ]] || return 0
	rm -f "$work"/stdin.{in,out}
	mkfifo "$work"/stdin.{in,out}
	# shellcheck disable=SC2016 # Perl's variables
	perl -e '
		open(my $ask, "+<", "$ARGV[0].out") or die;
		open(my $to, "+>", "$ARGV[0].in") or die;
		while (sysread($ask, my $byte, 1)) {
			next if $byte ne "\n";
			my $n = sysread(STDIN, my $block, 1024);
			syswrite($to, ($n ? unpack("H*", $block) : ".") . "\n");
			last if !$n;
		}
		sleep;' "$work/stdin" <&0 &
	feeder=$!
}

# Pictures of the screen, when the guest asks for one.
start_photographer() {
	[[ -n $screen ]] || return 0
	rm -f "$work"/{screen,monitor}.*
	mkfifo "$work"/{screen,monitor}.{in,out}
	"$VCM_TOP/scripts/vm-screen.pl" "$work" 2>"$work/screen.error" &
	photographer=$!
}

# Standard output and error come through two FIFOs.
start_readers() {
	[[ -z $terminal ]] || return 0
	rm -f "$work/stdout" "$work/stderr"
	mkfifo "$work/stdout" "$work/stderr"
	# When nobody takes it any more, the guest must not wait for that.
	{ cat || cat >/dev/null; } <"$work/stdout" &
	readers=($!)
	{ cat >&2 || cat >/dev/null; } <"$work/stderr" &
	readers+=($!)
}

# QEMU is gone, so the readers end; unless it never opened its side, which is
# done here in its place.
finish_readers() {
	local fifo

	[[ -z $terminal ]] || return 0
	for fifo in "$work/stdout" "$work/stderr"; do
		dd if=/dev/null of="$fifo" oflag=nonblock conv=notrunc 2>/dev/null || true
	done
	wait "${readers[@]}" 2>/dev/null || true
	readers=()
}

# Sets outcome: finished, timeout, boot-timeout, qemu, module, boot or guest.
boot_once() {
	local console=$1

	outcome=finished
	: >"$console"
	began=$SECONDS
	: >"$work/qemu.log"
	start_readers
	start_feeder
	start_photographer
	start_qemu "$console"
	watch_qemu "$console"
	stop "$qemu_pid"
	stop "$feeder"
	stop "$photographer"
	qemu_pid='' feeder='' photographer=''
	finish_readers
	[[ $outcome == finished ]] || return 0
	if [[ ! -s $console ]]; then
		outcome=qemu
	elif [[ -n $(marker "$console" FAIL) ]]; then
		outcome=module
	elif [[ -z $(marker "$console" START) ]]; then
		outcome=boot
	elif [[ -z $(marker "$console" END) ]]; then
		outcome=guest
	fi
}

# ---- the verdict ---------------------------------------------------------

# What begins a report of the kernel, behind the time stamp. Some of its boot
# messages have these words too, in other places of the line.
report_pattern() {
	local stamp='^(\[ *[0-9]+\.[0-9]+\] ?(\[ *[TC][0-9]+\] ?)?)?' bug='BUG: '

	# Data races of the kernel's own are many, and not what is looked for.
	[[ $kernel != kcsan ]] || bug='BUG: ([^K]|KASAN|KCSAN: .*(vcm|edu)_)'
	printf '%s(' "$stamp"
	printf '%s|' \
		'------------\[ cut here \]' 'WARNING: ' "$bug" 'kernel BUG at ' \
		'Oops' 'Internal error: ' 'Kernel panic' 'general protection fault' 'Unable to handle kernel' \
		'watchdog: BUG: ' 'INFO: task .* blocked for more than' 'INFO: .*detected stall' \
		'rcu: INFO: .*stall' 'INFO: possible recursive' 'INFO: trying to register non-static key' \
		'UBSAN: ' 'KASAN: ' 'KFENCE: ' 'kmemleak: [0-9]+ new suspected' 'possible circular locking' \
		'suspicious RCU usage' 'DMA-API: [^ ]+ [^ ]+: ' 'DMA-API: .*(disabling|debug disab|out of memory)' \
		'INFO: lockdep is turned off' 'ODEBUG: [^s]' 'refcount_t: ' \
		'kmemleak: (Cannot allocate a kmemleak_object|Memory pool empty|Kmemleak disabled)' \
		'kobject: .*tried to init an initialized' 'sysfs: cannot create duplicate'
	printf 'list_(add|del) corruption)'
}

# The part of console log $1 that shows the first report, if there is one.
show_report() {
	local line

	line=$(grep -a -m1 -nE "$(report_pattern)" "$1" | cut -d: -f1)
	[[ -n $line ]] || return 1
	sed -n "$((line > 5 ? line - 5 : 1)),$((line + 28))p" "$1" | tr -d '\r' >&2
}

# Bits of the kernel's taint mask that say something went wrong: machine check,
# bad page, died, warned, soft lockup.
is_tainted_badly() {
	(($1 & (1 << 4 | 1 << 5 | 1 << 7 | 1 << 9 | 1 << 14)))
}

# end_with STATUS WORDS: behind the last lines of the log
end_with() {
	tail -n 30 "$console" | tr -d '\r' >&2
	say "$2 (log: $console)"
	exit "$1"
}

# Ends the script with the status that the run deserves.
judge() {
	local console=$1 end

	[[ ! -s $work/screen.png ]] || cp "$work/screen.png" "$screen"
	end=$(marker "$console" END)
	case $outcome in
	qemu) die "QEMU did not start: $(grep -m1 . "$work/qemu.log")" ;;
	module) die "cannot load $(marker "$console" FAIL) (log: $console)" ;;
	esac
	if show_report "$console"; then
		say "the kernel reported a bug (log: $console)"
		exit $EXIT_KERNEL
	fi
	case $outcome in
	timeout) end_with $EXIT_TIMEOUT "not finished after $timeout s" ;;
	boot | boot-timeout | guest) end_with $EXIT_GUEST "the guest died without a report" ;;
	esac
	! is_tainted_badly "${end#*:}" || end_with $EXIT_KERNEL "the kernel is tainted (${end#*:})"
	[[ -z $screen || -s $work/screen.png ]] ||
		die "--screen: no picture: $(cat "$work/screen.error" 2>/dev/null || echo "nobody asked") (log: $console)"
	exit "${end%%:*}"
}

main() {
	local log

	parse_args "$@"
	choose_input
	check_options
	load_kernel
	need_tools "$qemu" busybox cpio modprobe modinfo
	work=$(mktemp -d "${TMPDIR:-/tmp}/vcm-vm.XXXXXX")
	trap cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	accel=$(choose_accel)
	nonce=$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')
	mkdir -p "$VCM_TOP/out/vm"
	log=$(mktemp "$VCM_TOP/out/vm/$(date +%Y%m%d-%H%M%S)-$(basename -- "${command[0]}").XXXX.log")
	build_initramfs
	boot_once "$log"
	if [[ $outcome == boot* && -z ${VCM_ACCEL:-} ]]; then
		mv "$log" "$log.first"
		say "the guest died before the command started (log: $log.first), trying once more"
		boot_once "$log"
	fi
	judge "$log"
}

main "$@"
