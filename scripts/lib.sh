# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Helpers that the scripts in this directory share. Source it, do not run it.

VCM_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VCM_PROG=${0##*/}

# Progress and errors go to stderr: stdout belongs to what a script answers.
say() { printf '%s: %s\n' "${VCM_PROG%.sh}" "$*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

need_tools() {
	local tool missing=()

	for tool; do
		have "$tool" || missing+=("$tool")
	done
	[[ ${#missing[@]} -eq 0 ]] || die "not found: ${missing[*]}"
}

vcm_cache() {
	printf '%s\n' "${VCM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vcm}"
}

host_arch() {
	case $(uname -m) in
	x86_64) echo x86_64 ;;
	aarch64) echo arm64 ;;
	*) uname -m ;;
	esac
}

# Fails with the reason why there is no guest of architecture $1.
check_arch() {
	case $1 in
	x86_64) ;;
	arm64) die "architecture arm64: not yet" ;;
	*) die "unknown architecture '$1' (known: x86_64, arm64)" ;;
	esac
}

# The options that set KDIR, KIMAGE, KMODULES and KSRC in the caller, after
# setting up whatever is missing.
load_kernel_env() {
	local env

	env=$("$VCM_TOP/scripts/setup.sh" --arch "${1:-x86_64}" --print) || exit 1
	eval "$env"
}

# Two runs that write to the same out/$1 go one after the other.
lock_output() {
	mkdir -p "$VCM_TOP/out"
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

# What the project has for a kernel tree, and not what builds leave.
project_files() {
	(cd "$VCM_TOP" && find drivers include samples Documentation -type f \
		\( -name '*.[ch]' -o -name '*.vcm' -o -name '*.rst' \) ! -name '*.mod.c') |
		LC_ALL=C sort
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
	rm -rf "$dir/origin" "$dir/src"
	cp -al "$KSRC" "$dir/src" 2>/dev/null || {
		rm -rf "$dir/src"
		cp -a "$KSRC" "$dir/src"
	}
	echo "$origin" >"$dir/origin"
}

# The lines "STATE suite@case" of KTAP on standard input, and one for a suite
# that says fewer than it announced.
ktap_results() {
	awk '
		function complete() {
			if (suite != "" && got != plan)
				print "FAIL " suite " (" got " of " plan " results)"
		}
		$1 == "#" && $2 == "Subtest:" { complete(); suite = $3; plan = "?"; got = 0 }
		/^ +1\.\.[0-9]+$/ { plan = substr($1, 4) }
		/^ +(not )?ok [0-9]+ / {
			state = $1 == "ok" ? "PASS" : "FAIL"
			name = $1 == "ok" ? $3 : $4
			if (/# SKIP/)
				state = "SKIP"
			print state " " suite "@" name
			got++
		}
		END { complete() }'
}

# The file name of a project or kernel module as the kernel writes it.
module_name() {
	local name=${1##*/}

	name=${name%%.ko*}
	printf '%s\n' "${name//-/_}"
}
