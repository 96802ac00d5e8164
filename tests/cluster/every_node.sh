#!/usr/bin/env bash
# Every node serves every command, whoever leads; what is malformed is refused by name and harms nobody.
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "$0")/lib.sh"

# listen SECONDS: what the node says on the open connection until it closes it.
listen() {
    local line
    while IFS= read -r -t "$1" -u "$socket" line; do
        echo "${line%$'\r'}"
    done
}

# converse NODE BYTES [LATER BYTES]: each part is one write, on a connection of their own.
converse() {
    local part parts node=$1
    parts=$(mktemp "$QUORATE_CLUSTER/parts-XXXXXX")
    shift
    exec {socket}<>"/dev/tcp/$(address "$node")/6379"
    for part in "$@"; do
        printf '%b' "$part" >"$parts"
        cat "$parts" >&"$socket"
        sleep 0.2
    done
    listen 20
    exec {socket}>&-
}

refused() { # text node bytes pattern
    check "node $2 refuses $1" matches "$4" "$(converse "$2" "$3")"
    check "node $2 lives on" lives "$2"
}

check "somebody leads" led "${NODES[@]}"

# Half a command is given ten seconds, so this begins now and is looked at in the end.
halves=()
for node in "${NODES[@]}"; do
    converse "$node" '*2\r\n\x243\r\nGET\r\n\x245\r\nab' >"$QUORATE_CLUSTER/half.$node" &
    halves+=("$!")
    converse "$node" '*1\r\n' '\x24-5\r\n' >"$QUORATE_CLUSTER/split.$node" &
    halves+=("$!")
done

for node in "${NODES[@]}"; do
    check "SET through node $node" equal OK "$(redis "$node" SET "from:$node" "value $node")"
    for other in "${NODES[@]}"; do
        check "node $other sees it" equal "value $node" "$(redis "$other" GET "from:$node")"
    done
done
total=0
for node in "${NODES[@]}" "${NODES[@]}"; do
    total=$((total + 1))
    check "INCR through node $node" equal "$total" "$(redis "$node" INCR every:counter)"
done

for node in "${NODES[@]}"; do
    check "status of node $node" equal "$node" "$(known "$node" .id)"
    check "members through node $node" equal "1 2 3" \
        "$(operator "$node" -o json member list | jq -r .id | xargs)"
    check "put through node $node" operator "$node" put "op:$node" one
    check "get through node $node" equal one "$(operator "$node" get "op:$node")"
    check "cas through node $node" operator "$node" cas "op:$node" one two
    status=0
    operator "$node" cas "op:$node" one three || status=$?
    check "cas of another value is refused" equal 65 "$status"
    check "del through node $node" operator "$node" del "op:$node"
    status=0
    operator "$node" get "op:$node" || status=$?
    check "get of no key is refused" equal 65 "$status"
    check "incr through node $node" equal "$((5 * node))" "$(operator "$node" incr "count:$node" "$((5 * node))")"
done

key=$(printf 'k%.0s' {1..513})
for node in "${NODES[@]}"; do
    check "a key of 513 bytes" equal "ERR key must be of 1 to 512 bytes" "$(redis "$node" SET "$key" v | xargs)"
    check "a key of 512 bytes" equal OK "$(redis "$node" SET "${key:1}" v)"
    refused "a bomb" "$node" '*1000000\r\n' '-ERR Protocol error: too many arguments*'
    refused "a negative length" "$node" '*1\r\n\x24-5\r\n' '-ERR Protocol error: negative length*'
    refused "a web page" "$node" 'POST / HTTP/1.1\r\nHost: x\r\n\r\n' '*HTTP*'
    refused "junk" "$node" '*1\r\n!4\r\nPING\r\n' '-ERR Protocol error: *'
done

wait "${halves[@]}"
for node in "${NODES[@]}"; do
    check "node $node closes half a command" equal \
        "-ERR Protocol error: command was half sent for too long" "$(<"$QUORATE_CLUSTER/half.$node")"
    check "node $node refuses a negative length that comes in two parts" matches "-ERR Protocol error: *" \
        "$(<"$QUORATE_CLUSTER/split.$node")"
    check "node $node lives on" lives "$node"
    check "node $node still serves" equal "value 1" "$(redis "$node" GET from:1)"
done
