#!/bin/bash
# Every planted bug has to be found within RUNS seeds of the usual mix: mutants.sh QUORATE-SIM-MUTANTS RUNS
# Those of members, snapshots, reads at followers and members in doubt are the unit tests' until the lane has them.
set -u
sim=$1 runs=$2
missed=0
for mutant in $("$sim" --list-mutants | grep -v -e '^MEMBERS_' -e '^SNAPSHOT_' -e '^DOUBT_' -e '^READ_OLD_'); do
    story=$("$sim" --mutant "$mutant" --seed 1 --runs "$runs" --minutes 0.5 2>&1 >/dev/null)
    status=$?
    printf '%-28s %s\n' "$mutant" "$(grep -m1 -E 'violation at|broken:|signal' <<<"$story" || echo missed)"
    if [ $status -ne 70 ]; then
        missed=$((missed + 1))
    elif ! grep -q "to see it again: .* --mutant $mutant" <<<"$story"; then
        echo "$mutant: no line that brings it back"
        missed=$((missed + 1))
    fi
done
"$sim" --seed 1 --runs 1 --mutant NONE >/dev/null || missed=$((missed + 1))
[ "$missed" -eq 0 ]
