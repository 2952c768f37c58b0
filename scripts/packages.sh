#!/bin/sh
# Get the servers and tools that tests start, those that are missing and where this may, and say what is left out.
set -eu
# Debian keeps servers in /usr/sbin, which a plain user's PATH may lack.
PATH="$PATH:/usr/sbin:/sbin"

missing() {
    # A program, and Debian's package of it.
    for one in redis-server:redis-server nginx:nginx promtool:prometheus amtool:prometheus-alertmanager curl:curl \
        buildah:buildah debootstrap:debootstrap; do
        command -v "${one%%:*}" >/dev/null || echo "${one##*:}"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

apt="apt-get -qq -o Acquire::http::Timeout=20 -o Acquire::Retries=1"

install() {
    # shellcheck disable=SC2086 # words are meant to be several
    as_root env DEBIAN_FRONTEND=noninteractive $apt install -y --no-install-recommends "$@"
}

install_what_can_be() {
    # shellcheck disable=SC2086 # as above
    as_root $apt update || return
    # All at once is quicker; but apt-get installs nothing when one of them is unknown to it.
    install "$@" 2>/dev/null || for one in "$@"; do install "$one" || true; done
}

packages=$(missing)
[ -n "$packages" ] || exit 0
if command -v apt-get >/dev/null && as_root true 2>/dev/null; then
    echo "Getting packages for the tests:" $packages >&2
    # shellcheck disable=SC2086
    install_what_can_be $packages >/dev/null || true
fi
packages=$(missing)
if [ -n "$packages" ]; then
    echo "Not installed, so that the tests which need them are SKIPPED (apt-get install them as root):" $packages >&2
fi
