#include "protocols/client/machine.h"

#define DOUBLINGS_MAX    16u
#define TIMEOUTS_TO_SKIP 2u /* one lost datagram is no reason to leave a leader */
#define SMOOTHING        8u

void client_pace_init(client *c)
{
    c->suspect = WIRE_NODE_CLIENT;
    c->leader = WIRE_NODE_CLIENT;
    c->retry_ns = c->config.retry_ns;
    c->busy_ns = c->config.retry_ns;
}

/* Up to a quarter more, so that clients which failed together do not come back together. */
static uint64_t jittered(client *c, uint64_t ns)
{
    return ns + random_below(&c->random, ns / 4 + 1);
}

static uint64_t base_retry_ns(const client *c)
{
    return min_u64(max_u64(c->config.retry_ns, 2 * c->round_trip_ns), c->config.retry_max_ns);
}

static void back_off(client *c)
{
    uint32_t doublings = c->timeouts + c->skips / c->config.target_count;
    uint64_t ns = base_retry_ns(c) << min_u32(doublings, DOUBLINGS_MAX);
    c->retry_ns = jittered(c, min_u64(ns, c->config.retry_max_ns));
}

static void pause(client *c, uint64_t ns, uint64_t now_ns)
{
    c->pause_until_ns = now_ns + jittered(c, ns);
}

static void set_target(client *c, uint32_t index)
{
    c->current = (uint16_t)index;
    c->confirmed = false;
    c->timeouts = 0;
    /* What is under way to another, or has got there in part, is sent here as well. */
    c->cut_slot = SLOT_NONE;
    while (!list_empty(&c->flight))
        client_slot_resend(c, c->flight.head);
}

static void next_target(client *c)
{
    set_target(c, (c->current + 1u) % c->config.target_count);
}

static void skip_silent_target(client *c)
{
    c->suspect = current_target(c);
    c->skips++;
    c->counter[CLIENT_TARGET_SKIPPED]++;
    next_target(c);
}

static bool resend_due(client *c, uint64_t now_ns)
{
    bool any = false;
    while (!list_empty(&c->flight) && now_ns >= c->slot[c->flight.head].sent_ns + c->retry_ns) {
        client_slot_resend(c, c->flight.head);
        any = true;
    }
    return any;
}

void client_pace_collect_due(client *c, uint64_t now_ns)
{
    if (!resend_due(c, now_ns))
        return;
    c->timeouts++;
    if (!c->config.fixed_target && (!c->confirmed || c->timeouts >= TIMEOUTS_TO_SKIP))
        skip_silent_target(c);
    else if (c->timeouts >= TIMEOUTS_TO_SKIP)
        c->confirmed = false;
    back_off(c);
    (void)resend_due(c, now_ns); /* the time-out may have become shorter */
}

void client_pace_answered(client *c, const struct slot *slot, uint64_t now_ns)
{
    c->confirmed = true;
    c->leader = current_target(c);
    c->suspect = WIRE_NODE_CLIENT;
    c->hops = 0;
    c->skips = 0;
    c->timeouts = 0;
    c->unauthorized = false;
    c->busy_ns = c->config.retry_ns;
    /* An answer to a retry may belong to the first attempt, so it tells nothing about the round
     * trip, and the longer time-out stays (Karn and Partridge, 1987). */
    if (slot->attempts != 1)
        return;
    uint64_t sample = now_ns - slot->sent_ns;
    c->round_trip_ns = (c->round_trip_ns * (SMOOTHING - 1) + sample) / SMOOTHING;
    c->retry_ns = base_retry_ns(c);
}

void client_pace_busy(client *c, uint64_t now_ns)
{
    c->counter[CLIENT_BUSY]++;
    c->timeouts = 0;
    pause(c, c->busy_ns, now_ns);
    c->busy_ns = min_u64(2 * c->busy_ns, c->config.retry_max_ns);
}

/* Index of a target; target_count: not one of ours. */
static uint32_t find_target(const client *c, uint16_t id)
{
    uint32_t i = 0;
    while (i < c->config.target_count && c->config.target[i] != id)
        i++;
    return i;
}

void client_pace_redirect(client *c, uint16_t leader, uint64_t now_ns)
{
    uint32_t index = leader == c->suspect ? c->config.target_count : find_target(c, leader);
    c->leader = leader;
    c->timeouts = 0;
    c->confirmed = false;
    c->hops++;
    if (c->config.fixed_target) {
        pause(c, c->config.retry_ns, now_ns);
        return;
    }
    if (index == c->config.target_count) {
        next_target(c);
        pause(c, c->config.retry_ns, now_ns);
        return;
    }
    if (index != c->current) {
        c->counter[CLIENT_REDIRECTED]++;
        set_target(c, index);
    }
    /* Members that point at each other must not make a storm. */
    if (c->hops > c->config.target_count)
        pause(c, c->config.retry_ns, now_ns);
}
