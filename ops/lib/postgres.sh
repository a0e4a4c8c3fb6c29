# shellcheck shell=bash
# Sourced by ops/test after steps.sh and tools.sh: a private PostgreSQL cluster that lives as long as the script.
#
# It has a folder, a port and a password of its own and never touches a cluster that the machine runs.
# It keeps PostgreSQL's durability on, as in production: the relay refuses a database without it.

postgres_dir=""
postgres_bin=""
postgres_started=no

# as_postgres COMMAND [ARG...]: PostgreSQL refuses to run as root, so root hands over to Debian's user for it,
# in the cluster's folder, because that user may be unable to enter ours.
as_postgres() (
    cd "$postgres_dir" || exit 1
    if ((EUID == 0)); then
        runuser -u postgres -- "$@"
    else
        "$@"
    fi
)

# Is nobody listening on this port of 127.0.0.1?
port_is_free() {
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# start_postgres: sets and exports TASUKI_TEST_POSTGRES, the URL of a superuser on the new cluster.
start_postgres() {
    local port password
    postgres_bin=$(postgres_programs)
    if ((EUID == 0)) && ! id -u postgres >/dev/null 2>&1; then
        fail "root needs the user 'postgres' to run PostgreSQL as: install Debian's package, or run as another user"
    fi

    postgres_dir=$(mktemp -d "${TMPDIR:-/tmp}/tasuki-postgres.XXXXXX")
    # Any user of the machine reaches the port, and a superuser may run programs: hence a password.
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    (umask 077 && printf '%s\n' "$password" >"$postgres_dir/password")
    if ((EUID == 0)); then
        chown -R postgres: "$postgres_dir"
    fi
    as_postgres "$postgres_bin/initdb" --pgdata="$postgres_dir/data" --username=tasuki \
        --auth=scram-sha-256 --pwfile="$postgres_dir/password" \
        --encoding=UTF8 --locale=C.UTF-8 >"$postgres_dir/initdb.log" 2>&1 ||
        { cat "$postgres_dir/initdb.log" >&2 && fail "initdb failed"; }
    cat >>"$postgres_dir/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$postgres_dir'
fsync = on
synchronous_commit = on
full_page_writes = on
# Every test has a database, and a pool or two, of its own.
max_connections = 400
CONF

    # Somebody may take a port between the look and the start, so try several; below the ephemeral range.
    for _ in 1 2 3 4 5 6 7 8; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        port_is_free "$port" || continue
        # From here on there may be a server to stop, even where the start is interrupted.
        postgres_started=yes
        if as_postgres "$postgres_bin/pg_ctl" start --silent --wait --timeout=60 --pgdata="$postgres_dir/data" \
            --log="$postgres_dir/server.log" --options="-p $port" </dev/null; then
            export TASUKI_TEST_POSTGRES="postgres://tasuki:$password@127.0.0.1:$port/postgres"
            printf 'PostgreSQL %s listens on 127.0.0.1:%d in %s\n' \
                "$(cat "$postgres_dir/data/PG_VERSION")" "$port" "$postgres_dir"
            return
        fi
    done
    cat "$postgres_dir/server.log" >&2 || true
    fail "PostgreSQL did not start"
}

# stop_postgres: ends the server and removes its folder. For traps; harmless when nothing was started.
stop_postgres() {
    if [[ $postgres_started == yes ]]; then
        # The data is thrown away: nothing is worth a checkpoint.
        as_postgres "$postgres_bin/pg_ctl" stop --silent --wait --mode=immediate --pgdata="$postgres_dir/data" \
            >/dev/null 2>&1 </dev/null || true
        postgres_started=no
    fi
    if [[ -n $postgres_dir ]]; then
        rm -rf "$postgres_dir"
        postgres_dir=""
    fi
}
