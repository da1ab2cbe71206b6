#!/bin/sh
# Usage: sh lab/debs.sh PACKAGE...
# Unpacks each Debian package, with those of its dependencies that this system lacks, into .tools/PACKAGE (TOOLS names
# another folder). `.versions` in it says which versions they are.
# Nothing is installed and nobody needs to be root: apt only downloads, dpkg only unpacks, both inside this folder.
set -eu
cd "$(dirname "$0")/.."
tools=${TOOLS:-$PWD/.tools}

for program in apt-get dpkg; do
    command -v "$program" >/dev/null || {
        echo "lab/debs.sh unpacks Debian packages, and there is no '$program' here." >&2
        echo "Install what these packages bring by your system's own means, and put it on PATH: $*" >&2
        exit 1
    }
done

work=
trap 'rm -rf ${work:+"$work"}' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The sandbox user `_apt` could not write into our folder; a private list folder is used once the system's own will not do.
lists=
apt() {
    set -- -qq -o APT::Sandbox::User= -o Debug::NoLocking=true "$@"
    [ -z "$lists" ] || set -- -o "Dir::State::lists=$lists" -o "Dir::Cache=$tools/.apt/cache" "$@"
    apt-get "$@"
}

refresh_lists() {
    echo "lab/debs.sh: fetching package lists into .tools/.apt" >&2
    lists=$tools/.apt/lists
    mkdir -p "$lists/partial" "$tools/.apt/cache/archives/partial"
    apt update
}

# The package itself and what apt would newly install for it. `Inst NAME [OLD] (NEW …)` is an upgrade of something that
# the system has already, and what it has will do.
closure() {
    plan=$(apt -s --no-install-recommends install "$1") || return 1
    { echo "$1"; echo "$plan" | awk '$1 == "Inst" && $3 !~ /^\[/ { print $2 }'; } | sort -u
}

unpack() {
    work=$(mktemp -d "$tools/.$1.XXXXXX")
    mkdir "$work/debs" "$work/root"
    packages=$(closure "$1") || return 1
    (cd "$work/debs" && apt download $packages) || return 1
    for deb in "$work"/debs/*.deb; do
        dpkg -x "$deb" "$work/root" && dpkg-deb --show "$deb" >>"$work/root/.versions" || return 1
    done
    chmod 755 "$work/root"
    # Two at once are harmless: rename onto a filled folder fails, and then the other one has won.
    mv -T "$work/root" "$tools/$1" 2>/dev/null || [ -d "$tools/$1" ]
}

mkdir -p "$tools"
for package in "$@"; do
    [ -d "$tools/$package" ] && continue
    echo "lab/debs.sh: unpacking $package into .tools" >&2
    if ! unpack "$package"; then
        rm -rf "$work"
        { [ -z "$lists" ] && refresh_lists && unpack "$package"; } || {
            echo "lab/debs.sh: could not get the Debian package $package (see above)" >&2
            exit 1
        }
    fi
    rm -rf "$work"
done
