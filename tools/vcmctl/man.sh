#!/bin/sh
# SPDX-License-Identifier: MIT
#
# man.sh VCMCTL: its man page, of what the program says itself.

set -eu

# Of what it prints, as it is.
verbatim() {
	echo .nf
	sed -e 's/\\/\\e/g' -e 's/-/\\-/g' -e "s/^[.']/\\\\\&&/"
	echo .fi
}

cat <<'END'
.TH VCMCTL 1
.SH NAME
vcmctl \- allocate from the vcm dma\-buf heap, and look into it
.SH SYNOPSIS
END
"$1" help | sed '1s/^usage: //' | verbatim
echo '.SH COMMANDS'
"$1" help | sed -nE 's/^  ([a-z]+) .*/\1/p' | while read -r command; do
	[ "$command" != help ] || continue
	echo ".SS $command"
	"$1" help "$command" | verbatim
done
cat <<'END'
.SH FILES
.TP
.I /dev/vcm
Where buffers come from.
.TP
.I /sys/kernel/debug/vcm
What the heap and the drivers below it tell to root.
END
