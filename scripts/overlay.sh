#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Puts the project into a kernel tree: copies its files, has the Kconfig and
# Makefile of their directories read the fragments that come with them, and names
# its documents in their indexes, as scripts/series/ says. What was copied is listed
# in the tree, so that it can be taken out again. Every file is replaced, never
# written to: the tree may share files with another one by hard links.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly LIST=.vcm-overlay

usage() {
	cat <<USAGE
usage: scripts/overlay.sh LINUX_DIR [--until PART | --remove]

Copies the project into the kernel source tree LINUX_DIR (linux $OLDEST or later) and
adds it to the tree's Kconfig and Makefile files; again to bring it up to date.
--until stops behind a part of scripts/series/. --remove takes all out and leaves the
tree as it was.
USAGE
}

tree=
remove=
parts=()
copied=0
removed=0
edited=0

parse_args() {
	while [[ $# -gt 0 ]]; do
		case $1 in
		--remove) remove=1 ;;
		--until)
			[[ -f $SERIES_DIR/${2:-none} ]] || die "--until '${2:-}': no part, there are: $(series_parts | xargs)"
			mapfile -t parts < <(series_parts | sed "/^$2\$/q")
			shift
			;;
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
	[[ ${#parts[@]} -gt 0 ]] || mapfile -t parts < <(series_parts)
}

# ---- the tree ------------------------------------------------------------

tree_version() {
	awk '$1 == "VERSION" && $2 == "=" { v = $3 }
		$1 == "PATCHLEVEL" && $2 == "=" { p = $3 }
		END { if (v != "" && p != "") print v "." p }' "$tree/Makefile" 2>/dev/null
}

# Is the hook "FILE|BEFORE|LINE" possible in this tree?
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
	while read -r hook; do
		check_hook "$hook"
	done < <(series_lines hook: "${parts[@]}")
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

# File $1 as it is with the parts: what builds a directory grows with them. A block of
# a fragment belongs to the first symbol of ours in it, or to the one before.
content() {
	case $1 in
	*/Kconfig.vcm | */Makefile.vcm)
		# shellcheck disable=SC2016 # Perl's variables
		perl -00 -ne '
			BEGIN { $symbols = shift; $on = 1 }
			$on = $1 =~ /^($symbols)$/ if $ARGV =~ /Kconfig/ ? /^config (\w+)/m : /CONFIG_(\w*VCM\w*)/;
			chomp;
			push @blocks, $_ if $on;
			END { print join("\n\n", @blocks), "\n" }' \
			"$(series_lines config: "${parts[@]}" | sed 's/\*/.*/g' | paste -sd'|')" "$VCM_TOP/$1"
		;;
	*) cat "$VCM_TOP/$1" ;;
	esac
}

copy_file() {
	! cmp -s "$tree/$1" <(content "$1") || return 0
	mkdir -p "$tree/${1%/*}"
	content "$1" | replace "$tree/$1"
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
	new=$(series_files "${parts[@]}" && echo x) || exit 1
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

# set_hook hooked|unhooked FILE|BEFORE|LINE: LINE goes to the end of FILE or before the
# line BEFORE; in a Kconfig with an empty line before it.
set_hook() {
	local file before line is=unhooked
	IFS='|' read -r file before line <<<"$2"

	! grep -qxF -- "$line" "$tree/$file" || is=hooked
	[[ $1 != "$is" ]] || return 0
	# shellcheck disable=SC2016 # Perl's variables
	perl -0777 -s -pe '
		$line = ($kconfig ? "\n" : "") . "$line\n";
		if ($to eq "unhooked") {
			s/^\Q$line\E//m;
		} elsif ($before eq "") {
			$_ .= $line;
		} else {
			s/(?=^\n*\Q$before\E$)/$line/m;
		}' -- -to="$1" -before="$before" -line="$line" \
		-kconfig="$([[ $file != */Kconfig ]] || echo 1)" "$tree/$file" | replace "$tree/$file"
	edited=$((edited + 1))
}

set_hooks() {
	local hook

	while read -r hook; do
		set_hook "$@" "$hook"
	done < <(series_lines hook: "${parts[@]}")
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
