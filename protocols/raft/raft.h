/* raft.h: one Raft group as a pure machine (Ongaro & Ousterhout 2014; Ongaro's thesis 2014).
 *
 * Shape: inputs come in bursts (tick, step, propose, stored, applied), outputs are pulled by
 * raft_ready. The machine knows indexes, terms and sizes; it never sees an entry's bytes, a clock,
 * a disk or a key.
 *
 *   tick(now) ─► step(burst) ─► propose(burst) ─► ready: persist, send, commit, wake
 *                     ▲                                     │
 *                     └── stored(seq), applied(index) ◄─────┘
 *
 *   Who belongs to the group stands in the log: a configuration takes effect where it is appended,
 *   is taken back where its entry is, and no two are under way at once (thesis §4.1, §4.3). Any
 *   change of who votes goes through a joint configuration, in which both majorities decide, and
 *   which its leader leaves by itself. See the part on members below.
 *
 *   A loop turn calls raft_tick(now) once, with the clock read after the burst was received, before
 *   it steps a group; then steps and proposes; then raft_ready once. Same calls, same outputs, byte
 *   for byte.
 *
 *   A leader whose oldest write is older than write_age_max_ns steps down, though its heartbeats
 *   would go on (heartbeats that outlive a hung disk: hashicorp/raft #503), and offers its office
 *   to a follower that has everything. While a write hangs a member does not campaign. The age
 *   counts from raft_ready to raft_stored; a stall of this member is forgiven once.
 *
 * Memory: one flat region of the caller, cache-line aligned, raft_footprint bytes. No pointer is
 *   kept, not even into itself: a copy of the region is a copy of the machine. Arrays in struct
 *   raft_ready lie in it and are valid until the next call on the same machine.
 * Threads: one owner at a time. Time: `now` in nanoseconds of a monotonic clock, only judged in
 *   pace.c and lease.c, and in read.c to ask again; a clock that steps back reads as standing
 *   still. Chance: config.seed.
 * Limits: QUORUM_MEMBERS_MAX members, both halves of a joint configuration and this one together;
 *   RAFT_SEND_MAX messages per ready. entries_max bounds, with a margin of one in
 *   RAFT_RESERVE_FRACTION, the proposals between the last applied entry and the last; a follower
 *   that lags in applying is bounded by entries_max too. Beyond go only no-ops of leaders that came
 *   to nothing, and what a log holds after a restart, until its commit index is known again.
 *   entries_max must not shrink between restarts. Each limit is checked before an input is taken:
 *   no half steps.
 * Refusals: every refused input moves the counter named in raft_events.def.
 * Cost: O(1) per message, O(entries) per append, O(members) per ready; measured: not measured.
 */
#ifndef PROTOCOLS_RAFT_RAFT_H
#define PROTOCOLS_RAFT_RAFT_H

#include "protocols/core/quorum.h"
#include "protocols/wire/members.h"

#define RAFT_NOBODY   0xffffu
#define RAFT_SEND_MAX 256u

/* What raft_footprint accepts. */
#define RAFT_ENTRIES_MIN      8u
#define RAFT_ENTRIES_MAX      (1u << 24)
#define RAFT_RESERVE_FRACTION 8u
#define RAFT_INFLIGHT_MAX     (1u << 16)
#define RAFT_TIMEOUT_NS_MAX   UINT64_C(3600000000000)
/* What raft_step believes: members that are ten elections a second ahead for 13 years, and no
 * larger numbers. */
#define RAFT_TERM_LEAP_MAX (UINT64_C(1) << 32)
#define RAFT_NUMBER_MAX    ((UINT64_C(1) << 62) - 1)

typedef struct raft raft;

enum raft_role { RAFT_FOLLOWER = 1, RAFT_PRECANDIDATE, RAFT_CANDIDATE, RAFT_LEADER };
enum raft_progress { RAFT_PROBE = 1, RAFT_REPLICATE, RAFT_SNAPSHOT /* needs one */ };

enum raft_event {
#define RAFT_EVENT(name, sentence) RAFT_##name,
#include "protocols/raft/raft_events.def"
#undef RAFT_EVENT
    RAFT_EVENT_COUNT
};
const char *raft_event_name(enum raft_event event);
const char *raft_event_sentence(enum raft_event event);

struct raft_config {
    uint16_t group;
    uint16_t self; /* id of this member; must be among `member`, unless it is `joining` */
    /* The first configuration of the group, the same for all and for ever: what is in force comes
     * from the log and from snapshots. */
    uint32_t member_count;
    uint16_t member[QUORUM_MEMBERS_MAX]; /* ids, ascending */
    uint64_t nonce[QUORUM_MEMBERS_MAX];  /* of their logs */
    uint8_t role[QUORUM_MEMBERS_MAX];    /* enum wire_role; 0 reads as voter */
    bool joining;                        /* comes in later: follows whoever leads, as a learner */
    uint64_t seed;   /* another one for every start of a member: nonces are drawn from it */
    uint64_t now_ns; /* clock at init: a starting voter waits one time-out before it votes */
    uint64_t heartbeat_ns;
    uint64_t election_timeout_ns;     /* lower bound; followers that heard less long ago refuse */
    uint64_t election_timeout_max_ns; /* upper bound of the randomised time-out */
    uint64_t write_age_max_ns; /* a leader with an older write steps down; 0: no such limit */
    /* How much this member would rather lead than others. With a top, the highest that any member
     * has, who has that waits least for a leader, and the lowest one span of the two time-outs
     * longer; 0: nobody waits longer than others for it. */
    uint8_t priority;
    uint8_t priority_top;
    /* So long a voter of higher priority must have been close behind and answered every heartbeat
     * before the leader hands over to it; a new leader, or one whose hand-over came to nothing,
     * waits as long again. Leases of the term end with each. 0: never. */
    uint64_t handover_ns;
    uint32_t drift_ppm;             /* leases allow for two clocks this far apart */
    uint32_t entries_max;           /* power of two: entries whose terms are kept in memory */
    uint32_t message_entries_max;   /* per APPEND */
    uint32_t message_bytes_max;     /* of entries per APPEND; a larger entry travels alone */
    uint32_t inflight_messages_max; /* unanswered APPENDs per follower */
    uint32_t inflight_bytes_max;    /* unanswered bytes per follower */
    uint32_t uncommitted_bytes_max; /* proposals beyond are refused: busy */
    uint32_t voters_max;            /* promotions beyond are refused; 0: no such limit */
    uint64_t promote_lag_max;       /* entries behind the leader's last that are still caught up;
                                         0 reads as entries_max / 8 */
    uint64_t promote_stable_ns;     /* so long a learner must have been; 0: ten time-outs */
    bool pre_vote;
    bool check_quorum;
    bool lease_reads;
};

/* What survived: zero everything but on a restart from storage. Entries after first_index - 1
 * follow by raft_restore_entry, in order. */
struct raft_restore {
    uint64_t term;
    uint16_t vote;          /* RAFT_NOBODY: none */
    uint64_t first_index;   /* first entry still in the log; 1 for a fresh one, 0 reads as 1 */
    uint64_t previous_term; /* of entry first_index - 1 */
    uint64_t applied;       /* state machine is at this index already; >= first_index - 1 */
    const struct wire_members *members; /* in force at first_index - 1; NULL: the first ones */
    uint64_t members_index;             /* of the entry that brought them; 0: the first ones */
    bool doubtful; /* entries and vote may lack what was promised: see doubt, below */
};

/* What the machine keeps of an entry. */
struct raft_entry {
    uint64_t term;
    uint32_t bytes;   /* encoded size, for flow control */
    uint32_t members; /* 0; n: element n - 1 of raft_step_members's configurations */
};

/* 0: not an acceptable config. Refused are: no or too many members, ids that do not ascend or are
 * RAFT_NOBODY, roles that make no valid configuration, a self that is no member (or, joining, is
 * one); heartbeat_ns 0 or above half of election_timeout_ns, an election_timeout_max_ns that is not
 * above election_timeout_ns or above RAFT_TIMEOUT_NS_MAX; priority above a priority_top; drift_ppm
 * of a million or more;
 * lease_reads without check_quorum; entries_max that is no power of two or out of
 * [RAFT_ENTRIES_MIN, RAFT_ENTRIES_MAX]; inflight_messages_max above RAFT_INFLIGHT_MAX; any other
 * maximum 0 that does not say what 0 means. */
size_t raft_footprint(const struct raft_config *config);

/* The config must be acceptable; `restore` NULL: a fresh member. Recovery has checked what it
 * restores: terms do not fall along the log and are not above `term`, which after a snapshot was
 * installed is at least the snapshot's. These are asserted. */
raft *raft_init(void *memory, const struct raft_config *config, const struct raft_restore *restore);
/* Before the first tick; already stored. The second one is for entries that hold a
 * configuration. */
void raft_restore_entry(raft *, const struct raft_entry *entry);
void raft_restore_members(raft *, const struct raft_entry *entry,
                          const struct wire_members *members);

/* ---- in -------------------------------------------------------------------------------------- */

/* One received message and what became of it. `from` and `to` have been filled in from the
 * frame. */
struct raft_input {
    struct wire_raft message;
    const struct raft_entry *entries; /* message.entry_count of them; only read during the call */
    /* out: entries [take_first, take_first + take_count) are new and must go into the log, in the
     * order of inputs, replacing whatever the log held from take_first on. take_count 0: nothing to
     * copy. */
    uint64_t take_first;
    uint32_t take_count;
    bool take_snapshot; /* out: what this SNAPSHOT offers is wanted: see raft_snapshot_installed */
};

/* Returns how many inputs it took, in order; the rest must be offered again after raft_ready. An
 * append that does not fit the window is taken as far as it fits. */
uint32_t raft_step(raft *, struct raft_input *inputs, uint32_t count);

/* The same for inputs whose entries hold configurations, all of which are in `members`; they are
 * only read during the call. (An argument of its own: a larger raft_input costs every message a
 * part of its time.) */
uint32_t raft_step_members(raft *, struct raft_input *inputs, uint32_t count,
                           const struct wire_members *members, uint32_t members_count);

/* Leader only: appends `count` entries of the given encoded sizes behind raft_last_index, all of
 * the current term; returns how many it took (0: not leader, transferring, log window or
 * uncommitted bytes full). A new leader commits nothing before an entry of its own term (§5.4.2),
 * and the machine can not make one: while raft_noop_due, the owner's next proposal must be a single
 * no-op, and only one entry is taken. */
uint32_t raft_propose(raft *, const uint32_t *bytes, uint32_t count);
bool raft_noop_due(const raft *);

void raft_tick(raft *, uint64_t now_ns);
void raft_stored(raft *, uint64_t seq);    /* what was persisted under numbers <= seq is durable */
void raft_applied(raft *, uint64_t index); /* frees window; within the spans handed out */

/* The log no longer holds entries before this; they are applied. Followers that still need them
 * become RAFT_SNAPSHOT and are sent heartbeats only, until a snapshot brings their log to the
 * leader's window. The window forgets as well: followers more than entries_max entries behind are
 * in the same position. */
void raft_compacted(raft *, uint64_t first_index);

/* Leader in office: hand over to `to`, a voter (thesis §3.10); false: can not. Until it has worked
 * or an election time-out is over, proposals are refused; leases end for the rest of the term. */
bool raft_transfer(raft *, uint16_t to);

/* The same as config.priority, from now on; not above priority_top, if there is one. */
void raft_prefer(raft *, uint8_t priority);

/* Follower: grants votes and pre-votes again, as if it had not heard its leader; it does not
 * campaign any earlier. For an owner that knows the leader to be dead. False: it knows none, or
 * lease_reads, for leases rest on its silence. (etcd-io/raft, MsgForgetLeader.) */
bool raft_forget_leader(raft *);

/* ---- doubt ----------------------------------------------------------------------------------- */

/* restore.doubtful: entries that this member has confirmed, and the vote that it gave, may be
 * missing from what was restored: recovery has found damage that no crash explains, or the owner
 * trusts no restart (strict). The term must not be: it promised nothing in a term above
 * restore.term. An owner that can not say so restores a term as much higher as elections can have
 * been lost; that costs the group one.
 *
 * In doubt a member grants neither vote nor pre-vote and does not campaign, not even if told to. It
 * takes entries and confirms them as ever: that they are stored here is true of what it has
 * verified and stored since, and no term of its is below one that it promised in. As soon as it
 * hears a leader it asks it, as for a read (READ_INDEX with DOUBT, a fresh nonce for each attempt).
 * The leader voids whatever this member confirmed to it and what of that is still on its way; then,
 * once a round shows that it still leads, it answers with its commit index, which by leader
 * completeness (§5.4.3) and by that voiding covers all that former confirmations can have helped to
 * commit.
 *
 * Doubt ends when, in the term of the answer, the log is matched to the leader's up to that index
 * and stored so far: raft_ready then says hard_state_changed, with doubtful false. The first
 * raft_ready after raft_init says so with doubtful true, and until that is stored the owner must
 * not mend what showed the damage: doubt has to outlive another crash. (Alagappan et al.,
 * Protocol-Aware Recovery, FAST 2018, is the idea; the leader there knows what it has sent, here it
 * forgets it.)
 *
 * With a majority of the voters in doubt at once, or the only one, nobody can say what was
 * committed: there will be no leader until an operator starts them without doubt. */

/* ---- members (thesis §4) --------------------------------------------------------------------- */

enum raft_change_kind {
    RAFT_ADD_LEARNER = 1, /* the only way in */
    RAFT_PROMOTE,         /* a learner that has caught up, and stayed so for a while: to voter */
    RAFT_PROMOTE_WITNESS, /* the same, to witness: it may drop its copy then */
    RAFT_DEMOTE,          /* a voter, to learner */
    RAFT_REMOVE,
    RAFT_RAISE /* the level, to `id`; alone. That all members speak it the caller knows */
};

struct raft_change {
    uint8_t kind; /* enum raft_change_kind */
    uint16_t id;    /* of the member; with RAISE the level */
    uint64_t nonce; /* with ADD_LEARNER its log's; else of whom the caller means */
};

/* Leader: changes who belongs, all at once or not at all; at most one change per member. Returns
 * RAFT_CHANGE_STARTED, or the event that says why not (it has been counted): not leader, handing
 * over, own term not yet committed, another change not yet over, member unknown or known already,
 * not possible from its role, not caught up, too many, a quorum would be lost among those that
 * answer, window full. When started, an entry of wire_entry_size(wire_members_size(members->count))
 * bytes has been appended, and the configuration in it is in force; the owner writes
 * `members` into its log at raft_last_index. */
enum raft_event raft_change(raft *, const struct raft_change *changes, uint32_t count,
                            struct wire_members *members);

/* True: the joint configuration is committed, and its leader has to leave it: raft_leave appends an
 * entry in the same way as raft_change; false: not now (window full, handing over). */
bool raft_leave_due(const raft *);
bool raft_leave(raft *, struct wire_members *members);

/* The configuration in force, and the index of its entry (0: the first one). While that is above
 * raft_commit it may still be taken back, and whoever belonged before must be understood. Valid
 * until the next call. */
const struct wire_members *raft_members(const raft *, uint64_t *index);

/* What is sent to a witness needs terms only: bodies of entries, and a snapshot's bytes, may stay
 * behind. */
bool raft_is_witness(const raft *, uint16_t id);

/* ---- snapshots (§7) -------------------------------------------------------------------------- */

/* What a snapshot has to say of itself. */
struct raft_snapshot {
    uint64_t index; /* of the last entry that it covers */
    uint64_t term;  /* its term */
    uint64_t members_index;
    struct wire_members members; /* in force at `index` */
};

/* Describes a snapshot of the state at `index`, which is applied. False: index or configuration are
 * forgotten, so describe a snapshot when it begins. */
bool raft_snapshot_describe(const raft *, uint64_t index, struct raft_snapshot *snapshot);

/* A snapshot is durable here and may be offered to followers; an older one is ignored. */
void raft_snapshot_taken(raft *, const struct raft_snapshot *snapshot);

/* What SNAPSHOT messages offer. Valid until the next call. */
const struct raft_snapshot *raft_snapshot_of(const raft *);

/* Leader: after a SNAPSHOT message for `to` has come out of raft_ready, the owner streams the
 * snapshot and says how it ended: it is whole over there, or it has to be offered again, with the
 * next heartbeat. Without either nothing more is offered to that follower in this term. */
void raft_snapshot_sent(raft *, uint16_t to, uint64_t index);
void raft_snapshot_failed(raft *, uint16_t to);

enum raft_install {
    RAFT_INSTALL_REFUSED, /* not needed (any more): committed here already, or leader */
    RAFT_INSTALL_KEEPS,   /* the log behind it stays */
    RAFT_INSTALL_RESETS   /* nothing of the log stays: its next entry is snapshot->index + 1 */
};

/* A snapshot that was received is durable and whole. Unless refused, the owner replaces its state
 * machine by it, and what RESETS says of the log becomes durable, with a hard state of at least the
 * snapshot's term, before anything else that raft_ready gives. A term above ours is refused: the
 * SNAPSHOT message came first. */
enum raft_install raft_snapshot_installed(raft *, const struct raft_snapshot *snapshot);

/* ---- out ------------------------------------------------------------------------------------- */

struct raft_send {
    struct wire_raft message;
    uint64_t after_seq; /* 0: now; else held until that number is stored */
};

/* Work for the caller, in this order. */
struct raft_ready {
    /* persist under number `seq` given to raft_ready: hard state if changed, entries [first, last]
     * if any */
    bool hard_state_changed;
    bool must_persist; /* anything at all under `seq` */
    uint16_t vote;
    bool doubtful; /* of the hard state, as term and vote are */
    uint64_t term;
    uint64_t persist_first; /* 0: no entries; log is truncated from here on first */
    uint64_t persist_last;
    /* messages: an APPEND's entries are read from the log, and are in it already */
    const struct raft_send *send;
    uint32_t send_count;
    /* entries [commit_first, commit_last] are committed and stored here: apply them. 0: none */
    uint64_t commit_first;
    uint64_t commit_last;
    uint64_t wake_ns;     /* tick no later than this */
    bool more;            /* send was full: call again after sending */
    bool role_changed;    /* role or known leader, since the last ready; see raft_status */
    bool members_changed; /* the configuration in force, or whether it is committed: raft_members */
    bool snapshot_wanted; /* a follower waits, and no snapshot reaches the window: take one */
};

/* `seq` is the number that this persist will bear if ready->must_persist; it rises and never
 * repeats, over all groups that share a log. */
void raft_ready(raft *, uint64_t seq, struct raft_ready *ready);

/* True when raft_ready would have something to say. O(1). */
bool raft_dirty(const raft *);

/* ---- reads (thesis §6.4) --------------------------------------------------------------------- */

/* A linearizable read may look at the state machine once it has applied `index` and the ticket
 * is ready. `round` is fresh for each broadcast and never reused, so an old echo can confirm
 * nothing. */
struct raft_ticket {
    uint64_t term;  /* 0: a follower's */
    uint64_t index; /* a follower's: known once it is ready */
    uint64_t round; /* 0: confirmed already; a follower's: number of the question */
};

enum raft_ticket_state { RAFT_TICKET_WAIT, RAFT_TICKET_READY, RAFT_TICKET_LOST };

/* False: not leader, or no entry of this term is committed yet (§6.4 step 1). Tickets taken between
 * two raft_ready calls share one round. The read must have been received before the `now` of the
 * last raft_tick was: a lease says that at that moment there was no other leader, and nothing about
 * later. Without a tick since the last raft_ready, `now` is of a former turn: there is no lease by
 * it, and the read takes a round. */
bool raft_read(raft *, struct raft_ticket *ticket);

/* The same at a follower (§6.4, end), learners and witnesses included; false: it knows no leader.
 * It asks its leader, one question at a time for all tickets taken before it; the leader answers
 * with its commit index once it knows that it still led when it was asked. A question that stays
 * unanswered for an election time-out, or whose leader is gone, is asked again under a fresh nonce,
 * and the answer to the former one counts for nothing: it may be from before reads that have joined
 * since (etcd-io/etcd #20418). */
bool raft_read_follower(raft *, struct raft_ticket *ticket);

/* LOST: take another one, as a leader or from whoever leads now. */
enum raft_ticket_state raft_ticket_state(const raft *, struct raft_ticket *ticket);

/* ---- looks ----------------------------------------------------------------------------------- */

struct raft_member_status {
    uint16_t id;
    uint8_t progress; /* enum raft_progress; leader only, else 0 */
    uint8_t role;     /* enum wire_role */
    uint8_t old_role; /* in a joint configuration */
    uint64_t match;
    uint64_t next;
};

struct raft_status {
    uint8_t role;    /* enum raft_role */
    uint16_t leader; /* RAFT_NOBODY: unknown */
    uint16_t vote;
    uint32_t member_count;
    uint64_t term;
    uint64_t last_index;
    uint64_t stored;
    uint64_t commit;
    uint64_t applied;
    uint64_t lease_until_ns;   /* leader: 0 without */
    uint64_t term_start_index; /* leader: its first entry; reads and admissions wait for it */
    uint64_t members_index;    /* of the configuration in force */
    bool joint;
    bool doubtful;
    uint32_t full_copies; /* leader: voters, no witnesses, that have stored all that is committed */
    struct raft_member_status member[QUORUM_MEMBERS_MAX]; /* in force; ids ascend */
};

void raft_status(const raft *, struct raft_status *status);
uint64_t raft_term(const raft *);
uint64_t raft_last_index(const raft *);
uint64_t raft_commit(const raft *);
uint16_t raft_leader(const raft *); /* RAFT_NOBODY: unknown */
bool raft_is_leader(const raft *);
/* Leader, and an entry of its own term is applied: reads and exactly-once admission may start. */
bool raft_leader_ready(const raft *);
uint64_t raft_entry_term(const raft *, uint64_t index); /* 0: not in the window */
const uint64_t *raft_counters(const raft *); /* RAFT_EVENT_COUNT counters, by enum raft_event */

/* Every invariant of the paper's figure 3 that one member can see, in the paper's words; aborts by
 * ENSURE. O(entries_max): for the simulator and debug builds. */
void raft_check(const raft *);

#endif
