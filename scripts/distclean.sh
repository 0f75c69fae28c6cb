#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Removes what set-up and the builds of kernels made in the cache, and the cache if
# nothing else is in it. A directory that they did not make is left alone, and so is
# one that the cache's name is a symbolic link to, but for what they made in it.

set -euo pipefail
shopt -s extglob nullglob

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
	cat <<'USAGE'
usage: scripts/distclean.sh

Removes what scripts/setup.sh, scripts/kernel.sh, scripts/kunit.sh and
scripts/patches.sh made in the cache.

environment: VCM_CACHE   where it is (default ~/.cache/vcm)
USAGE
}

main() {
	local cache entry path kept link=

	no_args "$@"
	cache=$(vcm_cache)
	[[ ! -L ${cache%%+(/)} ]] || link=1
	[[ -e $cache || -L $cache ]] || return 0
	[[ -d $cache ]] || die "$cache is no directory: nothing is removed"
	cache=$(realpath "$cache")
	[[ -z $link ]] || ! is_empty_dir "$cache" || return 0
	is_cache "$cache" || die "$cache is no cache of ours (no $CACHE_MARK of scripts/setup.sh): nothing is removed"
	[[ ! -f $cache/lock ]] || { exec 9<"$cache/lock"; flock -n 9 || die "set-up is at work in $cache: nothing is removed"; }

	for entry in "${CACHE_ENTRIES[@]}"; do
		for path in "$cache"/$entry; do
			case $entry in
			"$CACHE_KERNEL") rmdir "$path" 2>/dev/null || true ;;
			*) rm -rf --one-file-system -- "$path" ;;
			esac
		done
	done
	kept=$(find "$cache" -mindepth 1 -maxdepth 1 ! -name "$CACHE_MARK" -printf ' %f')
	if [[ -n $kept ]]; then
		say "left alone in $cache, not made by set-up:$kept"
	else
		rm -f -- "$cache/$CACHE_MARK"
		[[ -n $link ]] || rmdir -- "$cache"
	fi
}

main "$@"
