#include "protocols/raft/mutants.h"

#include <stddef.h>

int raft_mutant = RAFT_MUTANT_NONE;

static const struct {
    const char *name;
    const char *sentence;
} mutants[RAFT_MUTANT_COUNT] = {
    [RAFT_MUTANT_NONE] = {"NONE", "no bug is planted"},
#define RAFT_MUTANT(name, sentence) [RAFT_MUTANT_##name] = {#name, sentence},
#include "protocols/raft/mutants.def"
#undef RAFT_MUTANT
};

const char *raft_mutant_name(int mutant)
{
    return mutant >= 0 && mutant < RAFT_MUTANT_COUNT ? mutants[mutant].name : NULL;
}

const char *raft_mutant_sentence(int mutant)
{
    return mutant >= 0 && mutant < RAFT_MUTANT_COUNT ? mutants[mutant].sentence : NULL;
}
