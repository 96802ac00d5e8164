/* keeper.h: a node's snapshots: taken, sent, received, put in place, found again at a start.
 *
 * Shape: one keeper serves all lanes of a node, through notes.h. A turn reads the notes that wait
 *   and does a piece of each job; whoever calls it decides when, a thread in the node, virtual time
 *   in the simulator.
 *
 *   taking     wish (WANTED, operator, policy) ─► ask ─► MARKED ─► a part per turn ─► file ─► taken
 *   sending    OFFERED ─► chunks from the file, paced ─► WHOLE: sent; REFUSED, silence: failed
 *   receiving  COMES ─► CHUNK ... ─► check ─► kept ─► loaded ─► install ─► INSTALLED ─► WHOLE
 *
 *   The receiver says WHOLE when the state is in its place: until then the leader would be told by
 *   its log that it lacks what it has. A piece that nobody waits for is answered by REFUSED, so
 *   that a receiver which has started again is offered the snapshot again, and need not wait until
 *   its sender gives up.
 *   Files: node-ID-group-G-INDEX.snap; the newest two of a group are kept, and what is being sent
 *   stays readable, as its sender has it open. `.new` and `.part` are what was begun; the next
 *   start removes them.
 * Memory: allocated: a walk's buffers while there is one, the file buffers of snapshot/file.h, and
 *   a spare region of state_footprint bytes of addresses per lane, from the first install on. A
 *   state that is installed lies in a spare; the old one's memory is the spare then, once its
 *   readers have reported. So the keeper goes after its lanes.
 * Threads: keeper_turn by one, a registered, online reader (view.h) that holds nothing between
 *   turns; a turn goes offline while it waits for files. Never a polling core. keeper_ask,
 *   keeper_answer, keeper_report, keeper_counters, keeper_identify: any. keeper_load, keeper_serve:
 *   before the first turn.
 * Time: the caller's, monotonic nanoseconds above 0.
 * Limits: KEEPER_SENDERS_MAX transfers out of a node, a walk at a time, an install per lane at a
 *   time; two states of one group while one is installed.
 * Refusals: keeper_events.def. Cost: a walk: snapshot/README.md; sending: a read and a copy per
 *   chunk; not measured.
 */
#ifndef DATAPLANE_KEEPER_KEEPER_H
#define DATAPLANE_KEEPER_KEEPER_H

#include "dataplane/pipeline/notes.h"
#include "dataplane/snapshot/file.h"
#include "numa/topology.h"

#define KEEPER_SENDERS_MAX 32u
#define KEEPER_ERROR_MAX   256u

enum keeper_event {
#define KEEPER_EVENT(name, sentence) KEEPER_##name,
#include "dataplane/keeper/keeper_events.def"
#undef KEEPER_EVENT
    KEEPER_EVENT_COUNT
};
const char *keeper_event_name(enum keeper_event event);
const char *keeper_event_sentence(enum keeper_event event);

struct keeper_config {
    uint16_t self;
    uint16_t group_count; /* group g is on lane g % lane_count */
    uint16_t lane_count;
    const char *data; /* a folder that outlives the keeper; NULL: one of its own, with nothing of
                         former lives: under TMPDIR or /tmp, made when needed, gone in the end  */
    struct state_config state;
    uint64_t snapshot_after_bytes; /* written by a lane since its groups' last ones; 0: no policy */
    uint64_t bytes_per_second;     /* to each receiver; 0: as fast as it goes */
    uint64_t run;                  /* above those of former lives: a wall clock, above 0 */
    const struct topology *topology;
    uint32_t memory_node[WIRE_LANES_MAX]; /* of each lane's states */
    /* Which group keeps a full log from being reused; NULL: unknown. */
    bool (*pinned_by)(const struct storage *, uint16_t *group);
    void (*say)(void *domain, const char *sentence); /* what an operator should read; may be NULL */
    void *say_domain;
};

struct keeper;

/* NULL: `error` is a sentence. Partial files of former lives are removed. */
struct keeper *keeper_open(const struct keeper_config *config, char error[KEEPER_ERROR_MAX]);
/* After the lanes' rooms and keeper_turn have ended, and the lanes too: their states may lie
 * here. */
void keeper_close(struct keeper *keeper);

/* Of the cluster that files must be of; again whenever it is known anew. Until then none is
 * taken. */
void keeper_identify(struct keeper *keeper, uint64_t cluster, uint64_t config_hash);

/* What lane_config.recover_state wants; the domain is a keeper that has been identified. The newest
 * file that passes all checks; damaged ones are passed over, counted, and spoken of. */
bool keeper_load(void *keeper, uint16_t group, void *memory, const struct state_config *config,
                 struct raft_snapshot *snapshot, struct state **state);

/* Lane `index` is there now; `storage` is looked at by policy, NULL: never. */
void keeper_serve(struct keeper *keeper, uint16_t index, struct lane *lane,
                  const struct storage *storage);

/* A bounded piece of work. True: there is more at once. */
bool keeper_turn(struct keeper *keeper, uint64_t now_ns);
/* When to look again: soon while something is under way. */
uint64_t keeper_wake_ns(const struct keeper *keeper, uint64_t now_ns);

/* ---- for the operator ------------------------------------------------------------------------ */

/* Wants a snapshot that begins after this call. 0: no such group. */
uint64_t keeper_ask(struct keeper *keeper, uint16_t group);

struct keeper_answer {
    enum snapshot_refusal refusal;
    uint64_t index; /* with SNAPSHOT_OK: of the snapshot, in the data folder, under ... */
    uint64_t bytes;
    char name[SNAPSHOT_NAME_BYTES];
};
/* False: not yet. */
bool keeper_answer(struct keeper *keeper, uint16_t group, uint64_t ticket,
                   struct keeper_answer *answer);

struct keeper_group_report {
    uint64_t index; /* of the newest snapshot; 0: none */
    uint64_t bytes;
    uint64_t taken_ns; /* by the turns' clock; 0: before this start */
    bool taking;
    uint32_t sending; /* receivers */
    bool receiving;
    bool installing;
    uint64_t done_bytes; /* of what is received */
    uint64_t whole_bytes;
};
/* False: no such group. */
bool keeper_report(struct keeper *keeper, uint16_t group, struct keeper_group_report *report);
void keeper_counters(struct keeper *keeper, uint64_t counters[KEEPER_EVENT_COUNT]);

#endif
