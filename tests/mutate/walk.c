/* quorate-sim --exhaustive and nothing else: walk BOUNDS. It links in no time, and nothing that a
 * mutant of raft does not reach. */
#include "tests/sim/exhaustive.h"

int main(int argc, char **argv)
{
    return exhaustive_run(argc > 1 ? argv[1] : NULL, false);
}
