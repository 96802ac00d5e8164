#!/bin/bash
# Every state within bounds, and every planted bug that can show there: exhaustive.sh QUORATE-SIM [QUORATE-SIM-MUTANTS]
# Without the second the long walks are taken, for soak.
set -u
sim=$1 mutants=${2-}
failures=0

two=terms=2,timeouts=2,messages=2
quick=(
    "messages=2,slow=0,crashes=0"
    "$two,slow=3"
    "$two,slow=0,crashes=0,proposals=0,beats=1,duplicates=1"
    "$two,slow=0,crashes=0,proposals=0,changes=1"
    "$two,slow=0,proposals=0,prevote=1"
)
long=(
    "messages=2,slow=0,crashes=1"
    "messages=2,slow=1,crashes=0"
    "messages=3,slow=0,crashes=0"
    "terms=2,timeouts=2,slow=1"
    "$two,slow=0,proposals=0,beats=1,duplicates=1"
    "$two,slow=0,proposals=0,changes=1"
)
# Leases, reads, learners, witnesses and snapshots are not in its world: those bugs are for other tests.
found=(
    "COMMIT_WITHOUT_QUORUM ${quick[0]}"
    "COMMIT_OLD_TERM_BY_COUNT ${quick[2]}"
    "COMMIT_BEYOND_MATCH ${quick[2]}"
    "COUNT_UNSTORED_SELF ${quick[1]}"
    "ACK_BEFORE_STORED ${quick[1]}"
    "STORED_SURVIVES_TRUNCATION ${quick[1]}"
    "VOTE_TWICE ${quick[1]}"
    "VOTE_BEFORE_STORED ${quick[1]}"
    "VOTE_WITHOUT_LOG_CHECK ${quick[0]}"
    "SKIP_PREVIOUS_CHECK ${quick[0]}"
    "TRUNCATE_COMMITTED ${quick[2]}"
    "KEEP_CONFLICTING_SUFFIX ${quick[0]}"
    "MEMBERS_JOINT_ONE_MAJORITY ${quick[3]}"
    "MEMBERS_AT_COMMIT ${quick[3]}"
    "MEMBERS_SURVIVE_TRUNCATION ${quick[3]}"
    "MEMBERS_LEAVE_JOINT_EARLY ${quick[3]}"
)

walks=("${long[@]}")
[ -z "$mutants" ] || walks=("${quick[@]}")
for bounds in "${walks[@]}"; do
    "$sim" --exhaustive --bound "$bounds" || failures=$((failures + 1))
done
[ -n "$mutants" ] || exit $((failures != 0))
for line in "${found[@]}"; do
    read -r mutant bounds <<<"$line"
    story=$("$mutants" --exhaustive --mutant "$mutant" --bound "$bounds" 2>&1 >/dev/null)
    status=$?
    printf '%-28s %s\n' "$mutant" "$(grep -m1 '^violation: ' <<<"$story" || echo missed)"
    if [ $status -ne 70 ] || ! grep -q '^member 1 times out$' <<<"$story"; then
        failures=$((failures + 1))
    fi
done
exit $((failures != 0))
