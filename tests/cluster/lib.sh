# shellcheck shell=bash disable=SC2034
# What the tests share; each is cluster.sh's COMMAND and sources this. Nodes are named by their ids. Every wait ends.
set -euo pipefail

readonly NODES=(1 2 3)
readonly ANSWER_SECONDS=10 # more than an edge's own deadline, on a machine that is busy with other things

say() {
    echo "cluster: $*"
}

# Ends the test, with what the nodes know.
fail() {
    trap - EXIT
    say "FAILED: $*"
    quorate -o json status || true
    tail -n 12 "$QUORATE_CLUSTER"/*.log
    exit 1
}

check() { # text, then a command that must succeed
    local text=$1
    shift
    "$@" || fail "$text"
    say "ok: $text"
}

equal() { # expected found
    [[ $1 == "$2" ]] || {
        say "expected '$1', found '$2'"
        return 1
    }
}

matches() { # pattern found
    # shellcheck disable=SC2053
    [[ $2 == $1 ]] || {
        say "expected '$1', found '$2'"
        return 1
    }
}

# await SECONDS TEXT COMMAND...
await() {
    local end=$((SECONDS + $1)) text=$2
    shift 2
    until "$@"; do
        ((SECONDS < end)) || fail "$text"
        sleep 0.1
    done
    say "ok: $text"
}

address() {
    echo "10.78.0.$1"
}

# redis NODE COMMAND...: the reply as one line per element, errors too.
redis() {
    local node=$1
    shift
    timeout "$ANSWER_SECONDS" redis-cli -h "$(address "$node")" "$@" || echo "(no answer)"
}

operator() { # NODE VERB...
    local node=$1
    shift
    timeout "$ANSWER_SECONDS" quorate --endpoints "$(address "$node"):6379" "$@"
}

# known NODE FILTER: what the node's status says of itself; nothing if it does not answer.
known() {
    operator "$1" -o json status 2>/dev/null | jq -r "$2" || true
}

role() {
    known "$1" '.groups[0].role'
}

counter() { # NODE NAME
    known "$1" ".counters[\"$2\"] // 0"
}

# The first of these nodes that says that it leads; nothing if none does.
leader_of() {
    local node
    for node in "$@"; do
        if [[ $(role "$node") == leader ]]; then
            echo "$node"
            return
        fi
    done
}

led() { # NODE...: one of them leads
    [[ -n $(leader_of "$@") ]]
}

lives() { # NODE
    kill -0 "$(<"$QUORATE_CLUSTER/$1.pid")" && equal PONG "$(redis "$1" PING)"
}

kill_node() { # NODE...: all at once
    local node pids=()
    for node in "$@"; do
        pids+=("$(<"$QUORATE_CLUSTER/$node.pid")")
    done
    kill -9 "${pids[@]}"
    say "killed: node $*"
}

gone() { # NODE: its process has ended
    ! kill -0 "$(<"$QUORATE_CLUSTER/$1.pid")" 2>/dev/null
}

start_again() { # NODE...: each is the member that it was, with nobody's help
    local node
    for node in "$@"; do
        await 10 "node $node has ended" gone "$node"
        start_node "$node"
    done
    for node in "$@"; do
        await 20 "node $node answers again" answers "$node"
        check "it is the same member" equal "${incarnation[$node]} ${cluster}" \
            "$(known "$node" '"\(.incarnation) \(.cluster)"')"
    done
}

# Who the nodes are before anything happens to them, for start_again.
declare -A incarnation
remember_nodes() {
    local node
    cluster=$(known "${NODES[0]}" .cluster)
    for node in "${NODES[@]}"; do
        incarnation[$node]=$(known "$node" .incarnation)
    done
}

caught_up() { # NODE LEADER: has applied what the leader had applied a moment ago
    local index
    index=$(known "$2" '.groups[0].applied')
    [[ -n $index && $(known "$1" '.groups[0].applied') -ge $index ]]
}

start_node() {
    "$QUORATE_CLUSTER/start" "$1"
}

answers() {
    operator "$1" status >/dev/null 2>&1
}

# without NODE NODE...: the others.
without() {
    local gone=$1 node
    shift
    for node in "$@"; do
        [[ $node == "$gone" ]] || echo "$node"
    done
}

readonly history=$QUORATE_CLUSTER/history

# Clients at all nodes, whose every answer is written down.
start_clients() {
    local addresses=() node
    for node in "${NODES[@]}"; do
        addresses+=("$(address "$node"):6379")
    done
    "$(dirname "${BASH_SOURCE[0]}")/clients.py" --history "$history" "${addresses[@]}" &
    clients=$!
}

answered() { # how many questions
    grep -c '"outcome": "ok"' "$history" 2>/dev/null || true
}

has_answered() { # COUNT
    [[ $(answered) -ge $1 ]]
}

verdict() { # STATUS FILE
    local status=0
    quorate-sim --check-history "$2" || status=$?
    equal "$1" "$status"
}

# Ends the clients and has their history judged; and, as a test of the judge, two damaged copies of it.
judge_clients() {
    kill -TERM "$clients"
    check "each answer that clients got had a meaning" wait "$clients"
    say "outcomes: $(grep -Eo '"outcome": "[a-z]+"' "$history" | sort | uniq -c | xargs)"
    check "what they were told is linearizable" verdict 0 "$history"
    sed '0,/\("op": "get".*"result": \)"[^"]*"/s//\1"never written"/' "$history" >"$history.read"
    check "it is not with one answer changed" verdict 70 "$history.read"
    sed '0,/\("op": "append".*"outcome": \)"ok"/s//\1"fail"/' "$history" >"$history.lost"
    check "nor with an append that was acknowledged called void" verdict 70 "$history.lost"
}

# ---- members ---------------------------------------------------------------------------------------------------------

readonly SPARE=4

# member VERB...: asked of all nodes, the spare one too.
member() {
    timeout 60 quorate --endpoints "$QUORATE_ENDPOINTS,$(address "$SPARE"):6379" member "$@"
}

state() { # NODE: what the others call it; nothing if it does not belong
    member -o json list 2>/dev/null | jq -r "select(.id == $1) | .state" || true
}

is_in_state() { # NODE STATE
    [[ $(state "$1") == "$2" ]]
}

is_out() { # NODE: at who leads the first group now, no group's configuration names it
    local leader
    leader=$(leader_of "${NODES[@]}" "$SPARE")
    [[ -n $leader ]] && [[ $(known "$leader" "[.groups[].members[].id] | index($1)") == null ]]
}

# Clients go on until this many more questions are answered: a phase of the history, whose answer times are reported.
phases=()
phase() { # NAME
    phases+=("$1=$(python3 -c 'import time; print(time.monotonic_ns())')")
}

more_answers() { # COUNT
    local before
    before=$(answered)
    await 30 "$1 more questions are answered" has_answered "$((before + $1))"
}

report_phases() {
    phase end
    "$(dirname "${BASH_SOURCE[0]}")/phases.py" "$history" "${phases[@]}"
}

# Nobody was left in doubt: what was not done was said to be not done.
no_doubt() {
    equal 0 "$(grep -c '"outcome": "open"' "$history")"
}
