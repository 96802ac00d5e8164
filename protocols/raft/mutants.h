/* mutants.h: planted bugs, to test the tests.
 *
 * Shape: the library is built twice. `raft` is what ships: RAFT_MUTATED is the constant false
 *   there, and no trace of a mutant is left. `raft_mutants` (-DRAFT_MUTANTS) reads `raft_mutant`,
 *   which picks one bug of
 *   mutants.def; 0 plants none.
 * Memory: one global int, of the test build alone. Threads: set it before any machine runs.
 * Time, limits, refusals: none. Cost: nothing in what ships.
 */
#ifndef PROTOCOLS_RAFT_MUTANTS_H
#define PROTOCOLS_RAFT_MUTANTS_H

enum raft_mutant_kind {
    RAFT_MUTANT_NONE = 0,
#define RAFT_MUTANT(name, sentence) RAFT_MUTANT_##name,
#include "protocols/raft/mutants.def"
#undef RAFT_MUTANT
    RAFT_MUTANT_COUNT
};

#ifdef RAFT_MUTANTS
extern int raft_mutant; /* enum raft_mutant_kind */

const char *raft_mutant_name(int mutant);     /* NULL: no such mutant */
const char *raft_mutant_sentence(int mutant); /* NULL: no such mutant */
#define RAFT_MUTATED(name) (raft_mutant == RAFT_MUTANT_##name)
#else
#define RAFT_MUTATED(name) false
#endif

#endif
