# shellcheck shell=bash
# Sourced by .ci/run and ops/test: named steps with their duration, ended at once by a signal.
# The sourcing script runs under `set -euo pipefail`.

# The process group of the step that runs now, empty between steps.
step_group=""

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# duration SECONDS: for people, as 7s or 12m07s.
duration() {
    if (($1 < 60)); then
        printf '%ds' "$1"
    else
        printf '%dm%02ds' "$(($1 / 60))" "$(($1 % 60))"
    fi
}

# step NAME COMMAND [ARG...]: runs the command without standard input and ends the script when it fails.
# The command gets a process group of its own, so that a signal to the script ends whatever the command
# started, at once: bash would otherwise put the trap off until the command is done. It cannot ask for
# anything on the terminal, so whatever may call sudo runs outside of steps.
step() {
    local name=$1 begun=$SECONDS status=0
    shift
    printf '\n== %s\n' "$name"
    set -m
    "$@" </dev/null &
    step_group=$!
    set +m
    wait "$step_group" || status=$?
    step_group=""
    if ((status != 0)); then
        printf -- '-- %s: FAILED with exit code %d after %s\n' "$name" "$status" "$(duration $((SECONDS - begun)))"
        exit 1
    fi
    printf -- '-- %s: ok, %s\n' "$name" "$(duration $((SECONDS - begun)))"
}

# Ends the running step, if any. For traps.
stop_step() {
    if [[ -n $step_group ]]; then
        kill -TERM -- "-$step_group" 2>/dev/null || true
        wait "$step_group" 2>/dev/null || true
        step_group=""
    fi
}

# From here on a signal ends the script with the code that shells use for it, so that its EXIT trap runs.
exit_on_signals() {
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
}
