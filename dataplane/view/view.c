#include "dataplane/view/view.h"

#include "numa/base/assert.h"

/* liburcu 0.13 declares nothing but the flavour-neutral names without these two. _LGPL_SOURCE stays undefined:
 * the calls then go into the shared library and none of its code is compiled into ours. */
#define URCU_API_MAP
#define RCU_QSBR
#include <urcu/urcu-qsbr.h>

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

void view_thread_register(void)
{
    rcu_register_thread();
}

void view_thread_unregister(void)
{
    before_report();
    rcu_unregister_thread();
}

void view_quiescent(void)
{
    before_report();
    rcu_quiescent_state();
}

void view_offline(void)
{
    before_report();
    rcu_thread_offline();
}

void view_online(void)
{
    rcu_thread_online();
}

void view_synchronize(void)
{
    uint64_t epoch = __atomic_add_fetch(&epoch_started, 1, __ATOMIC_SEQ_CST);
    synchronize_rcu();
    after_grace_period();
    __atomic_store_n(&epoch_completed, epoch, __ATOMIC_RELEASE);
}

uint64_t view_epoch_started(void)
{
    /* A read-modify-write: what the owner unlinked before is seen by whoever starts the next period. */
    return __atomic_fetch_add(&epoch_started, 0, __ATOMIC_SEQ_CST);
}

uint64_t view_epoch_completed(void)
{
    return __atomic_load_n(&epoch_completed, __ATOMIC_ACQUIRE);
}
