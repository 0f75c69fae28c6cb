#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# In a guest with a Debian on /dev/vda: are the packages of /debs what somebody who installs
# them expects? KTAP on standard output, what led to it on standard error.

root=/debian
number=0

# Its programs, not those of the guest that have their names.
in_debian() {
	chroot $root /usr/bin/env PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
		SYSTEMD_IGNORE_CHROOT=1 "$@" </dev/null >&2
}

# ok NAME COMMAND...
ok() {
	name=$1
	shift
	number=$((number + 1))
	if "$@" >&2; then echo "ok $number $name"; else echo "not ok $number $name"; fi
}

enter() {
	mkdir $root
	mount -t ext4 /dev/vda $root && cp -r /debs $root/ || exit
	mount --bind /dev $root/dev
	mount -t proc proc $root/proc
	mount -t sysfs sysfs $root/sys
	mount -t debugfs debugfs $root/sys/kernel/debug
}

modules() { find $root/lib/modules/ -name 'vcm*'; }

built() { [ "$(modules | sed 's|.*/||; s|\.ko.*||' | sort | xargs)" = "vcm-heap vcm_iommu vcm_iova" ]; }

used() {
	in_debian vcmctl info && in_debian vcmctl alloc --align=2M 33M &&
		in_debian vcmctl pool --drain
}

grouped() {
	in_debian /lib/systemd/systemd-udevd --daemon
	in_debian udevadm trigger --settle --subsystem-match=dma_heap --subsystem-match=misc
	[ "$(stat -c %a:%g /dev/vcm /dev/dma_heap/vcm | xargs)" = "660:44 660:44" ]
}

gone() { [ -z "$(modules; ls -d $root/usr/src/vcm-* $root/var/lib/dkms/vcm $root/usr/bin/vcmctl 2>/dev/null)" ]; }

echo "KTAP version 1"
echo "1..$(grep -c '^ok ' "$0")"
enter
ok installed in_debian sh -c 'dpkg -i /debs/*.deb'
ok built-for-this-kernel built
ok spaces-load in_debian modprobe vcm_iommu
ok heap-loads in_debian modprobe vcm_heap
ok used used
ok nodes-are-for-the-group grouped
ok man-page in_debian test -f /usr/share/man/man1/vcmctl.1.gz
ok spaces-unload in_debian modprobe -r vcm_iommu
ok removed in_debian dpkg --purge vcm-dkms vcm-tools
ok nothing-left gone
