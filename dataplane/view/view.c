#include "dataplane/view/view.h"

#include "numa/base/assert.h"

/* liburcu 0.13 declares nothing but the flavour-neutral names without these two. _LGPL_SOURCE
 * stays undefined: the calls then go into the shared library and none of its code is compiled
 * into ours. */
#define URCU_API_MAP
#define RCU_QSBR
#include <urcu/urcu-qsbr.h>

#include <pthread.h>
#include <time.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define VIEW_UNDER_TSAN 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define VIEW_UNDER_TSAN 1
#endif

/* One is current, one is next; publish waits before it touches the older. */
#define VIEW_VERSIONS 2u

struct view_cell {
    const struct view *current;
    uint32_t number; /* of the current one */
    struct view version[VIEW_VERSIONS];
};

#define LOOKS_BEFORE_NAP 128u
#define NAP_NS           20000
#define OFFLINE          0u

/* A polling core's place. */
struct core_place {
    CACHE_ALIGNED uint64_t
        reported; /* OFFLINE, or 1 + the last grace period that it knew to have started */
    bool taken;
};

static struct core_place places[VIEW_CORES_MAX];
static _Thread_local struct core_place *place; /* NULL: this thread is liburcu's */

static pthread_mutex_t synchronizing = PTHREAD_MUTEX_INITIALIZER;
static CACHE_ALIGNED uint64_t epoch_started;
static CACHE_ALIGNED uint64_t epoch_completed;

/* TSan does not see inside liburcu: these say what a grace period orders. */
#ifdef VIEW_UNDER_TSAN
#include <sanitizer/tsan_interface.h>

static char grace_period;

static void before_report(void)
{
    __tsan_release(&grace_period);
}

static void after_grace_period(void)
{
    __tsan_acquire(&grace_period);
}
#else
static void before_report(void)
{
}

static void after_grace_period(void)
{
}
#endif

size_t view_cell_footprint(void)
{
    return sizeof(struct view_cell);
}

struct view_cell *view_cell_init(void *memory, const struct view *first)
{
    struct view_cell *cell = memory;
    cell->version[0] = *first;
    cell->current = &cell->version[0];
    cell->number = 0;
    return cell;
}

void view_publish(struct view_cell *cell, const struct view *next)
{
    ENSURE(next->epoch > cell->current->epoch);
    cell->number = (cell->number + 1) % VIEW_VERSIONS;
    cell->version[cell->number] = *next;
    __atomic_store_n(&cell->current, &cell->version[cell->number], __ATOMIC_RELEASE);
    view_synchronize();
}

const struct view *view_read(const struct view_cell *cell)
{
    return __atomic_load_n(&cell->current, __ATOMIC_ACQUIRE);
}

const struct view_member *view_member_find(const struct view *view, uint16_t id)
{
    for (uint32_t i = 0; i < view->member_count && view->member[i].id <= id; i++)
        if (view->member[i].id == id)
            return &view->member[i];
    return NULL;
}

/* ---- polling cores --------------------------------------------------------------------------- */

/* On x86-64 an exchange is a full fence: what was read before is over, and what is read from here
 * on is as new as the grace period that `reported` names. */
static void report(uint64_t reported)
{
    (void)__atomic_exchange_n(&place->reported, reported, __ATOMIC_SEQ_CST);
}

void view_core_register(void)
{
    ENSURE(place == NULL);
    for (uint32_t i = 0; i < VIEW_CORES_MAX && place == NULL; i++)
        if (!__atomic_exchange_n(&places[i].taken, true, __ATOMIC_ACQ_REL))
            place = &places[i];
    ENSURE(place != NULL); /* VIEW_CORES_MAX is above what a plan can hold */
    view_online();
}

static bool holds_older(const struct core_place *core, uint64_t epoch)
{
    uint64_t reported = __atomic_load_n(&core->reported, __ATOMIC_ACQUIRE);
    return reported != OFFLINE && reported <= epoch;
}

/* Returns when no polling core holds a pointer from before this grace period. */
static void await_cores(uint64_t epoch)
{
    for (uint32_t i = 0; i < VIEW_CORES_MAX; i++) {
        struct timespec nap = {.tv_nsec = NAP_NS};
        for (uint32_t looks = 0; holds_older(&places[i], epoch); looks++)
            if (looks >= LOOKS_BEFORE_NAP)
                (void)nanosleep(&nap, NULL);
    }
}

/* ---- readers --------------------------------------------------------------------------------- */

void view_thread_register(void)
{
    rcu_register_thread();
}

void view_thread_unregister(void)
{
    if (place == NULL) {
        before_report();
        rcu_unregister_thread();
        return;
    }
    report(OFFLINE);
    __atomic_store_n(&place->taken, false, __ATOMIC_RELEASE);
    place = NULL;
}

void view_quiescent(void)
{
    if (place == NULL) {
        before_report();
        rcu_quiescent_state();
        return;
    }
    uint64_t started = __atomic_load_n(&epoch_started, __ATOMIC_ACQUIRE);
    if (started + 1 != place->reported)
        report(started + 1);
}

void view_offline(void)
{
    if (place != NULL) {
        report(OFFLINE);
        return;
    }
    before_report();
    rcu_thread_offline();
}

void view_online(void)
{
    if (place != NULL)
        report(__atomic_load_n(&epoch_started, __ATOMIC_ACQUIRE) + 1);
    else
        rcu_thread_online();
}

void view_synchronize(void)
{
    (void)pthread_mutex_lock(&synchronizing);
    uint64_t epoch = __atomic_add_fetch(&epoch_started, 1, __ATOMIC_SEQ_CST);
    await_cores(epoch);
    synchronize_rcu();
    after_grace_period();
    __atomic_store_n(&epoch_completed, epoch, __ATOMIC_RELEASE);
    (void)pthread_mutex_unlock(&synchronizing);
}

uint64_t view_epoch_started(void)
{
    /* A full fence, on a line of our own: what the owner unlinked before is seen by whoever starts
     * the next period. */
    static _Thread_local uint64_t fence;
    (void)__atomic_exchange_n(&fence, 1, __ATOMIC_SEQ_CST);
    return __atomic_load_n(&epoch_started, __ATOMIC_SEQ_CST);
}

uint64_t view_epoch_completed(void)
{
    return __atomic_load_n(&epoch_completed, __ATOMIC_ACQUIRE);
}
