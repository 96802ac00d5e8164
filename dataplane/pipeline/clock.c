#include "dataplane/pipeline/clock.h"

#include <time.h>

void clock_read(void *domain, struct clock_sample *sample)
{
    struct timespec raw, wall;
    (void)domain;
    (void)clock_gettime(CLOCK_MONOTONIC_RAW, &raw);
    (void)clock_gettime(CLOCK_REALTIME_COARSE, &wall);
    sample->now_ns = (uint64_t)raw.tv_sec * 1000000000u + (uint64_t)raw.tv_nsec;
    sample->wall_ms = (uint64_t)wall.tv_sec * 1000u + (uint64_t)wall.tv_nsec / 1000000u;
}
