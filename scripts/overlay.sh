#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Puts the project into a kernel tree: copies its files, has the Kconfig and
# Makefile of their directories read the fragments that come with them, and names
# its documents in their indexes. What was copied is listed in the tree, so that
# it can be taken out again. Every file is replaced, never written to: the tree
# may share files with another one by hard links.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The kernel that the sources are for, or a later one.
readonly OLDEST=7.3
readonly LIST=.vcm-overlay

# FILE|BEFORE|LINE: the LINE that goes into FILE, at the end or before the line
# BEFORE. In a Kconfig with an empty line before it.
readonly HOOKS=(
	'drivers/iommu/Kconfig|endif # IOMMU_SUPPORT|source "drivers/iommu/Kconfig.vcm"'
	"drivers/iommu/Makefile||include \$(src)/Makefile.vcm"
	'drivers/dma-buf/heaps/Kconfig||source "drivers/dma-buf/heaps/Kconfig.vcm"'
	"drivers/dma-buf/heaps/Makefile||include \$(src)/Makefile.vcm"
	'samples/Kconfig|endif # SAMPLES|source "samples/vcm/Kconfig.vcm"'
	'samples/Makefile||vcm-edu-src := vcm/'
	"samples/Makefile||include \$(src)/vcm/Makefile.vcm"
	'Documentation/driver-api/index.rst|   vfio-mediated-device|   vcm-iommu'
	'Documentation/driver-api/index.rst|   vfio-mediated-device|   vcm-design'
	'Documentation/userspace-api/index.rst|   fwctl/index|   dma-heap-vcm'
)

usage() {
	cat <<USAGE
usage: scripts/overlay.sh LINUX_DIR [--remove]

Copies the project into the kernel source tree LINUX_DIR (linux $OLDEST or later) and
adds it to the tree's Kconfig and Makefile files; again to bring it up to date.
--remove takes it out and leaves the tree as it was.
USAGE
}

tree=
remove=
copied=0
removed=0
edited=0

parse_args() {
	while [[ $# -gt 0 ]]; do
		case $1 in
		--remove) remove=1 ;;
		-h | --help) usage; exit 0 ;;
		-*) die "unknown option '$1' (see --help)" ;;
		*)
			[[ -z $tree ]] || die "more than one tree (see --help)"
			tree=$1
			;;
		esac
		shift
	done
	[[ -n $tree ]] || die "which kernel tree? (see --help)"
}

# ---- the tree ------------------------------------------------------------

tree_version() {
	awk '$1 == "VERSION" && $2 == "=" { v = $3 }
		$1 == "PATCHLEVEL" && $2 == "=" { p = $3 }
		END { if (v != "" && p != "") print v "." p }' "$tree/Makefile" 2>/dev/null
}

# Is hook $1 (FILE|BEFORE|LINE) possible in this tree?
check_hook() {
	local file before
	IFS='|' read -r file before _ <<<"$1"

	[[ -f $tree/$file ]] || die "$tree: unknown tree, there is no $file"
	[[ -z $before || $(grep -cxF -- "$before" "$tree/$file") -eq 1 ]] ||
		die "$tree: unknown tree, $file has no line '$before'"
}

check_tree() {
	local version hook

	[[ -d $tree ]] || die "$tree: no such directory"
	version=$(tree_version) || true
	[[ -n $version && -f $tree/Kbuild && -f $tree/MAINTAINERS ]] ||
		die "$tree: not the source tree of a kernel"
	[[ $(printf '%s\n' "$OLDEST" "$version" | sort -V | head -n 1) == "$OLDEST" ]] ||
		die "$tree: linux $version, too old (needs $OLDEST or later)"
	for hook in "${HOOKS[@]}"; do
		check_hook "$hook"
	done
}

# replace FILE: by what comes on standard input.
replace() {
	local new=$1.vcm-new

	cat >"$new"
	chmod --reference="$1" "$new" 2>/dev/null || chmod 644 "$new"
	mv -f "$new" "$1"
}

# ---- files ---------------------------------------------------------------

listed_files() {
	[[ ! -f $tree/$LIST ]] || cat "$tree/$LIST"
}

# The lines of $1 that are not in $2, both sorted.
only_in() {
	LC_ALL=C comm -23 <(printf '%s' "$1") <(printf '%s' "$2")
}

copy_file() {
	! cmp -s "$VCM_TOP/$1" "$tree/$1" || return 0
	mkdir -p "$tree/${1%/*}"
	replace "$tree/$1" <"$VCM_TOP/$1"
	copied=$((copied + 1))
}

remove_file() {
	rm -f "$tree/$1"
	(cd "$tree" && rmdir -p --ignore-fail-on-non-empty "${1%/*}" 2>/dev/null) || true
	removed=$((removed + 1))
}

# The list names what is or will be there before it is: a run that is
# interrupted can be repeated or undone.
copy_files() {
	local old new file

	old=$(listed_files; echo x)
	new=$(project_files; echo x)
	old=${old%x} new=${new%x}
	while read -r file; do
		[[ ! -e $tree/$file ]] || die "$tree: has a $file that is not from here"
	done < <(only_in "$new" "$old")
	printf '%s%s' "$old" "$new" | LC_ALL=C sort -u | replace "$tree/$LIST"
	while read -r file; do
		copy_file "$file"
	done <<<"${new%$'\n'}"
	while read -r file; do
		remove_file "$file"
	done < <(only_in "$old" "$new")
	printf '%s' "$new" | replace "$tree/$LIST"
}

remove_files() {
	local file files

	mapfile -t files < <(listed_files)
	for file in "${files[@]}"; do
		remove_file "$file"
	done
	rm -f "$tree/$LIST"
}

# ---- hooks ---------------------------------------------------------------

# Both print the edited FILE of a hook, given FILE, BEFORE and LINE. The line
# goes behind the last one that is not empty.
hooked() {
	awk -v before="$2" -v line="$3" -v kconfig="${1##*/}" '
		{ text[NR] = $0 }
		END {
			at = NR
			if (before != "")
				for (at = 1; text[at + 1] != before; at++)
					;
			while (at && text[at] == "")
				at--
			for (i = 1; i <= NR; i++) {
				print text[i]
				if (i != at)
					continue
				if (kconfig == "Kconfig")
					print ""
				print line
			}
		}' "$tree/$1"
}

unhooked() {
	awk -v line="$3" -v kconfig="${1##*/}" '
		# An empty line is kept back until it is known what follows.
		$0 == line { empty = 0; next }
		empty { print ""; empty = 0 }
		kconfig == "Kconfig" && $0 == "" { empty = 1; next }
		{ print }
		END { if (empty) print "" }' "$tree/$1"
}

# set_hook hooked|unhooked HOOK
set_hook() {
	local file before line text is=unhooked
	IFS='|' read -r file before line <<<"$2"

	! grep -qxF -- "$line" "$tree/$file" || is=hooked
	[[ $1 != "$is" ]] || return 0
	text=$("$1" "$file" "$before" "$line"; echo x)
	printf '%s' "${text%x}" | replace "$tree/$file"
	edited=$((edited + 1))
}

set_hooks() {
	local hook

	for hook in "${HOOKS[@]}"; do
		set_hook "$1" "$hook"
	done
}

main() {
	parse_args "$@"
	check_tree
	if [[ -n $remove ]]; then
		set_hooks unhooked
		remove_files
	else
		copy_files
		set_hooks hooked
	fi
	say "$tree: $copied files copied, $removed removed, $edited lines ${remove:+un}hooked"
}

main "$@"
