#!/usr/bin/env bash
# Our redis server against redis-server: requests per second and CPU time per request.
set -euo pipefail

usage() {
    cat <<'EOF'
usage: benchmarks/server.sh [options]
  --weir BINARY       our server, started with --port N; without it, weir-redis-server is built in
                      DIR with g++ (or CXX)
  --rounds N          how often the servers take turns (5)
  --pipelines "P .."  depths to measure ("1 16 64")
  --requests N        requests per run at depth 1 (100000); other depths send five times as many
  --server-cpu N      the core that the server has to itself (0)
  --client-cpu N      the core of redis-benchmark (1)
  --out DIR           where results and what is built go (build/bench)
  --strict            exit status 1 if a goal is missed: 1.3 times the requests per second of
                      redis-server in pipelines, no fewer without, 0.7 times its CPU per request
redis-benchmark is the client: 50 connections, 64-byte values, 100000 keys.
EOF
}

die() {
    echo "server.sh: $*" >&2
    exit 2
}

root=$(dirname "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)")
out=$root/build/bench
weir=
rounds=5
pipelines="1 16 64"
requests=100000
server_cpu=0
client_cpu=1
strict=0
while [ $# -gt 0 ]; do
    case $1 in
        --weir | --rounds | --pipelines | --requests | --server-cpu | --client-cpu | --out)
            [ $# -gt 1 ] || die "$1 needs a value" ;;&
        --weir) weir=$2; shift ;;
        --rounds) rounds=$2; shift ;;
        --pipelines) pipelines=$2; shift ;;
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

build_weir() {
    echo "building weir-redis-server"
    cmake -S "$root" -B "$out/weir" -DCMAKE_BUILD_TYPE=Release -DWEIR_BUILD_TESTS=OFF \
        -DWEIR_BUILD_EXAMPLES=ON -DWEIR_BUILD_BENCHMARKS=OFF > "$out/build.log"
    cmake --build "$out/weir" --target weir-redis-server >> "$out/build.log"
    weir=$(find "$out/weir/examples" -type f -name weir-redis-server -perm -u+x | head -n 1)
}

[ -n "$weir" ] || build_weir
[ -x "$weir" ] || die "cannot run our server: ${weir:-weir-redis-server was not built}"

server_pid=
port=
log=$(mktemp)
stop_server() {
    [ -n "$server_pid" ] || return 0
    kill "$server_pid" 2> /dev/null || true
    wait "$server_pid" 2> /dev/null || true
    server_pid=
}
trap 'stop_server; rm -f "$log"' EXIT

# Below the range that the kernel gives to clients, so that a free port stays free.
choose_port() {
    local attempt
    for ((attempt = 0; attempt < 100; ++attempt)); do
        port=$((20000 + RANDOM % 10000))
        (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null || return 0
    done
    die "no free port between 20000 and 29999"
}

start_server() {
    choose_port
    case $1 in
        weir) taskset -c "$server_cpu" "$weir" --port "$port" > "$log" 2>&1 & ;;
        redis)
            taskset -c "$server_cpu" redis-server --bind 127.0.0.1 --port "$port" --save '' \
                --appendonly no > "$log" 2>&1 & ;;
    esac
    server_pid=$!
    local attempt
    for ((attempt = 0; attempt < 100; ++attempt)); do
        kill -0 "$server_pid" 2> /dev/null || break
        [ "$(redis-cli -p "$port" ping 2> /dev/null)" = PONG ] && return 0
        sleep 0.05
    done
    cat "$log" >&2
    die "the $1 server did not answer on port $port"
}

# User and system time of the server in clock ticks: fields 14 and 15, counted behind the name.
cpu_ticks() { sed 's/.*) //' "/proc/$server_pid/stat" | awk '{ print $12 + $13 }'; }

tick_ns=$((1000000000 / $(getconf CLK_TCK)))

# Prints requests per second and CPU ns per request of one run.
run_client() {
    local command=$1 depth=$2 count=$3 before after rps
    before=$(cpu_ticks)
    rps=$(taskset -c "$client_cpu" redis-benchmark -p "$port" -t "$command" -c 50 -d 64 -r 100000 \
        -P "$depth" -n "$count" --csv 2> /dev/null |
        awk -F '"' -v name="$command" 'tolower($2) == name { print $4 }')
    after=$(cpu_ticks)
    [ -n "$rps" ] || die "redis-benchmark printed no result for $command at depth $depth"
    printf '%s\t%d\n' "$rps" $(((after - before) * tick_ns / count))
}

results=$out/server-rounds.tsv
: > "$results"
for depth in $pipelines; do
    count=$requests
    [ "$depth" = 1 ] || count=$((requests * 5))
    for ((round = 1; round <= rounds; ++round)); do
        for server in weir redis; do
            start_server "$server"
            for command in set get; do
                printf '%s\t%s\t%s\t%s\t%s\n' "$depth" "$command" "$server" "$round" \
                    "$(run_client "$command" "$depth" "$count")" >> "$results"
            done
            stop_server
        done
    done
done

status=0
awk -F '\t' -v strict="$strict" '
    function median(list, v, n, i, j, held) {
        n = split(list, v, " ")
        for (i = 2; i <= n; ++i) {
            held = v[i] + 0
            for (j = i - 1; j > 0 && v[j] + 0 > held; --j) v[j + 1] = v[j]
            v[j + 1] = held
        }
        return v[int((n + 1) / 2)] + 0
    }
    {
        row = $1 "\t" $2
        if (!(row in seen)) { seen[row] = 1; order[++rows] = row }
        rps[row, $3] = rps[row, $3] " " $5
        cpu[row, $3] = cpu[row, $3] " " $6
    }
    END {
        OFS = "\t"
        print "depth", "command", "weir/s", "redis/s", "rate", "weir ns", "redis ns", "CPU", "missed"
        for (i = 1; i <= rows; ++i) {
            w = median(rps[order[i], "weir"]); r = median(rps[order[i], "redis"])
            wc = median(cpu[order[i], "weir"]); rc = median(cpu[order[i], "redis"])
            missed = (w < (order[i] ~ /^1\t/ ? 1 : 1.3) * r ? " rate" : "") (wc > 0.7 * rc ? " CPU" : "")
            if (missed != "") bad = 1
            printf "%s\t%.0f\t%.0f\t%.2f\t", order[i], w, r, w / r
            printf "%d\t%d\t%.2f\t%s\n", wc, rc, (rc > 0 ? wc / rc : 0), missed
        }
        exit strict && bad
    }' "$results" > "$out/server.tsv" || status=$?
awk -F '\t' '{ printf "%6s %8s %10s %10s %6s %9s %9s %6s  %s\n", $1, $2, $3, $4, $5, $6, $7, $8, $9 }' \
    "$out/server.tsv"
echo "rate: our requests per second over theirs; ns: CPU time per request; CPU: ours over theirs"
echo "missed: the goals, 1.3 times the rate in pipelines and 1 without, 0.7 times the CPU time"
echo "each round: $results"
exit "$status"
