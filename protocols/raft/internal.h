/* internal.h: what the chapters of one Raft machine share. Nobody outside of this folder includes
 * it.
 *
 * Shape: one struct, one flat region, offsets instead of pointers: a copy of the region is a copy
 *   of the machine. Each chapter owns a part of the state and is alone in writing it:
 *
 *     raft.c       init, step dispatch, ready           log.c      the window of terms and sizes
 *     vote.c       term, vote, role                     commit.c   stored, commit, applied
 *     append.c     what a follower owes its leader      lease.c    rounds, quorum contact, lease
 *     replicate.c  what the leader knows of followers   read.c     tickets, questions
 *     members.c    the configuration in force, slots    snapshot.c what can be offered
 *     change.c     how it is changed, who has caught up doubt.c    what may be lost, until when
 *     pace.c       every timer                          check.c    the invariants
 *
 * Memory, threads, time, limits, refusals, cost: raft.h.
 */
#ifndef PROTOCOLS_RAFT_INTERNAL_H
#define PROTOCOLS_RAFT_INTERNAL_H

#include "numa/base/assert.h"
#include "numa/base/layout.h"
#include "numa/base/random.h"
#include "protocols/raft/mutants.h"
#include "protocols/raft/raft.h"

#define RAFT_NO_POSITION QUORUM_MEMBERS_MAX
/* Answers queued between two readies; the rest of the send array is for what ready itself adds. */
#define RAFT_ANSWERS_MAX (RAFT_SEND_MAX / 2u)
/* Persists under way that are told apart; when there are more, the newest two are waited for as
 * one. */
#define RAFT_PERSISTS_MAX 64u
/* Send times remembered, one per 1/32 of an election time-out: older echoes could extend
 * nothing. */
#define RAFT_ROUND_TIMES_MAX         64u
#define RAFT_ROUND_TIMES_PER_TIMEOUT 32u
/* after_seq of an answer in the outbox that must wait for the hard state; ready puts the number
 * in. */
#define RAFT_HELD UINT64_MAX

/* One entry of the window. `sum` counts the bytes of all entries up to and including this one. */
struct raft_record {
    uint64_t term;
    uint64_t sum;
};

/* One unanswered APPEND with entries. */
struct raft_flight {
    uint64_t last;
    uint64_t bytes;
};

/* What the leader knows about one follower, beside match and echo. */
struct raft_follower {
    uint64_t next;        /* first entry to send next                                          */
    uint64_t sent_round;  /* round of the last APPEND                                          */
    uint64_t since_round; /* rejections of APPENDs of earlier rounds are outdated              */
    uint64_t void_round;  /* whatever answers APPENDs of earlier rounds counts for nothing     */
    uint64_t flight_bytes;
    uint32_t flight_head;
    uint32_t flight_count;
    uint8_t progress; /* enum raft_progress */
    uint8_t priority; /* as it said last; 0 in doubt, for it would not obey */
    bool probe_sent;
};

struct raft_persist {
    uint64_t seq;
    uint64_t last; /* entries up to here are durable once seq is */
    uint64_t since_ns;
};

/* The newest question of one follower: up to where must its reads see? */
struct raft_question {
    uint64_t nonce;
    uint64_t round; /* 0: it is confirmed */
};

struct raft_round_time {
    uint64_t round;
    uint64_t sent_ns;
};

/* A configuration and the index of the entry that holds it. */
struct raft_force {
    uint64_t index;
    struct wire_members members;
};

/* What a follower owes its leader; burst by burst, one acknowledgement at most. */
struct raft_owed {
    uint64_t matched;      /* our log equals the leader's up to here: verified in this term       */
    uint64_t acknowledged; /* the highest match that a reply (held or not) has named              */
    uint64_t round;        /* highest seen in this term                                           */
    uint64_t reject_round;
    uint64_t reject_index; /* hint */
    uint64_t reject_term;
    uint16_t to;
    bool reply; /* an APPEND came                                                                */
    bool echo;  /* one of them brought nothing new: its echo does not wait for entries           */
    bool reject;
};

struct raft {
    struct raft_config config;
    struct random_state random;
    size_t records_offset;
    size_t flights_offset;
    size_t sends_offset;
    uint64_t counter[RAFT_EVENT_COUNT];

    /* members.c: each member, and this one whether it is one or not, has a slot for as long as it
     * belongs; sets and positions are of slots */
    uint32_t self;
    uint32_t slot_count; /* above the last one in use */
    member_set slots;    /* in use */
    struct quorum_rule rule;
    member_set electable; /* voters with a full copy, of either half: these may lead */
    member_set heirs;     /* of the configuration that comes */
    member_set learners;
    member_set witnesses;
    bool former_voter; /* this one could lead under the former configuration */
    bool leaving; /* leads, and its own configuration does without it: steps down once committed */
    bool members_changed; /* since the last ready */
    /* commit index at which ready says that they are committed; UINT64_MAX: it has said so */
    uint64_t members_untold;
    uint16_t slot_id[QUORUM_MEMBERS_MAX];

    /* vote.c */
    uint64_t term;
    uint16_t vote;
    uint16_t leader;
    uint8_t role;
    bool hard_dirty;   /* term or vote not yet handed to persist                                  */
    bool role_changed; /* or the known leader, since the last ready                               */
    bool campaign_transfer;
    member_set votes;
    member_set refusals; /* of this campaign, for good */
    member_set requests_due;
    uint64_t campaign; /* numbers every campaign, pre-votes included */
    uint64_t term_start;

    /* log.c: entry `base` and what is before it are forgotten but for the term and sum of `base` */
    uint64_t base;
    uint64_t base_term;
    uint64_t base_sum;
    uint64_t last;
    uint64_t last_sum;
    uint64_t persist_next; /* first entry not yet handed to persist                               */

    /* commit.c */
    uint64_t stored;
    uint64_t commit;
    uint64_t delivered; /* commit span handed out up to here */
    uint64_t applied;
    uint64_t seq_stored;
    uint64_t seq_last; /* of the last persist                                                     */
    uint64_t seq_hard; /* of the last persist with a hard state                                   */
    uint32_t persist_head;
    uint32_t persist_count;
    struct raft_persist persist[RAFT_PERSISTS_MAX];

    /* append.c */
    struct raft_owed owed;

    /* replicate.c */
    bool appends_due;
    uint32_t send_cursor;
    uint32_t transferee; /* RAFT_NO_POSITION: none */
    bool timeout_now_sent;
    uint32_t successor; /* the voter that should rather lead; RAFT_NO_POSITION: none */
    uint64_t successor_since_ns;
    uint64_t successor_echo;            /* at the last heartbeat */
    bool match_voided;                  /* in this term a follower has lost what it had confirmed */
    uint64_t match[QUORUM_MEMBERS_MAX]; /* own: stored */
    struct raft_follower follower[QUORUM_MEMBERS_MAX];

    /* lease.c */
    uint64_t round;
    uint64_t round_wanted; /* every follower must be sent a round of at least this                */
    uint64_t round_confirmed;
    uint64_t contact_ns; /* send time of the newest confirmed round; election before the first    */
    uint64_t lease_until_ns;
    uint32_t round_time_count; /* ever noted in this term */
    bool round_open;           /* this ready has drawn its round                                  */
    bool lease_spoiled;        /* leadership was offered away in this term                        */
    uint64_t echo[QUORUM_MEMBERS_MAX];
    struct raft_round_time round_time[RAFT_ROUND_TIMES_MAX];

    /* read.c; a follower's tickets bear the number of the question that will be asked for them */
    bool ask_wanted;       /* tickets wait for the next question */
    uint64_t ask_nonce;    /* of the question that is asked now; 0: none */
    uint64_t ask_number;   /* of the last question */
    uint64_t ask_answered; /* highest number that has been answered */
    uint64_t ask_index;    /* with this */
    uint64_t ask_again_ns;
    member_set asking; /* leader: whose question waits for an entry of this term to be committed */
    member_set asked;  /* leader: whose question waits for its round */

    /* doubt.c */
    bool doubtful;
    uint64_t doubt_term; /* in which a leader has said where doubt ends; 0: none */
    uint64_t doubt_index;

    /* pace.c */
    uint64_t now_ns;
    bool ticked;     /* since the last ready: now_ns is of this turn */
    bool write_hung; /* leads, and steps down because of its disk */
    uint64_t wake_ns;
    uint64_t heard_ns; /* last word of this term's leader; votes are refused for a while after it */
    uint64_t timeout_ns;
    uint64_t election_at_ns;
    uint64_t beat_at_ns; /* leader: heartbeat; candidate: ask again */
    uint64_t transfer_until_ns;
    uint32_t campaigns_lost;
    bool stall_forgiven;

    /* the outbox: answers from step, completed and handed out by ready */
    uint32_t send_count;
    bool send_taken;

    /* large and seldom looked at: members.c, change.c, snapshot.c */
    struct raft_force force;
    struct raft_force former; /* what truncation falls back to; its entry is committed */
    uint64_t caught_up_ns[QUORUM_MEMBERS_MAX]; /* learner: since when; 0: it has not             */
    struct raft_snapshot snapshot;             /* index 0: none */
    bool snapshot_wanted;
    struct raft_question question[QUORUM_MEMBERS_MAX];
    const struct wire_members *brought; /* with this step; NULL outside of it */
    uint32_t brought_count;
};

static inline void raft_count(raft *r, enum raft_event event)
{
    r->counter[event]++;
}

static inline struct raft_record *raft_records(const raft *r)
{
    return (struct raft_record *)((uintptr_t)r + r->records_offset);
}

static inline struct raft_flight *raft_flights(const raft *r, uint32_t position)
{
    return (struct raft_flight *)((uintptr_t)r + r->flights_offset) +
           (size_t)position * r->config.inflight_messages_max;
}

static inline struct raft_send *raft_sends(const raft *r)
{
    return (struct raft_send *)((uintptr_t)r + r->sends_offset);
}

static inline bool raft_role_votes(uint8_t role)
{
    return role == WIRE_ROLE_VOTER || role == WIRE_ROLE_WITNESS;
}

static inline member_set raft_bit(uint32_t position)
{
    return (member_set)1 << position;
}

/* ---- raft.c */

/* Room must have been looked at. A message of this kind, in our term. */
struct raft_send *raft_send_add(raft *r, uint8_t kind, uint16_t to, uint64_t after_seq);
/* Entries that a leader may append now. */
uint32_t raft_proposal_room(const raft *r);

/* ---- members.c */

/* Slot of a member; RAFT_NO_POSITION: a stranger. */
static inline uint32_t raft_position(const raft *r, uint16_t id)
{
    for (uint32_t i = 0; i < r->slot_count; i++)
        if (r->slot_id[i] == id)
            return LIKELY(id != RAFT_NOBODY) ? i : RAFT_NO_POSITION;
    return RAFT_NO_POSITION;
}
/* In force without anything before it: at init, and with a snapshot. */
void raft_members_settle(raft *r, const struct wire_members *members, uint64_t index);
/* Its entry has been appended at `index`. */
void raft_members_enter(raft *r, const struct wire_members *members, uint64_t index);
/* Entries behind `last` are gone. */
void raft_members_truncated(raft *r, uint64_t last);
/* False: there would be no slot for everybody. */
bool raft_members_fit(const raft *r, const struct wire_members *members);
/* Seats whoever is in force and counts them by their roles. */
void raft_members_seat(raft *r);
/* Quorums of a configuration, as far as its members are seated. */
struct quorum_rule raft_members_rule(const raft *r, const struct wire_members *members);
static inline member_set raft_voters(const raft *r)
{
    return r->rule.incoming | r->rule.outgoing;
}
static inline bool raft_belongs(const raft *r)
{
    return (r->electable & raft_bit(r->self)) != 0;
}
/* §4.2.2: while the configuration without it is not committed, whoever has that entry may be the
 * only one who can win an election. Its own vote does not count. */
static inline bool raft_may_lead(const raft *r)
{
    return raft_belongs(r) || (r->former_voter && r->force.index > r->commit);
}
/* The configuration without this leader is committed; or its disk hangs. */
static inline bool raft_must_resign(const raft *r)
{
    return UNLIKELY(r->leaving | r->write_hung) && r->role == RAFT_LEADER &&
           (r->write_hung || r->commit >= r->force.index);
}
static inline bool raft_members_due(const raft *r)
{
    return r->members_changed || r->commit >= r->members_untold;
}

/* ---- change.c */

void raft_change_observe(raft *r); /* leader, at every heartbeat: who has caught up */
bool raft_change_close_behind(const raft *r, uint32_t position);

/* ---- snapshot.c */

void raft_snapshot_receive(raft *r, struct raft_input *input);

/* ---- vote.c */

void raft_vote_request(raft *r, const struct wire_raft *request);
void raft_vote_reply(raft *r, const struct wire_raft *reply, uint32_t from);
void raft_vote_timeout_now(raft *r, const struct wire_raft *message);
/* Follower of `leader` (RAFT_NOBODY: unknown) in `term` >= ours. */
void raft_vote_follow(raft *r, uint64_t term, uint16_t leader);
/* The election time-out has passed. */
void raft_vote_timed_out(raft *r);
/* The hard state has become durable: our own vote counts now. */
void raft_vote_stored(raft *r);
/* Requests and answers may be lost: whoever has not answered is asked again. */
void raft_vote_ask_again(raft *r);
/* Adds the vote requests that are due, as many as there is room for. */
void raft_vote_send(raft *r);
/* Leader that belongs no longer: offers its office to whoever is ready, and leaves it. */
void raft_vote_resign(raft *r);

/* ---- log.c */

/* 0: the window does not know. */
uint64_t raft_log_term(const raft *r, uint64_t index);
/* Bytes of all entries up to `index`, base <= index <= last. */
uint64_t raft_log_sum(const raft *r, uint64_t index);
/* Entries that may follow `last`, if the log were that long. */
uint64_t raft_log_room(const raft *r, uint64_t last);
static inline struct raft_record *raft_record_of(const raft *r, uint64_t index)
{
    return &raft_records(r)[index & (r->config.entries_max - 1u)];
}
/* Follows `last`; the window has been slid. The only work that is done per entry. */
static inline void raft_log_append(raft *r, uint64_t term, uint32_t bytes)
{
    r->last++;
    r->last_sum += bytes;
    *raft_record_of(r, r->last) = (struct raft_record){.term = term, .sum = r->last_sum};
}
/* The log begins behind `index`, of this term; what lies behind it stays or goes. */
void raft_log_restart(raft *r, uint64_t index, uint64_t term, bool keep);
/* Makes sure that the window can take entries up to `last`, by forgetting the oldest. */
void raft_log_slide(raft *r, uint64_t last);
/* Drops what is behind `last`. */
void raft_log_truncate(raft *r, uint64_t last);
/* Largest index, not above `index`, of an entry whose term is not above `term`: two logs whose
 * entries at and before differ can agree no later than there (§5.3). base - 1: before what the
 * window knows. */
uint64_t raft_log_agreement(const raft *r, uint64_t index, uint64_t term);
/* How many entries from `first` on fit into `bytes_max` and `count_max`; their bytes. */
uint32_t raft_log_fit(const raft *r, uint64_t first, uint32_t count_max, uint64_t bytes_max,
                      uint64_t *bytes);

/* ---- append.c */

void raft_append_receive(raft *r, struct raft_input *input);
/* Heeds the leader of this term; false: it is none. */
bool raft_append_heed(raft *r, const struct wire_raft *message);
void raft_append_send_owed(raft *r); /* follower's part of ready */

/* ---- replicate.c */

void raft_replicate_lead(raft *r); /* elected: forget what was known of followers */
void raft_replicate_welcome(raft *r, uint32_t position); /* a slot has a new member */
void raft_replicate_reply(raft *r, const struct wire_raft *reply, uint32_t from);
void raft_replicate_void(raft *r, uint32_t position); /* it has lost what it had confirmed */
void raft_replicate_send(raft *r);                    /* leader's part of ready */
void raft_replicate_prefer(raft *r); /* leader, at every heartbeat: should another one lead? */

/* ---- commit.c */

void raft_commit_count(raft *r);                         /* leader: a match has moved             */
void raft_commit_learn(raft *r, uint64_t leader_commit); /* follower                             */
void raft_commit_persist(raft *r, uint64_t seq, struct raft_ready *ready);
void raft_commit_deliver(raft *r, struct raft_ready *ready);
void raft_commit_truncated(raft *r, uint64_t last);
/* All up to `index` is applied and durable, as a snapshot; without `keep` nothing is behind it. */
void raft_commit_installed(raft *r, uint64_t index, bool keep);
/* Numbers to wait for: 0 when it is stored already. What is asked for has been handed to
 * persist. */
uint64_t raft_commit_seq_of_hard_state(const raft *r);
uint64_t raft_commit_seq_of_entry(const raft *r, uint64_t index);
static inline uint64_t raft_commit_deliverable(const raft *r)
{
    return min_u64(r->commit, r->stored);
}

/* ---- lease.c */

void raft_lease_begin(raft *r);      /* elected                                              */
void raft_lease_end(raft *r);        /* no longer leader                                     */
void raft_lease_spoil(raft *r);      /* leadership is offered away                           */
void raft_lease_want_round(raft *r); /* the next ready sends a new round to everybody        */
void raft_lease_open_round(raft *r); /* the round of this ready                              */
void raft_lease_echo(raft *r, uint32_t position, uint64_t round);
void raft_lease_recount(raft *r); /* who makes a quorum has changed                      */
/* The member has answered something that was sent within an election time-out. */
bool raft_lease_answers(const raft *r, uint32_t position);
bool raft_lease_holds(const raft *r); /* no other leader can exist at `now`                   */

/* ---- read.c */

void raft_read_question(raft *r, const struct wire_raft *question, uint32_t from);
void raft_read_answer(raft *r, const struct wire_raft *answer);
void raft_read_ask(raft *r);   /* follower's part of ready */
void raft_read_reply(raft *r); /* leader's part of ready */
void raft_read_heard(raft *r); /* from the leader: an answer may be overdue */
void raft_read_leader_changed(raft *r);
void raft_read_seen_off(raft *r, uint32_t position); /* a slot is empty */
bool raft_read_due(const raft *r);                   /* ready has something to ask or to answer */

/* ---- doubt.c */

bool raft_doubt_asks(const raft *r); /* its leader has not yet said where doubt ends */
void raft_doubt_answered(raft *r, uint64_t index);
bool raft_doubt_over(const raft *r);
void raft_doubt_end(raft *r);

/* ---- pace.c */

void raft_pace_init(raft *r);
void raft_pace_heard(raft *r);    /* from the leader of this term                      */
void raft_pace_voted(raft *r);    /* granted: give the candidate its time              */
void raft_pace_lead(raft *r);     /* elected                                           */
void raft_pace_campaign(raft *r); /* a campaign starts                                 */
void raft_pace_wait(raft *r);     /* no leader, and no campaign of ours                */
void raft_pace_follow(raft *r, bool was_leader);
void raft_pace_transfer(raft *r);           /* a hand-over starts                                */
bool raft_pace_leader_lives(const raft *r); /* votes must be refused                          */
void raft_pace_forget(raft *r);             /* ... no longer                                  */
bool raft_pace_hung(const raft *r);         /* the oldest write is older than it may be       */

#endif
