# shellcheck shell=bash
# Sourced after steps.sh by .ci/run and ops/test: installs the Debian packages that a build and the tests need,
# where they are missing. sudo may ask for a password, so call these outside of steps.

# Fetched once a run, and only when something is missing.
package_lists_fresh=no

as_root() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "needs root or sudo to run: $*"
    fi
}

# install_packages PACKAGE...: from Debian, without their recommendations.
install_packages() {
    command -v apt-get >/dev/null ||
        fail "missing: $*. There is no apt-get here; please install what matches these Debian packages."
    printf 'installing Debian packages: %s\n' "$*"
    if [[ $package_lists_fresh == no ]]; then
        as_root apt-get update -q </dev/null
        package_lists_fresh=yes
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@" </dev/null
}

# install_command COMMAND PACKAGE...: the packages when the command is missing.
install_command() {
    local name=$1
    shift
    command -v "$name" >/dev/null || install_packages "$@"
    command -v "$name" >/dev/null || fail "installing $* brought no command $name"
}

# OpenSSL's Configure loads modules that Debian's bare perl-base lacks.
perl_is_whole() {
    perl -MFindBin -MIPC::Cmd -MTime::Piece -e 1 2>/dev/null
}

# What a build needs beside Rust: a linker and C compiler, and what OpenSSL's own build runs.
install_build_tools() {
    command -v cargo >/dev/null || fail "no cargo: please install Rust with rustfmt and clippy (https://rustup.rs)"
    install_command cc gcc libc6-dev
    install_command make make
    perl_is_whole || install_packages perl
    perl_is_whole || fail "perl lacks core modules that OpenSSL's build loads"
}

# Prints the folder of the newest PostgreSQL server's programs, which Debian keeps out of PATH.
postgres_programs() {
    local initdb
    initdb=$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1) || true
    [[ -n $initdb ]] || initdb=$(command -v initdb) || return 1
    dirname "$(readlink -f "$initdb")"
}

# Debian puts clamd where only root's PATH looks. Its own service is of no use here: tests start theirs.
clamd_is_there() {
    [[ -x /usr/sbin/clamd ]] || command -v clamd >/dev/null
}

# What the tests and the demo need beside a build. openssl and unzip play a receiver without Tasuki, clamd scans attachments, SoftHSM is a token with an
# office's key, onto which OpenSC's tool puts the certificate;
# python3 is the program that is told of events, and reads the Atom feed with a parser that is not ours.
install_test_tools() {
    install_build_tools
    clamd_is_there || install_packages clamav-daemon
    clamd_is_there || fail "installing clamav-daemon brought no clamd"
    install_command openssl openssl
    install_command unzip unzip
    install_command softhsm2-util softhsm2
    install_command pkcs11-tool opensc
    install_command python3 python3
    postgres_programs >/dev/null || install_packages postgresql
    postgres_programs >/dev/null || fail "PostgreSQL is missing: no initdb in /usr/lib/postgresql or PATH"
}
