# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The Debian mirror of this machine, and what it has. Sourced behind lib.sh.

readonly KEYRINGS=/usr/share/keyrings/debian-archive-keyring
readonly OWN_KERNEL="KDIR=<prepared build tree> and KIMAGE=<kernel image> for a kernel of your own"

own_codename() {
	# shellcheck source=/dev/null
	(. /etc/os-release 2>/dev/null && echo "${VERSION_CODENAME:-}") || true
}

# Lines "URI SUITE ORIGIN" of this machine's sources. Without downloaded lists
# indextargets is empty, but the release files' addresses are still known.
apt_sources() {
	apt-get indextargets --format "\$(SITE) \$(RELEASE) \$(ORIGIN)" 'Created-By: Packages' 2>/dev/null
	apt-get update --print-uris 2>/dev/null |
		sed -nE "s|^'(.*)/dists/([^/]+)/InRelease'.*|\1 \2 -|p"
}

find_mirror() {
	local codename mirror

	if [[ -n ${VCM_MIRROR:-} ]]; then
		echo "$VCM_MIRROR"
		return
	fi
	codename=$(own_codename)
	mirror=$(apt_sources | awk -v c="$codename" '
		/security/ || /^cdrom:/ { next }
		$3 == "Debian" && !debian { debian = $1 }
		$2 == c && ($3 == "Debian" || $3 == "-") { print $1; found = 1; exit }
		END { if (!found && debian) print debian }')
	[[ -n $mirror ]] ||
		die "no Debian mirror among this machine's apt sources: give VCM_MIRROR=<its URL>, or $OWN_KERNEL"
	echo "$mirror"
}

suites() {
	local codename

	codename=$(own_codename)
	# The same suite under two names costs one request more, no harm.
	echo "${VCM_SUITES:-${codename:+$codename-backports} trixie-backports stable-backports testing}" |
		tr ' ' '\n' | awk 'NF && !seen[$0]++'
}

keyring() {
	local file

	for file in "$KEYRINGS.gpg" "$KEYRINGS.pgp"; do
		[[ ! -e $file ]] || { echo "$file"; return; }
	done
	die "no keyring at $KEYRINGS.gpg (package debian-archive-keyring)"
}

# Debian's name of what private_apt looks for.
apt_arch=amd64

# apt with a state of its own under $1: the system's sources and lists stay as
# they are, and it runs as any user.
private_apt() {
	local dir=$1 cmd=$2 kind options=()
	shift 2

	for kind in Contents-deb Contents-deb-legacy Contents-udeb Contents-udeb-legacy; do
		# Configured by apt-file, and not needed for us.
		options+=(-o "Acquire::IndexTargets::deb::$kind::DefaultEnabled=false")
	done
	[[ $(id -u) -ne 0 ]] || options+=(-o APT::Sandbox::User=root)
	"$cmd" -o "Dir::Etc::SourceList=$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o "Dir::State=$dir/state" -o "Dir::State::Lists=$dir/lists" -o "Dir::Cache=$dir/cache" \
		-o Dir::State::status=/dev/null -o APT::Architecture="$apt_arch" -o APT::Architectures::="$apt_arch" \
		-o Acquire::Languages=none -o Acquire::Retries=2 -o Acquire::http::Timeout=30 \
		-o APT::Update::Error-Mode=any "${options[@]}" "$@"
}

# update_suite DIR MIRROR SUITE: 0 there, 3 the mirror has no such suite
update_suite() {
	local dir=$1 out

	mkdir -p "$dir"/{state,lists/partial,cache/archives/partial}
	echo "deb [signed-by=$(keyring)] $2 $3 main" >"$dir/sources.list"
	if out=$(private_apt "$dir" apt-get update 2>&1); then
		return 0
	fi
	! grep -qE '404 +Not Found|does not have a Release file' <<<"$out" || return 3
	printf '%s\n' "$out" >&2
	return 1
}

# The kernel versions a suite has, newest first; not the cloud and rt flavours.
list_kernels() {
	private_apt "$1" apt-cache pkgnames linux-binary- |
		sed -nE 's/^linux-binary-([0-9.]+(\+deb[0-9]+)?)-amd64$/\1/p' | sort -rV
}
