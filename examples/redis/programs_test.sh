#!/bin/sh
# programs_test.sh SERVER CLI: the programs as a person uses them, from --help to SIGTERM.
set -eu
server=$1
cli=$2

work=$(mktemp -d)
pid=
listener=
finish() {
    [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true
    [ -z "$listener" ] || kill -9 "$listener" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

fail() {
    echo "FAILED: $*" >&2
    cat "$work/log" >&2
    exit 1
}

start() {  # OPTION...: starts the server and waits for its port
    : >"$work/out"
    "$server" --port 0 "$@" >"$work/out" 2>"$work/log" &
    pid=$!
    for _ in $(seq 100); do
        port=$(sed -n 's/^ready on port //p' "$work/out")
        [ -z "$port" ] || return 0
        sleep 0.1
    done
    fail "the server did not start"
}

expect() {  # EXPECTED COMMAND...: what the client prints
    expected=$1
    shift
    got=$("$cli" -p "$port" "$@" 2>&1) || true
    [ "$got" = "$expected" ] || fail "$*: expected '$expected', got '$got'"
}

ends() {  # STATUS: the server ends with this status
    status=0
    wait "$pid" || status=$?
    pid=
    [ "$status" = "$1" ] || fail "the server ended with status $status"
}

: >"$work/log"
"$server" --help | grep -q -- '--threads' || fail "the server's --help"
"$cli" --help | grep -q 'load' || fail "the client's --help"
"$server" --port 99999 2>/dev/null && fail "a port that is none was accepted"
"$cli" nonsense 2>/dev/null && fail "a command that is none was accepted"

for options in "--state lock" "--state shards --threads 2" "--state manager --threads 2"; do
    # shellcheck disable=SC2086
    start $options
    expect PONG ping
    expect OK set key value
    expect '"value"' get key
    expect '(nil)' get nosuch
    expect OK set key value 100000
    expect 1 incr counter
    expect 2 incr counter
    expect '(error) ERR value is not an integer or out of range' incr key
    expect 0 publish channel message
    "$cli" -p "$port" --requests 20000 --pipeline 16 load 2>/dev/null | grep -q '20000 requests' ||
        fail "the load generator with $options"

    "$cli" -p "$port" subscribe channel >"$work/heard" &
    listener=$!
    until [ "$("$cli" -p "$port" publish channel hello)" = 1 ]; do sleep 0.1; done
    until grep -q 'channel: hello' "$work/heard"; do sleep 0.1; done

    kill -TERM "$pid"
    ends 0
    wait "$listener" 2>/dev/null && fail "the listener did not notice the end of the server"
    listener=
    grep -q 'stopped in .*: 1 connections ended, 0 cut off' "$work/log" || fail "no report"
done

# A listener that reads nothing any more keeps the server from its end; a second signal does not wait.
message=$(head -c 100000 /dev/zero | tr '\0' x)
for threads in 1 2; do
    start --threads $threads --grace 60 --patience 60 --slow-listeners skip
    "$cli" -p "$port" subscribe channel >"$work/heard" &
    listener=$!
    until [ "$("$cli" -p "$port" publish channel hello)" = 1 ]; do sleep 0.1; done
    until grep -q 'channel: hello' "$work/heard"; do sleep 0.1; done
    kill -STOP "$listener"
    for _ in $(seq 150); do  # more than the system keeps for it
        "$cli" -p "$port" publish channel "$message" >"$work/published" || fail "a publish"
    done
    kill -INT "$pid"
    until grep -q 'stopping: 1 connections' "$work/log"; do sleep 0.1; done
    kill -INT "$pid"
    ends 1
    kill -KILL "$listener"
    wait "$listener" 2>/dev/null || true
    listener=
done

echo "all is well"
