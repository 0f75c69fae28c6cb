#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# For a guest: the kernel's selftest of heaps, about the heap vcm alone, whose results
# get names.

heap=/tmp/dma_heap
mkdir -p $heap
cp -a /dev/dma_heap/vcm $heap/
mount --bind $heap /dev/dma_heap
/dmabuf-heap | sed -E 's/^((not )?ok )([0-9]+) /\1\3 vcm-\3 # /'
umount /dev/dma_heap
