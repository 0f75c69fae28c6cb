#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Which file of drivers/ needs which: calls between the files of the modules, and
# headers that include headers.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
	cat <<'USAGE'
usage: scripts/deps.sh [DIR]

Prints lines like "vcm_pool.c vcm_memory.c": the first uses a function or a variable
that the second defines; and "vcm_buffer.h vcm_chunk.h": the first includes the second.
A .c file may include the header of any object whose fields it reads. Where tracepoints
are defined does not count. The modules were built in DIR (default out/modules, by
'make modules'). Fails when there is a circle.
USAGE
}

cd "$VCM_TOP"
objects=out/modules

# FILE NEEDED: by symbols of the objects.
calls() {
	find "$objects/drivers" -name '*.o' -exec nm -gA {} + |
		sed -nE 's|^.*/([^/]*)\.o:[0-9a-f ]* ([A-Za-z]) (.*)$|\1.c \2 \3|p' |
		awk '$3 ~ /^(__SC[KT]__|__tracepoint_|__traceiter_)/ { next }
		     $2 == "U" { uses[$1, $3] = 1; next }
		     { home[$3] = $1 }
		     END { for (u in uses) { split(u, f, SUBSEP)
			   if (f[2] in home && home[f[2]] != f[1]) print f[1], home[f[2]] } }'
}

# HEADER HEADER: by what is included.
includes() {
	git ls-files 'drivers/*.h' | grep -v /tests/ |
		xargs grep -HoE '^#include "[^"]*' |
		sed -E 's|^.*/([^/]*):#include "(.*/)?([^/]*)$|\1 \3|'
}

main() {
	local deps

	case ${1:-} in
	-*) no_args "$1" ;;
	?*) objects=$1 ;;
	esac
	need_tools nm tsort awk
	[[ -d $objects/drivers ]] || die "no modules in $objects: run 'make modules' first"
	deps=$({ calls; includes; } | sort -u)
	echo "$deps"
	tsort <<<"$deps" >/dev/null || die "there is a circle"
	say "no circle"
}

main "$@"
