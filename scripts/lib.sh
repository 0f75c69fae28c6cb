# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Helpers that the scripts in this directory share. Source it, do not run it.

VCM_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VCM_PROG=${0##*/}

# The oldest kernel that the project is built for.
# shellcheck disable=SC2034 # for the scripts that source this
readonly OLDEST=7.2

# Progress and errors go to stderr: stdout belongs to what a script answers.
say() { printf '%s: %s\n' "${VCM_PROG%.sh}" "$*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# The kernel's build takes neither, and fails late and unclearly.
[[ ! $VCM_TOP =~ [[:space:]:] ]] ||
	die "'$VCM_TOP': the kernel's build takes no path with a blank or a colon: move this repository"

# The arguments of a script that has none but --help.
no_args() {
	case ${1:-} in
	'') ;;
	-h | --help) usage; exit 0 ;;
	*) die "unknown argument '$1' (see --help)" ;;
	esac
}

need_tools() {
	local tool missing=()

	for tool; do
		have "$tool" || missing+=("$tool")
	done
	[[ ${#missing[@]} -eq 0 ]] || die "not found: ${missing[*]}"
}

# Where set-up and the builds of kernels keep what they made.
vcm_cache() {
	local cache=${VCM_CACHE:-}

	if [[ -z $cache ]]; then
		[[ -n ${XDG_CACHE_HOME:-}${HOME:-} ]] ||
			die "no HOME, so no ~/.cache/vcm: give VCM_CACHE=<dir>"
		cache=${XDG_CACHE_HOME:-$HOME/.cache}/vcm
	fi
	[[ $cache == /* ]] || die "VCM_CACHE=$cache is no absolute path"
	# In it are builds of kernels.
	! has_bad_path "$cache" || die "'$cache': the kernel's build takes no path with a blank or a colon: give VCM_CACHE=<dir>"
	printf '%s\n' "$cache"
}

has_bad_path() { [[ $1 =~ [[:space:]:] ]]; }

# What tells a cache from a directory of somebody's, which VCM_CACHE may name by
# mistake, and all that is ever made in one.
readonly CACHE_MARK=.vcm-cache
readonly CACHE_MARK_TEXT="This directory was made by VCM's scripts/setup.sh; 'make distclean' empties it."
# Patterns for extglob, no wider than the names that are made.
readonly CACHE_KERNEL='linux-+([0-9.])?(+deb+([0-9]))'
readonly ANY='[[:alnum:]]'
# shellcheck disable=SC2034 # for distclean.sh
readonly CACHE_ENTRIES=(kernel.env lock log apt kunit kernels patches guest-arm64 guest-arm igt newer debian
	'accel-+([0-9a-f])?(.+([0-9]))' "tmp.$ANY$ANY$ANY$ANY$ANY$ANY"
	"$CACHE_KERNEL"/{debs,root,src,build,uapi} "$CACHE_KERNEL")

is_empty_dir() { [[ -z $(find "$1" -mindepth 1 -print -quit) ]]; }

# Earlier versions made caches without a mark: those are known by their record.
is_cache() {
	if [[ -e $1/$CACHE_MARK ]]; then
		[[ $(head -n 1 "$1/$CACHE_MARK") == "$CACHE_MARK_TEXT" ]]
	else
		[[ -f $1/kernel.env && $(head -n 1 "$1/kernel.env") == KVER=[0-9]* ]]
	fi
}

# Sets cache to the cache's directory, which is there and ours from now on.
open_cache() {
	cache=$(vcm_cache) || exit 1
	[[ ! -e $cache || -d $cache ]] || die "$cache is no directory (VCM_CACHE=<dir> to name another)"
	mkdir -p "$cache" 2>/dev/null || die "cannot make $cache (VCM_CACHE=<dir> to name another)"
	[[ -r $cache && -w $cache && -x $cache ]] || die "cannot write to $cache (VCM_CACHE=<dir> to name another)"
	is_cache "$cache" || is_empty_dir "$cache" ||
		die "$cache is not empty and no cache of ours (VCM_CACHE=<dir> to name another)"
	cache=$(realpath "$cache")
	[[ -e $cache/$CACHE_MARK ]] || echo "$CACHE_MARK_TEXT" >"$cache/$CACHE_MARK"
}

# The architectures of guests: a name; Debian's; that of the kernel's build; the prefix of
# the compiler; QEMU; the console; the image below the build's arch/; the kernel that is
# booted when none is asked for; the description of the machine, where QEMU has none.
# QEMU 7.2's emulator for 32-bit ARM takes no page tables that are above 4 GB; the other one
# has the same machine.
readonly ARCHS=(
	'x86_64|amd64|x86||qemu-system-x86_64|ttyS0|x86/boot/bzImage|stock|'
	'arm64|arm64|arm64|aarch64-linux-gnu-|qemu-system-aarch64|ttyAMA0|arm64/boot/Image|stock|'
	'arm|armhf|arm|arm-linux-gnueabihf-|qemu-system-aarch64|ttyAMA0|arm/boot/zImage|builtin|arm/boot/dts/arm/vexpress-v2p-ca15-tc1.dtb'
)

# Sets what is in the table in the caller.
# shellcheck disable=SC2034 # for the scripts that source this
set_arch() {
	local line

	for line in "${ARCHS[@]}"; do
		IFS='|' read -r arch deb_arch kernel_arch cross qemu tty image default_kernel device_tree <<<"$line"
		[[ $arch != "$1" ]] || return 0
	done
	die "unknown architecture '$1' (known: ${ARCHS[*]%%|*})"
}

# load_kernel_env ARCH PURPOSE...: sets what setup.sh prints, KDIR and so on, in the
# caller, after setting up whatever is missing. The purposes are those of setup.sh.
load_kernel_env() {
	local env arch=$1

	shift
	env=$("$VCM_TOP/scripts/setup.sh" --arch "$arch" "${@/#/--for=}" --print) || exit 1
	eval "$env"
}

# Two runs that write to the same out/$1 go one after the other.
lock_output() {
	mkdir -p "$(dirname "$VCM_TOP/out/$1")"
	exec 8>"$VCM_TOP/out/$1.lock"
	flock -n 8 || { say "waiting for another run"; flock 8; }
}

# is_selected NAME [PATTERN]...: does NAME match a shell pattern? Without patterns all do.
is_selected() {
	local name=$1 pattern

	shift
	[[ $# -gt 0 ]] || return 0
	for pattern; do
		# shellcheck disable=SC2053 # a pattern is what it is
		[[ $name != $pattern ]] || return 0
	done
	return 1
}

# What the project has for a kernel tree, and not what builds leave. The first pages of
# the documentation are the project's alone.
project_files() {
	(cd "$VCM_TOP" && find drivers include samples Documentation/*/ -type f \
		\( -name '*.[ch]' -o -name '*.vcm' -o -name '*.rst' \) ! -name '*.mod.c') |
		LC_ALL=C sort
}

# The project as a series of patches is described in this directory, a file for each
# in order, 1-placement and so on: what the patch says, a line "---", and lines
#   F: PATTERN       files that come with it (as in MAINTAINERS; the last patch counts)
#   config: SYMBOL   options that do (a pattern)
#   hook: FILE|BEFORE|LINE   the LINE that goes into FILE of the kernel's, at the end or
#                    before the line BEFORE
#   module: FILE     what only modules outside a kernel tree need: in no patch
readonly SERIES_DIR=$VCM_TOP/scripts/series

series_parts() { (cd "$SERIES_DIR" && printf '%s\n' [0-9]-*); }

# series_lines KEY PART...: what the parts say to a key
series_lines() {
	local key=$1

	shift
	sed -n "s/^${key}[[:blank:]]*//p" "${@/#/$SERIES_DIR/}"
}

# The project's files that belong to the parts.
series_files() {
	local part pattern file files
	local -A owner=()

	mapfile -t files < <(project_files)
	while read -r part; do
		while read -r pattern; do
			for file in "${files[@]}"; do
				# shellcheck disable=SC2053 # a pattern is what it is
				[[ $file != ${pattern/%\//\/*} ]] || owner[$file]=$part
			done
		done < <(series_lines F: "$part")
	done < <(series_parts)
	for file in "${files[@]}"; do
		[[ -n ${owner[$file]:-} ]] || die "$file: in no part of scripts/series/"
		[[ " $* " != *" ${owner[$file]} "* ]] || echo "$file"
	done
}

# What a copy of the source is known by.
source_origin() {
	echo "$KSRC $(stat -c %Y "$KSRC/Makefile")"
}

# copy_source DIR: a copy of KSRC in DIR/src that costs no space where hard links
# can be had; overlay.sh breaks the links of what it changes. Made again for another
# source.
copy_source() {
	local dir=$1 origin

	origin=$(source_origin)
	[[ ! -f $dir/origin || $(<"$dir/origin") != "$origin" ]] || return 0
	rm -f "$dir/origin"
	# What a build in the tree left there would be in the way of one beside it.
	rsync -a --delete --link-dest="$(realpath "$KSRC")" --exclude=/.git --exclude=/.config --exclude=/include/config \
		--exclude='/arch/*/include/generated' "$KSRC/" "$dir/src/"
	echo "$origin" >"$dir/origin"
}

# The closing line for the results in file $1, and whether all is well: something
# passed, and nothing failed or was skipped.
print_sum() {
	local state count=()

	for state in PASS FAIL SKIP; do
		count+=("$(grep -c "^$state " "$1")") || true
	done
	echo "${count[0]} passed, ${count[1]} failed$([[ ${count[2]} -eq 0 ]] || echo ", ${count[2]} skipped")"
	[[ ${count[0]} -gt 0 && ${count[1]} -eq 0 && ${count[2]} -eq 0 ]]
}

# run_check NAME COMMAND...: a line about a check, and what it says below it if it fails.
# In a subshell with errexit on, which a function tested by `if` has not.
checks_passed=0
checks_failed=0
run_check() {
	local name=$1 log status start=$SECONDS

	shift
	set +e
	log=$(set -e; "$@" 2>&1)
	status=$?
	set -e
	if [[ $status -eq 0 ]]; then
		echo "ok   $name ($((SECONDS - start)) s)"
		checks_passed=$((checks_passed + 1))
	else
		echo "FAIL $name ($((SECONDS - start)) s)"
		printf '%s\n' "$log" | sed 's/^/    /'
		checks_failed=$((checks_failed + 1))
	fi
}

print_checks() {
	echo "$checks_passed passed, $checks_failed failed"
	[[ $checks_failed -eq 0 ]]
}

# The file name of a project or kernel module as the kernel writes it.
module_name() {
	local name=${1##*/}

	name=${name%%.ko*}
	printf '%s\n' "${name//-/_}"
}
