/* core.c: the loop of a polling core. */
#include "dataplane/node/internal.h"

#include "numa/base/guard.h"

#include <sched.h>
#include <time.h>

#define SPINS_BEFORE_YIELD 64u
#define SLEEP_AFTER_TURNS  2000u
#define SLEEP_NS           50000

static uint32_t poll_seat(struct seat *seat)
{
    if (seat->rooms == ALL_ROOMS)
        return lane_poll(seat->lane);
    uint32_t work = 0;
    for (uint32_t room = 0; room < ROOM_COUNT; room++)
        if ((seat->rooms >> room & 1) != 0)
            work += lane_room_poll(seat->lane, (enum lane_room)room);
    return work;
}

/* Lanes of several replicas on one core talk to each other. While they say little, whoever spoke
 * before is asked again as soon as another has: a leader hears of its majority without waiting for
 * the rest. When they say much, turns are for bursts. */
#define FEW_ITEMS 12u

static uint32_t poll_seats(struct core *core)
{
    uint32_t work = 0;
    uint32_t count = atomic_load_explicit(&core->seat_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        struct seat *seat = &core->seat[i];
        uint32_t state = atomic_load_explicit(&seat->state, memory_order_acquire);
        if (UNLIKELY(state != SEAT_POLLED)) {
            if (state == SEAT_LEAVING)
                atomic_store_explicit(&seat->state, SEAT_LEFT, memory_order_release);
            continue;
        }
        uint32_t found = poll_seat(seat);
        if (found == 0)
            continue;
        work += found;
        struct seat *before = core->speaker;
        core->speaker = seat;
        if (before != NULL && before != seat && found <= FEW_ITEMS &&
            atomic_load_explicit(&before->state, memory_order_acquire) == SEAT_POLLED)
            work += poll_seat(before);
    }
    return work;
}

/* Logs whose writers sleep over what this core has begun: now there is time for the system call. */
static void wake_writers(struct core *core)
{
    uint32_t count = atomic_load_explicit(&core->seat_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        struct seat *seat = &core->seat[i];
        if (atomic_load_explicit(&seat->state, memory_order_acquire) == SEAT_POLLED &&
            seat->log != NULL)
            wal_file_wake(seat->log);
    }
}

/* A core that is shared must let go at once; an own core may spin, but not for ever beside somebody
 * else. */
static void rest(struct core *core, uint32_t idle_turns)
{
    if (core->idle == IDLE_SPIN)
        return;
    if (core->idle == IDLE_SLEEP && idle_turns > SLEEP_AFTER_TURNS) {
        struct timespec pause = {.tv_nsec = SLEEP_NS};
        view_offline();
        (void)nanosleep(&pause, NULL);
        view_online();
        return;
    }
    if (core->yields || idle_turns > SPINS_BEFORE_YIELD)
        (void)sched_yield();
}

int core_run(void *argument)
{
    struct core *core = argument;
    (void)pthread_getcpuclockid(pthread_self(), &core->cpu_clock);
    view_core_register();
    atomic_store_explicit(&core->running, true, memory_order_release);
    uint32_t idle_turns = 0;
    guard_polling_begin();
    while (!atomic_load_explicit(&core->stop, memory_order_relaxed)) {
        uint32_t work = poll_seats(core);
        view_quiescent();
        if (work != 0) {
            idle_turns = 0;
            continue;
        }
        guard_polling_end();
        wake_writers(core);
        rest(core, ++idle_turns);
        guard_polling_begin();
    }
    guard_polling_end();
    view_thread_unregister();
    atomic_store_explicit(&core->running, false, memory_order_release);
    return 0;
}

int core_run_client(void *argument)
{
    struct core *core = argument;
    (void)pthread_getcpuclockid(pthread_self(), &core->cpu_clock);
    view_core_register();
    int result = core->client(core->client_argument);
    view_thread_unregister();
    return result;
}

void core_seat_add(struct core *core, struct lane *lane, uint32_t rooms, struct wal_file *log)
{
    uint32_t count = atomic_load_explicit(&core->seat_count, memory_order_relaxed);
    uint32_t i = 0;
    while (i < count &&
           atomic_load_explicit(&core->seat[i].state, memory_order_relaxed) != SEAT_FREE)
        i++;
    ENSURE(i < CORE_SEATS_MAX);
    core->seat[i].lane = lane;
    core->seat[i].rooms = rooms;
    core->seat[i].log = log;
    atomic_store_explicit(&core->seat[i].state, SEAT_POLLED, memory_order_release);
    if (i == count)
        atomic_store_explicit(&core->seat_count, count + 1, memory_order_release);
}

void core_seat_leave(struct core *core, const struct lane *lane)
{
    uint32_t count = atomic_load_explicit(&core->seat_count, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        struct seat *seat = &core->seat[i];
        if (seat->lane != lane || atomic_load(&seat->state) != SEAT_POLLED)
            continue;
        atomic_store_explicit(&seat->state, SEAT_LEAVING, memory_order_release);
        while (atomic_load_explicit(&core->running, memory_order_acquire) &&
               atomic_load_explicit(&seat->state, memory_order_acquire) != SEAT_LEFT)
            (void)sched_yield();
        seat->lane = NULL;
        atomic_store_explicit(&seat->state, SEAT_FREE, memory_order_release);
    }
}
