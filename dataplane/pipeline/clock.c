#include "dataplane/pipeline/clock.h"

#include "numa/base/bits.h"

#include <cpuid.h>
#include <time.h>
#include <x86intrin.h>

#define ANCHOR_NS          UINT64_C(1000000)
#define STRETCH_NS_MAX     (ANCHOR_NS * 256)
#define READING_NS_MAX     UINT64_C(300) /* an anchor that took longer was interrupted */
#define CPUID_POWER        0x80000007u
#define CPUID_TSC_CONSTANT (1u << 8)

static uint64_t raw_ns(void)
{
    struct timespec raw;
    (void)clock_gettime(CLOCK_MONOTONIC_RAW, &raw);
    return (uint64_t)raw.tv_sec * 1000000000u + (uint64_t)raw.tv_nsec;
}

/* Not before the loads that came before it. */
static uint64_t ticks_now(void)
{
    _mm_lfence();
    return __rdtsc();
}

static bool counter_is_trusted(void)
{
    unsigned a, b, c, d = 0;
    return __get_cpuid(CPUID_POWER, &a, &b, &c, &d) != 0 && (d & CPUID_TSC_CONSTANT) != 0;
}

/* How many nanoseconds a tick took since the last anchor; 0: can not be told. A shorter stretch
 * would be too coarse. */
static uint64_t rate_of(uint64_t ns, uint64_t ticks)
{
    if (ns < ANCHOR_NS || ns > STRETCH_NS_MAX || ticks == 0 || ticks >> 32 != 0)
        return 0;
    return (ns << 32) / ticks;
}

/* Asks the kernel, and decides how far the counter is to be believed from here. */
static void anchor(struct clock_sample *sample)
{
    struct timespec wall;
    uint64_t before = ticks_now();
    uint64_t now_ns = raw_ns();
    uint64_t ticks = ticks_now();
    (void)clock_gettime(CLOCK_REALTIME_COARSE, &wall);
    sample->wall_ms = (uint64_t)wall.tv_sec * 1000u + (uint64_t)wall.tv_nsec / 1000000u;
    sample->now_ns = max_u64(sample->now_ns, now_ns);
    if (sample->anchor_ticks == 0) /* a privileged instruction under some hypervisors: once */
        sample->trusted = counter_is_trusted();
    else if (sample->span_ticks == 0 && now_ns - sample->anchor_ns < ANCHOR_NS)
        return; /* the first stretch is not over yet */
    uint64_t rate = rate_of(now_ns - sample->anchor_ns, ticks - sample->anchor_ticks);
    bool whole = rate != 0 && (ticks - before) * rate >> 32 <= READING_NS_MAX;
    sample->span_ticks = sample->trusted && whole ? (ANCHOR_NS << 32) / rate : 0;
    sample->rate = rate;
    sample->anchor_ticks = ticks;
    sample->anchor_ns = now_ns;
}

void clock_read(void *domain, struct clock_sample *sample)
{
    (void)domain;
    uint64_t ticks = ticks_now() - sample->anchor_ticks;
    if (LIKELY(ticks < sample->span_ticks)) {
        uint64_t now_ns = sample->anchor_ns + (ticks * sample->rate >> 32);
        sample->now_ns = max_u64(sample->now_ns, now_ns);
        return;
    }
    anchor(sample);
}
