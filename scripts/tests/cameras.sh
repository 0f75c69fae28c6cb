#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# For a guest with programs of a newer Debian: cameras of libcamera, whose frames are in
# buffers of a heap, as "cam" and GStreamer have them. Nothing is said to either of the heap
# but by a link.

cd "$(mktemp -d)" || exit
export GST_REGISTRY_FORK=no

readonly FRAMES=4 BYTES=$((1280 * 720 * 3 / 2)) BUFINFO=/sys/kernel/debug/dma_buf/bufinfo
readonly CONFIG=/usr/share/libcamera/pipeline/virtual
# What libcamera shows of itself, in frames that can be told from each other.
readonly PICTURE=video/x-raw,format=NV12,width=1280,height=720,framerate=60/1

number=0

result() {
	number=$((number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $number $2"
	else
		sed 's/^/# /' log
		echo "not ok $number $2"
	fi
}

# check NAME COMMAND...
check() {
	name=$1
	shift
	"$@" >log 2>&1
	result $? "$name"
}

# links [NAME=TARGET]...: these, and no others, beside the heaps that there are
links() {
	for link in /dev/dma_heap/*; do
		[ ! -L "$link" ] || rm "$link"
	done
	for link; do
		ln -s "${link#*=}" "/dev/dma_heap/${link%%=*}" || return
	done
}

# All DMA-BUFs that there are: of each exporter how many.
exporters() {
	awk '$1 ~ /^[0-9]+$/ && NF >= 6 { count[$5]++ }
		END { for (name in count) print name ": " count[name] }' $BUFINFO
}

# takes EXPORTER PROGRAM...: its frames are such buffers while it runs, and none stays.
takes() {
	expected="$1: $FRAMES"
	shift
	"$@" >program.log 2>&1 &
	pid=$!
	tries=0
	until found=$(exporters) && [ "${found##*: }" = $FRAMES ]; do
		tries=$((tries + 1))
		if [ $tries = 600 ] || ! kill -0 $pid; then
			break
		fi
		sleep 0.1
	done
	kill -INT $pid
	wait $pid
	echo "found: $found"
	cat program.log
	[ "$found" = "$expected" ] && [ -z "$(exporters)" ]
}

cam_for_ever() { exec cam -c1 -C --stream width=1280,height=720; }
gst_for_ever() { exec gst-launch-1.0 libcamerasrc ! "$PICTURE" ! fakesink; }

# Frames of cam, one behind the other, in file $1
cam_frames() {
	cam -c1 -C$FRAMES -Fframe-# --stream width=1280,height=720 && cat frame-* >"$1" && rm frame-*
}

# It lets the last one go.
gst_frames() {
	gst-launch-1.0 libcamerasrc ! "$PICTURE" ! identity eos-after=$((FRAMES + 1)) ! filesink location="$1"
}

# Of both heaps the same, and they are pictures.
same_frames() {
	links linux,cma=vcm && "$1" "$1.vcm" && links && "$1" "$1.system" &&
		cmp "$1.vcm" "$1.system" && [ "$(stat -c %s "$1.vcm")" = $((FRAMES * BYTES)) ] &&
		[ "$(head -c $BYTES "$1.vcm" | md5sum)" != "$(head -c $BYTES /dev/zero | md5sum)" ]
}

mkdir -p $CONFIG
cat >$CONFIG/virtual.yaml <<'YAML'
%YAML 1.1
---
"Virtual":
  supported_formats:
  - width: 1280
    height: 720
    frame_rates: [30, 60]
  test_pattern: "bars"
  location: "CameraLocationFront"
YAML

echo "KTAP version 1"
links linux,cma=vcm
check cam-takes-vcm takes vcm cam_for_ever
check gst-takes-vcm takes vcm gst_for_ever
check cam-same-frames same_frames cam_frames
check gst-same-frames same_frames gst_frames
check gst-and-cam-same-frames cmp cam_frames.vcm gst_frames.vcm
# Which heap is taken.
links reserved=vcm
check reserved-before-system takes vcm cam_for_ever
links linux,cma=system reserved=vcm
check cma-before-reserved takes system cam_for_ever
mv /dev/dma_heap/system system
links system=vcm
check system-replaced takes vcm cam_for_ever
links
check udmabuf-last takes udmabuf cam_for_ever
mv system /dev/dma_heap/
echo 1..$number
