/* refine.h: Raft as the thesis states it, and whether a step of the real machine is a step of it.
 *
 * Shape: one server's variables (figure 2, appendix B's specification: currentTerm, votedFor, log,
 *   commitIndex, votesGranted, matchIndex) and, since nothing is durable at once, a disk that lags:
 *   images of (currentTerm, votedFor, log) on their way to it, in order. A restart takes the
 *   variables from the disk; nothing else ever does. One event of the real machine (a message, a
 *   time-out, a finished write, ...) must be explained by a sequence of the specification's
 *   actions:
 *
 *     UpdateTerm? Timeout | HandleRequestVoteRequest | HandleRequestVoteResponse |
 *     HandleAppendEntriesRequest | HandleAppendEntriesResponse | ClientRequest | Write | Restart
 *     then BecomeLeader? StepDown? ClientRequest* AdvanceCommitIndex?
 *
 *   whose result is what the real machine came to, or nothing changes (a stutter: any message may
 *   be ignored). What was granted and matched is counted here from the messages, never asked of
 *   the real machine. Every message that leaves must be true of the state that it leaves, and what
 *   it promises must be on the disk by then.
 *
 *   A pre-candidate is a follower that asks around. Configurations stand in the log, coded into
 *   entries' values; a server goes by the last one in its log (§4.1), both majorities in a joint
 *   one (§4.3). No more is known of snapshots or learners.
 * Memory: the caller's; all structs are bytes without padding, compared by memcmp.
 * Threads, time: none. Limits: the constants below. Refusals: a sentence: that step is no step of
 *   Raft's. Cost: O(entries) per step.
 * Source: Ongaro, thesis (2014), figure 2 of the extended paper, chapters 3 and 4.
 */
#ifndef TESTS_SIM_REFINE_H
#define TESTS_SIM_REFINE_H

#include "protocols/wire/wire.h"

#define REFINE_MEMBERS     3u
#define REFINE_ENTRIES_MAX 7u
#define REFINE_IMAGES_MAX  6u
#define REFINE_SENDS_MAX   12u
#define REFINE_TERMS_MAX   4u

/* Values: 0 a leader's no-op; below REFINE_MEMBERS_ENTRY a client's command; from there on a
 * configuration: bits 0 to 2 are who votes, bits 3 to 5 who voted before (0: not joint). */
#define REFINE_MEMBERS_ENTRY 0x80u
#define REFINE_FIRST_MEMBERS (REFINE_MEMBERS_ENTRY | 7u)

enum refine_role { REFINE_FOLLOWER = 1, REFINE_CANDIDATE, REFINE_LEADER };

struct refine_entry {
    uint8_t term;
    uint8_t value;
};

struct refine_log {
    uint8_t count;
    struct refine_entry entry[REFINE_ENTRIES_MAX]; /* entry[i] has index i + 1; zero behind count */
};

/* What survives, as it was at one moment. */
struct refine_image {
    uint8_t term;
    uint8_t vote; /* 0: none; members are 1, 2, 3 */
    struct refine_log log;
};

struct refine_server {
    uint8_t self;
    uint8_t role;
    uint8_t commit;
    uint8_t votes;                 /* votesGranted: bit m - 1 */
    uint8_t match[REFINE_MEMBERS]; /* matchIndex */
    uint8_t verified;              /* agrees with this term's leader up to here */
    struct refine_image memory;
    struct refine_image disk;
    uint8_t image_count;
    struct refine_image image[REFINE_IMAGES_MAX]; /* on their way to the disk, oldest first */
};

/* A message as struct wire_raft has it. */
struct refine_message {
    uint8_t kind;
    uint8_t flags;
    uint8_t from;
    uint8_t to;
    uint8_t term;
    uint8_t index;
    uint8_t log_term;
    uint8_t commit;
    uint8_t round;
    uint8_t count;
    struct refine_entry entry[REFINE_ENTRIES_MAX];
};

enum refine_event {
    REFINE_RECEIVE = 1,
    REFINE_TIMEOUT,
    REFINE_BEAT, /* heartbeat, or a candidate asks again */
    REFINE_PROPOSE,
    REFINE_CHANGE,
    REFINE_STORED, /* the oldest image is on the disk */
    REFINE_CRASH   /* and restart at once */
};

/* `after` comes with what the real machine and its owner's log say (role, commit, memory.log,
 * memory.term, memory.vote), the disk and the images; what is only counted here (votes, match,
 * verified) is filled in. `message` is NULL unless the event is a receipt. NULL: Raft may do
 * that; else why not. */
const char *refine_step(const struct refine_server *before, struct refine_server *after,
                        enum refine_event event, const struct refine_message *message);

/* The same of a message that leaves in this step. */
const char *refine_send(const struct refine_server *before, const struct refine_server *after,
                        const struct refine_message *message);

/* Is `set` (bit m - 1 is member m) a quorum of the configuration that `log` says is in force? */
bool refine_quorum(const struct refine_log *log, uint8_t set);
/* The configuration as an entry's value. */
uint8_t refine_members(const struct refine_log *log);
bool refine_same_prefix(const struct refine_log *a, const struct refine_log *b, uint32_t count);
/* Log matching (§5.3): where two logs have an entry of the same index and term, they are the same
 * up to there. */
bool refine_logs_match(const struct refine_log *a, const struct refine_log *b);

#endif
