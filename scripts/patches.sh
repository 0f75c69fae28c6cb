#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Writes the project as a patch series with a cover letter, as scripts/series/ says.
# Each patch is a commit in a copy of a kernel tree; it has to build, and checkpatch is
# to have nothing to say about it. The tree itself stays as it is.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly OUT=$VCM_TOP/out/patches
readonly SECTION="VCM: LARGE BUFFERS FOR DEVICES BEHIND AN IOMMU"
readonly COUNTS=$VCM_TOP/tools/vcm-bench/bench-count.txt
# The types that check.sh does without too, and why is said there.
readonly IGNORED=BIT_MACRO,PARENTHESIS_ALIGNMENT,OPEN_ENDED_LINE,EMBEDDED_FILENAME
KSRC=${KSRC:-}

usage() {
	cat <<'USAGE'
usage: scripts/patches.sh [--no-build] [LINUX_DIR]

Writes the project as a patch series for the kernel source tree LINUX_DIR, by default
the one that set-up downloaded, into out/patches/. Author and sign-off are git's
user.name and user.email. Each patch is built, but with --no-build, and looked at by
checkpatch.
USAGE
}

tree=
build=1

parse_args() {
	while [[ $# -gt 0 ]]; do
		case $1 in
		--no-build) build= ;;
		-h | --help) usage; exit 0 ;;
		-*) die "unknown option '$1' (see --help)" ;;
		'') ;;
		*) tree=$1 ;;
		esac
		shift
	done
	[[ -z $tree || -d $tree ]] || die "$tree: no such directory"
	[[ -z $tree || -x $tree/scripts/checkpatch.pl ]] || die "$tree: not the source tree of a kernel"
	name=$(git config user.name || true)
	email=$(git config user.email || true)
	[[ -n $name && -n $email ]] || die "who is the author? Set git's user.name and user.email"
}

# What step $1 does is in its log.
overlay() { "$VCM_TOP/scripts/overlay.sh" "$src" "$@" 2>>"$work/overlay.log" || die "$(tail -n 1 "$work/overlay.log")"; }

# The copy of the tree as it was, and an empty repository for it.
prepare_tree() {
	[[ -z $tree ]] || { KSRC=$(realpath "$tree"); rm -f "$cache/origin"; }
	copy_source "$cache"
	src=$cache/src
	overlay --remove
	ln -f "$KSRC/MAINTAINERS" "$src/" 2>/dev/null || cp "$KSRC/MAINTAINERS" "$src/"
	export GIT_DIR=$work/git GIT_WORK_TREE=$src
	git init -q -b vcm
	git config user.name "$name"
	git config user.email "$email"
	git config commit.gpgsign false
	git config core.autocrlf false
	mapfile -t parts < <(series_parts)
	{ echo MAINTAINERS; series_lines hook: "${parts[@]}" | cut -d'|' -f1; } |
		git add -f --pathspec-from-file=-
	git commit -q -m base
	git tag base
}

# ---- the patches ---------------------------------------------------------

# MAINTAINERS with a section for the parts that are the arguments.
maintainers() {
	local files

	files=$(series_lines F: "$@" | sed 's/^/F:\t/' | LC_ALL=C sort -u)
	git show base:MAINTAINERS | awk -v section="$SECTION" -v who="$name <$email>" -v files="$files" '
		function put() {
			print section "\nM:\t" who "\nL:\tiommu@lists.linux.dev"
			print "L:\tlinux-media@vger.kernel.org\nS:\tMaintained\n" files "\n"
			done = 1
		}
		/^Maintainers List/ { list = 1 }
		list && !done && /^[A-Z0-9]/ && previous == "" && !/^Maintainers/ && $0 > section { put() }
		{ print; previous = $0 }
		END { if (!done) exit 1 }' >"$work/MAINTAINERS"
	mv "$work/MAINTAINERS" "$src/"
}

# Takes out again what is in no patch.
leave_out() {
	local file

	while read -r file; do
		rm -f "$src/$file"
		sed -i "\\|^$file\$|d" "$src/.vcm-overlay"
	done < <(series_lines module: "${parts[@]}")
}

# commit_part PART...: the last one, on top of the others
commit_part() {
	overlay --until "${!#}"
	leave_out
	maintainers "$@"
	git add -f --pathspec-from-file="$src/.vcm-overlay"
	git add -u
	sed '/^---$/,$d' "$SERIES_DIR/${!#}" | git commit -q -s -F -
}

# Every option that there is by now, and what the directories are made of.
build_part() {
	local symbols symbol dirs

	mapfile -t symbols < <(cd "$src" && git ls-files '*/Kconfig.vcm' | xargs sed -n 's/^config //p')
	{
		cat "$VCM_TOP"/scripts/configs/{guest,guest-64,x86_64,failures}.config
		printf 'CONFIG_%s=y\n' SAMPLES DEBUG_KERNEL DEBUG_KMEMLEAK "${symbols[@]}"
	} >"$cache/asked"
	mapfile -t dirs < <(series_lines hook: "$@" | sed -n 's/Makefile|.*//p' | sort -u)
	make -s -C "$src" O="$cache/build" KCONFIG_ALLCONFIG="$cache/asked" allnoconfig
	for symbol in "${symbols[@]}"; do
		grep -q "^CONFIG_$symbol=[ym]" "$cache/build/.config" || { echo "$symbol is not possible"; return 1; }
	done
	nice make -s -C "$src" O="$cache/build" -j"$(nproc)" W=e "${dirs[@]}" 9>&-
}

# Beside a repository it would look for a module of Python.
check_patch() {
	unset GIT_DIR GIT_WORK_TREE
	cd "$work"
	"$src/scripts/checkpatch.pl" --root="$src" --strict --no-summary --terse --show-types \
		--color=never --quiet --ignore "$IGNORED" "$1"
}

# ---- the cover letter ----------------------------------------------------

# Rows "step peer bytes:ratio..." of the table that 'make bench-count' compares with:
# what a buffer costs.
figures() {
	awk -F '[ :]' '
		/^#/ || $1 !~ /^(alloc|free|mmap|vmap|(strict-)?(re|attach-)?map(-unmap)?|camera-.*)$/ { next }
		$1 ~ /^camera/ { camera[$2] = camera[$2] sprintf("%8.2f", $4); next }
		$2 != "vcm-warm" { next }
		!header++ {
			printf "%-24s", ""
			for (i = 3; i < NF; i += 2)
				printf "%8s", $i < 1048576 ? $i / 1024 " KB" : $i / 1048576 " MB"
			print ""
		}
		{
			printf "%-24s", $1
			for (i = 4; i <= NF; i += 2)
				printf "%8.2f", $i
			print ""
		}
		END {
			printf "\n%-24s%8s%8s%8s\n", "30 buffers of 4K NV12", "start", "frame", "end"
			for (peer in camera)
				print sprintf("%-24s", substr(peer, 5) " pool") camera[peer]
		}' "$COUNTS"
}

cover_letter() {
	cat "$SERIES_DIR/cover"
	printf '\nInstructions of each step as a multiple of those of the "system" heap, in lazy\n'
	printf 'mode or, where it says so, strict mode (%s):\n\n' "$(sed -n 's/^# \(Linux [^,]*\),.*/\1/p' "$COUNTS")"
	figures | sed 's/^./  &/'
}

write_series() {
	rm -rf "$OUT"
	mkdir -p "$OUT"
	git config branch.vcm.description "$(cover_letter)"
	git format-patch -q --cover-letter --cover-from-description=subject --no-signature -o "$OUT" base
}

main() {
	local i patches

	need_tools git perl rsync
	parse_args "$@"
	load_kernel_env x86_64 build
	open_cache
	cache+=/patches
	mkdir -p "$cache/build"
	exec 9>"$cache/lock"
	flock 9
	work=$(mktemp -d "${TMPDIR:-/tmp}/vcm-patches.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	prepare_tree
	for i in "${!parts[@]}"; do
		commit_part "${parts[@]:0:i+1}"
		[[ -z $build ]] || run_check "${parts[i]} builds" build_part "${parts[@]:0:i+1}"
	done
	write_series
	patches=("$OUT"/*.patch)
	for i in "${!parts[@]}"; do
		run_check "${patches[i + 1]##*/}" check_patch "${patches[i + 1]}"
	done
	print_checks
}

main "$@"
