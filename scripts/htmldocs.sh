#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds Documentation/ as HTML, with Sphinx and the kernel's kernel-doc.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly OUT=$VCM_TOP/out/html HEADER=include/uapi/linux/dma-heap-vcm.h
KSRC=${KSRC:-}

usage() {
	cat <<'USAGE'
usage: scripts/htmldocs.sh

Builds Documentation/ as HTML into out/html. Warnings are errors, and so is a constant
of the uapi that no page has.
USAGE
}

# The kernel's source stays as it is, without what Python compiles. All pages are made
# anew: of what is in a header's comments Sphinx does not see every change.
build() {
	srctree=$KSRC PYTHONDONTWRITEBYTECODE=1 sphinx-build -E -a -q -W --keep-going \
		-b html -d "$OUT.doctrees" "$VCM_TOP/Documentation" "$OUT"
}

# A constant without a comment of its own is not in the page, and nothing warns of it.
check_constants() {
	local name missing=()

	while read -r name; do
		grep -q "id=\"c\.$name\"" "$OUT/userspace-api/dma-heap-vcm.html" || missing+=("$name")
	done < <(sed -nE 's/^#define[[:blank:]]+(DMA_HEAP_\w+)[[:blank:]].*/\1/p' "$VCM_TOP/$HEADER")
	[[ ${#missing[@]} -eq 0 ]] || die "$HEADER: in no page: ${missing[*]}"
}

main() {
	no_args "$@"
	load_kernel_env x86_64 build docs
	[[ -d $KSRC/Documentation/sphinx ]] || die "no kernel source in $KSRC: give KSRC="
	need_tools sphinx-build
	lock_output html
	build
	check_constants
	echo "$OUT/index.html"
}

main "$@"
