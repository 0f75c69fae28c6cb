#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Static checks with the kernel's own tools. A line per check, and what is wrong
# below it; no warning is let through.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly OUT=$VCM_TOP/out/check
KDIR=${KDIR:-} KIMAGE=${KIMAGE:-} KSRC=${KSRC:-} KUAPI=${KUAPI:-}

usage() {
	cat <<'USAGE'
usage: scripts/check.sh

Checks the sources with the kernel's own tools: checkpatch, kernel-doc, sparse with
W=1, the layout of structures, the uapi headers alone; with shellcheck; that files need
each other in one direction (scripts/deps.sh) and have their patch (scripts/series); and
that the documentation can be built (scripts/htmldocs.sh) and has the figures that were
counted (scripts/pages.py).
A line for each, and what is wrong below it. Exit status 0 when nothing is. What sparse
says is in out/check/.
USAGE
}

kernel_files() { find drivers include samples tools/vcmheap-test/module -name '*.[ch]' | sort; }
trace_headers() { find drivers include samples tools/vcmheap-test/module -name '*_trace.h' | sort; }
uapi_headers() { grep -rl --include='*.h' 'Linux-syscall-note' include samples tools/vcmheap-test/module | sort; }
plain_files() { kernel_files | grep -vxFf <(trace_headers; uapi_headers); }
kbuild_files() {
	find drivers samples tools/vcmheap-test/module Kconfig Kbuild -type f \
		\( -name 'Kconfig*' -o -name 'Makefile*' -o -name Kbuild \) | sort
}

# ---- checks: silent and 0 when all is well --------------------------------

# checkpatch IGNORE: the files on standard input, with the types IGNORE ignored.
# Without a tree: ours is none, and the checks that need one are about patches.
checkpatch() {
	local files

	mapfile -t files
	[[ ${#files[@]} -gt 0 ]] || return 0
	"$KSRC/scripts/checkpatch.pl" --strict --no-tree --no-summary --terse --show-types \
		--color=never --quiet ${1:+--ignore "$1"} -f "${files[@]}"
}

check_checkpatch() {
	local status=0

	plain_files | checkpatch '' || status=1
	# TRACE_EVENT() has a layout of its own all over the kernel.
	trace_headers | checkpatch PARENTHESIS_ALIGNMENT,OPEN_ENDED_LINE || status=1
	# Userspace has no BIT().
	uapi_headers | checkpatch BIT_MACRO || status=1
	# Takes "source .../Kconfig.vcm" in Kconfig for the file's own name.
	kbuild_files | checkpatch EMBEDDED_FILENAME || status=1
	return $status
}

kernel_doc() {
	local tool

	for tool in "$KSRC/tools/docs/kernel-doc" "$KSRC/scripts/kernel-doc"; do
		[[ -x $tool ]] || continue
		"$tool" "$@"
		return
	done
	echo "no kernel-doc in $KSRC"
	return 1
}

check_kernel_doc() {
	local files

	mapfile -t files < <(kernel_files)
	kernel_doc -none -Wall -Werror "${files[@]}"
}

# A build of its own, so that every object is compiled and looked at. Sparse
# 0.6.4, the newest release, lacks an operator that 7.3 uses, so that kbuild
# would leave it out (C=2), and does not take __builtin_strlen() of a string for
# the constant it is. Both are given to it as what they come to for a checker;
# with an error in a file sparse would keep all its warnings to itself.
check_sparse() {
	local log=$OUT/sparse.log unseen
	local flags="-D__typeof_unqual__=__typeof__ '-D__builtin_strlen(s)=(sizeof(s)-1)'"

	make -C "$KDIR" M="$VCM_TOP" MO="$OUT/modules" KBUILD_CHECKSRC=2 CF="$flags" W=1 modules \
		>"$log" 2>&1 || { tail -n 30 "$log"; return 1; }
	# KUnit tests are built where the kernel has KUnit, with the overlay.
	unseen=$(kernel_files | grep '\.c$' | grep -v '/tests/' | grep -vxFf <(sed -nE "s|^ +CHECK +($VCM_TOP/)?||p" "$log") || true)
	[[ -z $unseen ]] || { echo "not built, so not seen by sparse: $unseen"; return 1; }
	! grep -E '(warning|error):' "$log"
}

# What is wrong is on standard error.
check_deps() {
	"$VCM_TOP/scripts/deps.sh" "$OUT/modules" >/dev/null
}

# check_uapi COMPILER LANGUAGE STANDARD
check_uapi() {
	local header

	for header in $(uapi_headers); do
		"$1" -x "$2" -std="$3" -Wall -Wextra -Werror -fsyntax-only \
			${KUAPI:+-isystem "$KUAPI"} -include "$header" /dev/null
	done
}

check_shellcheck() {
	local files

	mapfile -t files < <(find scripts tools samples .ci \( -name '*.sh' -o -path .ci/run \) -type f | sort)
	shellcheck -x "${files[@]}"
}

check_series() {
	local parts

	mapfile -t parts < <(series_parts)
	series_files "${parts[@]}" >/dev/null
}

# Lines "structure, offsets and sizes of its members" of the debugging data in $1.
layouts() {
	pahole "$1" 2>/dev/null | awk '
		/^(struct|union) [A-Za-z0-9_]+ \{/ { name = $2; text = ""; next }
		/^\}/ { if (name != "") print name text; name = ""; next }
		name != "" && match($0, /; *\/\* +[0-9: ]+ \*\//) {
			part = substr($0, RSTART + 1, RLENGTH - 1)
			gsub(/[^0-9:]+/, " ", part)
			text = text part "|"
		}' | LC_ALL=C sort -u
}

# The modules are compiled with the configuration that set-up made, for a kernel
# that another compiler and configuration made. Whether both mean the same
# structures is written in the kernel image (BTF) and in the modules (DWARF).
check_layout() {
	local ko

	"$KSRC/scripts/extract-vmlinux" "$KIMAGE" >"$OUT/vmlinux" 2>/dev/null
	layouts "$OUT/vmlinux" >"$OUT/layout.kernel"
	[[ $(wc -l <"$OUT/layout.kernel") -gt 1000 ]] || { echo "no type information in $KIMAGE"; return 1; }
	for ko in "$OUT"/modules/*.ko; do
		layouts "$ko" >"$OUT/layout.module"
		[[ -s $OUT/layout.module ]] || { echo "no type information in $ko"; return 1; }
		# Of the names that both have, those without a common layout.
		LC_ALL=C comm -23 "$OUT/layout.module" "$OUT/layout.kernel" | cut -d' ' -f1 | sort -u >"$OUT/names.differ"
		LC_ALL=C comm -12 "$OUT/layout.module" "$OUT/layout.kernel" | cut -d' ' -f1 | sort -u >"$OUT/names.same"
		cut -d' ' -f1 "$OUT/layout.kernel" | sort -u >"$OUT/names.kernel"
		comm -12 "$OUT/names.differ" "$OUT/names.kernel" | comm -23 - "$OUT/names.same" |
			sed "s|^|${ko##*/}: other layout than in the kernel: |"
	done >"$OUT/layout.differ"
	cat "$OUT/layout.differ"
	[[ ! -s $OUT/layout.differ ]]
}

main() {
	no_args "$@"
	cd "$VCM_TOP"
	load_kernel_env x86_64 build check docs
	[[ -x $KSRC/scripts/checkpatch.pl ]] || die "no kernel source in $KSRC: give KSRC="
	need_tools sparse shellcheck g++ pahole
	lock_output check
	rm -rf "$OUT"
	mkdir -p "$OUT"
	run_check "checkpatch --strict" check_checkpatch
	run_check "kernel-doc" check_kernel_doc
	run_check "sparse C=2, W=1" check_sparse
	run_check "no circle of files" check_deps
	run_check "structure layouts agree with the kernel image" check_layout
	run_check "uapi headers alone as C90" check_uapi gcc c c90
	run_check "uapi headers alone as C++98" check_uapi g++ c++ c++98
	run_check "shellcheck" check_shellcheck
	run_check "each file has its patch" check_series
	run_check "figures of README are those that were counted" scripts/pages.py --check
	run_check "documentation without a warning" "$VCM_TOP/scripts/htmldocs.sh"
	print_checks
}

main "$@"
