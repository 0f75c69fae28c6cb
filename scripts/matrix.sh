#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs the same suites on all platforms, prints one table of what came out, and writes the
# page of the documentation that says which device gets what on which platform.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly PAGE=$VCM_TOP/Documentation/driver-api/vcm-platforms.rst

usage() {
	cat <<'USAGE'
usage: scripts/matrix.sh [--print] [PATTERN]...

Runs the suites whose name matches a pattern (default: all) on each platform. Without
patterns Documentation/driver-api/vcm-platforms.rst is written anew. 'make test-matrix'
builds what is needed first. Results are in out/matrix-ARCH/.

  --print   run nothing, read the results of the last run
USAGE
}

print=
patterns=()

parse_args() {
	while [[ $# -gt 0 ]]; do
		case $1 in
		--print) print=1 ;;
		-h | --help) usage; exit 0 ;;
		-*) die "unknown option '$1' (see --help)" ;;
		*) patterns+=("$1") ;;
		esac
		shift
	done
}

main() {
	local line arch results=() options=()

	parse_args "$@"
	for line in "${ARCHS[@]}"; do
		arch=${line%%|*}
		# It fails when something is skipped, which is what a table is for.
		[[ -n $print ]] ||
			"$VCM_TOP/scripts/test.sh" --matrix --arch "$arch" --logs "matrix-$arch" "${patterns[@]}" || true
		[[ -f $VCM_TOP/out/matrix-$arch/results ]] || die "no results for $arch"
		results+=("$VCM_TOP/out/matrix-$arch/results")
	done
	[[ ${#patterns[@]} -gt 0 ]] || options=(--page "$PAGE")
	"$VCM_TOP/scripts/matrix.py" "${options[@]}" "${results[@]}"
}

main "$@"
