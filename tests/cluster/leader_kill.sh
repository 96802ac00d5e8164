#!/usr/bin/env bash
# The leader is killed under load: the others elect, every acknowledged write is there once and in order, and the
# killed node, which comes back empty, has no say.
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "$0")/lib.sh"

readonly SPAN=50 # acknowledged writes, before the kill and after it, per writer
readonly stop=$QUORATE_CLUSTER/stop

# writer NODE: one connection; APPEND "N " to journal:NODE and INCR count:NODE for N = 1, 2, ... Notes each reply.
writer() {
    local number=0 socket append increment
    exec {socket}<>"/dev/tcp/$(address "$1")/6379"
    while [[ ! -e $stop ]]; do
        number=$((number + 1))
        printf 'APPEND journal:%s %s,\r\nINCR count:%s\r\n' "$1" "$number" "$1" >&"$socket"
        append='' increment=''
        IFS= read -r -t "$ANSWER_SECONDS" -u "$socket" append || true
        IFS= read -r -t "$ANSWER_SECONDS" -u "$socket" increment || true
        echo "$number ${append%% *} ${increment%% *}" | tr -d '\r'
        [[ -n $append && -n $increment ]] || return 0
    done >"$QUORATE_CLUSTER/writer.$1"
    exec {socket}>&-
}

# Replies are ":NUMBER" (executed), "-TRYAGAIN" or "-CLUSTERDOWN" (never executed), else unknown.
acknowledged() {
    awk '$2 ~ /^:/ && $3 ~ /^:/' "$QUORATE_CLUSTER/writer.$1" 2>/dev/null | wc -l
}

has_acknowledged() { # NODE COUNT
    (($(acknowledged "$1") >= $2))
}

# judge NODE KEY-OF-WRITER: the writer's notes against what this node answers.
judge() {
    local journal count
    journal=$(redis "$1" GET "journal:$2")
    count=$(redis "$1" GET "count:$2")
    awk -v journal="$journal" -v count="$count" '
        function complain(text) { print "cluster: " text; bad = 1 }
        BEGIN {
            found_count = split(journal, found, ",") - 1
            for (i = 1; i <= found_count; i++) {
                if (found[i] in place) complain("number " found[i] " is there twice")
                place[found[i]] = i
            }
        }
        { sent[$1] = 1 }
        $2 ~ /^:/ {
            if (!($1 in place)) complain("acknowledged " $1 " is lost")
            else if (place[$1] <= last_place) complain("acknowledged " $1 " is out of order")
            else last_place = place[$1]
        }
        $2 ~ /^-(TRYAGAIN|CLUSTERDOWN)/ {
            if ($1 in place) complain($1 " was refused as never executed and is there")
        }
        $2 !~ /^(:|-TRYAGAIN|-CLUSTERDOWN)/ { open++ }
        $3 ~ /^:/ {
            value = substr($3, 2) + 0
            if (value <= last_value) complain("INCR answered " value " after " last_value)
            last_value = value
            increments++
        }
        $3 !~ /^(:|-TRYAGAIN|-CLUSTERDOWN)/ { open_increments++ }
        END {
            for (number in place) if (!(number in sent)) complain("number " number " was never sent")
            if (count < increments || count > increments + open_increments)
                complain("counter is " count ", acknowledged " increments ", unknown " open_increments + 0)
            printf "cluster: %d sent, %d found, %d unknown\n", NR, found_count, open
            exit bad
        }' "$QUORATE_CLUSTER/writer.$2"
}

await 10 "somebody leads" led "${NODES[@]}"
leader=$(leader_of "${NODES[@]}")
term=$(known "$leader" '.groups[0].term')
mapfile -t survivors < <(without "$leader" "${NODES[@]}")
say "node $leader leads in term $term; survivors will be ${survivors[*]}"

timeout 60 redis-benchmark -h "$(address "${survivors[0]}")" -t set,incr -P 16 -c 8 -n 100000 -r 1000 -q \
    >"$QUORATE_CLUSTER/benchmark" 2>&1 &
benchmark=$!
writers=()
for node in "${survivors[@]}"; do
    writer "$node" &
    writers+=("$!")
done
for node in "${survivors[@]}"; do
    await 20 "$SPAN writes through node $node are acknowledged" has_acknowledged "$node" "$SPAN"
done

check "the load is still on" kill -0 "$benchmark"
kill_node "$leader"
declare -A before
for node in "${survivors[@]}"; do
    before[$node]=$(acknowledged "$node")
done
await 20 "a survivor leads" led "${survivors[@]}"
new=$(leader_of "${survivors[@]}")
new_term=$(known "$new" '.groups[0].term')
check "node $new leads in a later term, $new_term" test "$new_term" -gt "$term"
for node in "${survivors[@]}"; do
    await 30 "$SPAN more are acknowledged through node $node" has_acknowledged "$node" "$((before[$node] + SPAN))"
done
touch "$stop"
wait "${writers[@]}"
status=0
wait "$benchmark" || status=$?
tr '\r' '\n' <"$QUORATE_CLUSTER/benchmark" | grep 'requests per second' || true
# It ends at the first error reply. An election that outlasts an edge's deadline, on a busy machine, may give one.
named='Error from server: (TRYAGAIN|CLUSTERDOWN|UNCERTAIN).*'
if [[ $status -eq 1 ]] && grep -Eo "$named" "$QUORATE_CLUSTER/benchmark"; then
    say "ok: redis-benchmark was told by name that the cluster had no leader in time"
else
    check "redis-benchmark came to its end through the failover" equal 0 "$status"
fi

for node in "${survivors[@]}"; do
    for key in "${survivors[@]}"; do
        check "node $node has each acknowledged write of writer $key once, in order" judge "$node" "$key"
    done
done

start_node "$leader"
await 20 "node $leader is back, empty" answers "$leader"

stays_out() {
    equal "awaiting bootstrap 0 0" "$(known "$leader" '.groups[0] | "\(.role) \(.votes_granted) \(.keys)"')"
}
for ((turn = 0; turn < 10; turn++)); do
    stays_out || fail "the node that came back has a say"
    sleep 0.2
done
say "ok: for two seconds it grants no vote and leads nothing"
check "the survivors still serve" equal OK "$(redis "${survivors[1]}" SET after yes)"
for node in "${survivors[@]}"; do
    say "node $node: frames of another incarnation refused: $(counter "$node" lane.INCARNATION)"
done

status=0
answer=$(timeout 20 quorate bootstrap 2>&1) || status=$?
say "bootstrap says: $answer"
check "bootstrap over all endpoints is refused" equal 65 "$status"
stays_out || fail "bootstrap took the node in"
check "a member says when replacement comes" \
    matches '*already; replacement comes with durable membership' \
    "$(redis "${survivors[0]}" QUORATE BOOTSTRAP "$(known "${survivors[0]}" .cluster)" 1=1)"
