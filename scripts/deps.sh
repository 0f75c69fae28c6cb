#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Which file of drivers/ needs which, by what is included and by the symbols of the
# objects.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
	cat <<'USAGE'
usage: scripts/deps.sh [DIR]

Prints lines like "vcm_pool vcm_memory": vcm_pool.c, or its header, uses something that
vcm_memory.c defines or includes its header. A header without a .c file is a part of the
only file that includes it, or a file of its own; those of include/linux, which all may
include, count by what is used of them. The modules were built in DIR (default
out/modules, by 'make modules'). Fails when there is a circle.
USAGE
}

cd "$VCM_TOP"
objects=out/modules
mapfile -t sources < <(git ls-files 'drivers/*.[ch]' | grep -v /tests/)

# FILE NEEDED: by symbols of the objects.
symbols() {
	find "$objects/drivers" -name '*.o' -exec nm -gA {} + |
		sed -nE 's|^.*/([^/]*)\.o:[0-9a-f ]* ([A-Za-z]) (.*)$|\1 \2 \3|p' |
		awk '$2 == "U" { uses[$1, $3] = 1; next } { home[$3] = $1 }
		     END { for (u in uses) { split(u, f, SUBSEP)
			   if (f[2] in home) print f[1], home[f[2]] } }'
}

# FILE HEADER: by what is included.
includes() {
	grep -HoE '^#include "[^"]*' "${sources[@]}" |
		sed -E 's|^.*/([^/]*)\.[ch]:#include "(.*/)?([^/]*)\.h$|\1 \3|'
}

# A header without a .c file becomes a part of the only file that includes it.
own_headers() {
	awk -v sources="${sources[*]##*/}" '
		BEGIN { n = split(sources, s, " ")
			for (i = 1; i <= n; i++) {
				if (sub(/\.c$/, "", s[i])) code[s[i]] = 1
				sub(/\.h$/, "", s[i]); known[s[i]] = 1 } }
		$1 != $2 && $1 in known && $2 in known && !seen[$0]++ { from[++m] = $1; to[m] = $2
			if (!($2 in code)) { users[$2]++; user[$2] = $1 } }
		function file(f) { return users[f] == 1 ? user[f] : f }
		END { for (i = 1; i <= m; i++) if (file(from[i]) != file(to[i]))
			print file(from[i]), file(to[i]) }'
}

main() {
	local deps status=0

	case ${1:-} in
	-*) no_args "$1" ;;
	?*) objects=$1 ;;
	esac
	need_tools nm tsort awk
	[[ -d $objects/drivers ]] || die "no modules in $objects: run 'make modules' first"
	deps=$({ symbols; includes; } | own_headers | sort -u)
	echo "$deps"
	tsort <<<"$deps" >/dev/null 2>"$VCM_TOP/out/deps.circle" || status=$?
	if [[ $status -ne 0 ]]; then
		sed 's/^tsort: //' "$VCM_TOP/out/deps.circle" >&2
		die "there is a circle"
	fi
	say "no circle"
}

main "$@"
