#!/usr/bin/env bash
# 64 tasks that share one connection to redis-server: through a manager task that owns it, against a
# lock around it, and against redis-benchmark with one connection and a pipeline of 64.
set -euo pipefail

usage() {
    cat <<'EOF'
usage: benchmarks/clients.sh [options]
  --weir BINARY   weir-client-bench; without it, it is built in DIR with g++ (or CXX)
  --rounds N      how often the clients take turns (5); a figure is the median
  --tasks N       tasks, and the pipeline of redis-benchmark (64)
  --requests N    requests per run (500000); the lock sends a twentieth
  --server-cpu N  the core that redis-server has to itself (0)
  --client-cpu N  the core of the client (1)
  --out DIR       where results and what is built go (build/bench)
  --strict        exit status 1 if the goals are missed: 10 times the lock's rate, and no less than
                  redis-benchmark's divided by 1.5
EOF
}
die() {
    echo "clients.sh: $*" >&2
    exit 2
}

root=$(dirname "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)")
out=$root/build/bench
weir=
rounds=5
tasks=64
requests=500000
server_cpu=0
client_cpu=1
strict=0
while [ $# -gt 0 ]; do
    case $1 in
        --weir | --rounds | --tasks | --requests | --server-cpu | --client-cpu | --out)
            [ $# -gt 1 ] || die "$1 needs a value" ;;&
        --weir) weir=$2; shift ;;
        --rounds) rounds=$2; shift ;;
        --tasks) tasks=$2; shift ;;
        --requests) requests=$2; shift ;;
        --server-cpu) server_cpu=$2; shift ;;
        --client-cpu) client_cpu=$2; shift ;;
        --out) out=$2; shift ;;
        --strict) strict=1 ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done
for tool in redis-server redis-benchmark redis-cli taskset; do
    command -v "$tool" > /dev/null ||
        die "$tool is missing: apt install redis-server redis-tools util-linux"
done
mkdir -p "$out"
if [ -z "$weir" ]; then
    echo "building weir-client-bench"
    cmake -S "$root" -B "$out/weir-clients" -DCMAKE_BUILD_TYPE=Release -DWEIR_BUILD_TESTS=OFF \
        > "$out/build.log"
    cmake --build "$out/weir-clients" --target weir-client-bench >> "$out/build.log"
    weir=$out/weir-clients/benchmarks/weir-client-bench
fi
[ -x "$weir" ] || die "cannot run $weir"

server_pid=
stop_server() {
    [ -n "$server_pid" ] || return 0
    kill "$server_pid" 2> /dev/null || true
    wait "$server_pid" 2> /dev/null || true
}
trap stop_server EXIT
# Below the range that the kernel gives to clients, so that a free port stays free.
for ((attempt = 0; attempt < 100; ++attempt)); do
    port=$((20000 + RANDOM % 10000))
    (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null || break
done
taskset -c "$server_cpu" redis-server --bind 127.0.0.1 --port "$port" --save '' --appendonly no \
    > "$out/redis-server.log" 2>&1 &
server_pid=$!
for ((attempt = 0; attempt < 100; ++attempt)); do
    [ "$(redis-cli -p "$port" ping 2> /dev/null)" != PONG ] || break
    sleep 0.05
done
[ "$(redis-cli -p "$port" ping 2> /dev/null)" = PONG ] || die "redis-server did not answer"

run() {
    case $1 in
        lock) taskset -c "$client_cpu" "$weir" naive "$port" "$tasks" $((requests / 20)) ;;
        manager) taskset -c "$client_cpu" "$weir" manager "$port" "$tasks" "$requests" ;;
        redis-benchmark)
            taskset -c "$client_cpu" redis-benchmark -p "$port" -t set -c 1 -d 64 -r 100000 \
                -P "$tasks" -n "$requests" --csv 2> /dev/null |
                awk -F '"' 'tolower($2) == "set" { printf "%.0f\n", $4 }' ;;
    esac
}

results=$out/clients-rounds.tsv
: > "$results"
for ((round = 1; round <= rounds; ++round)); do
    for client in lock manager redis-benchmark; do
        printf '%s\t%s\n' "$client" "$(run "$client")" >> "$results"
    done
done
median() {
    awk -F '\t' -v client="$1" '$1 == client { print $2 }' "$results" | sort -n |
        awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}
awk -v lock="$(median lock)" -v manager="$(median manager)" -v benchmark="$(median redis-benchmark)" \
    -v tasks="$tasks" -v strict="$strict" '
    BEGIN {
        printf "%-46s %10d SET/s\n", tasks " tasks, a lock around the connection", lock
        printf "%-46s %10d SET/s\n", tasks " tasks, a manager task that owns it", manager
        printf "%-46s %10d SET/s\n", "redis-benchmark, one connection, pipeline " tasks, benchmark
        printf "manager / lock:            %5.1f times (goal: at least 10)\n", manager / lock
        printf "redis-benchmark / manager: %5.2f times (goal: at most 1.5)\n", benchmark / manager
        exit strict && (manager < 10 * lock || benchmark > 1.5 * manager)
    }'
