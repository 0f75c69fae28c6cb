#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Packs the project for Debian, and tries the packages out in a guest that has Debian on a
# disk.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly OUT=$VCM_TOP/out/deb
# What they are made of.
readonly SOURCES=(Kbuild Makefile debian drivers include samples tools)

usage() {
	cat <<'USAGE'
usage: scripts/deb.sh [--test]

Makes the packages vcm-dkms and vcm-tools in out/deb, of the version in debian/changelog.

  --test   try out those that are there: installed, built by DKMS, loaded, used and
           removed, in a guest with the Debian that the kernel is for
USAGE
}

# In a copy: what builds leave here is not for a package, nor the other way round.
build() {
	local path

	rm -rf "$OUT"
	mkdir -p "$OUT/tree"
	for path in "${SOURCES[@]}"; do
		cp -a "$VCM_TOP/$path" "$OUT/tree/"
	done
	(cd "$OUT/tree" && dpkg-buildpackage --build=binary --no-sign) >"$OUT/log" 2>&1 ||
		die "dpkg-buildpackage: $(tail -n 1 "$OUT/log") (log: $OUT/log)"
	rm -rf "$OUT/tree"
	ls "$OUT"/*.deb
}

try_out() {
	local package packages status=0 end=PASS
	local args=(--no-project-modules --module ext4 --mem 2G --timeout 3000)

	load_kernel_env x86_64 guest deb-test
	packages=("$OUT"/vcm-*.deb)
	[[ -f ${packages[0]} ]] || die "no packages in $OUT: run 'make deb' first"
	for package in "${packages[@]}"; do
		args+=(--file "$package:/debs/${package##*/}")
	done
	"$VCM_TOP/scripts/vm.sh" "${args[@]}" --disk "$(vcm_cache)/debian/$(basename "$KMODULES")" \
		--file "$VCM_TOP/scripts/tests/deb-guest.sh:/deb-guest.sh" -- /deb-guest.sh \
		>"$OUT/test.ktap" 2>"$OUT/test.log" || status=$? end=FAIL
	{
		"$VCM_TOP/scripts/results.py" --suite deb <"$OUT/test.ktap"
		echo "$end boot@deb (exit status $status)"
	} | tee "$OUT/results"
	print_sum "$OUT/results" || die "what led to it is in $OUT/test.log"
}

main() {
	case ${1:-} in
	'') load_kernel_env x86_64 deb; build ;;
	--test) try_out ;;
	-h | --help) usage ;;
	*) die "unknown argument '$1' (see --help)" ;;
	esac
}

main "$@"
