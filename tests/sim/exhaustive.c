#include "tests/sim/exhaustive.h"

#include "tests/sim/exhaustive_safety.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

static uint32_t *bound_named(struct exhaustive_bounds *bounds, const char *name, size_t length)
{
#define BOUND(known, standard)                                                                     \
    if (strlen(#known) == length && memcmp(#known, name, length) == 0)                             \
        return &bounds->known;
    EXHAUSTIVE_BOUNDS(BOUND)
#undef BOUND
    return NULL;
}

static bool parse(const char *list, struct exhaustive_bounds *bounds)
{
    for (const char *at = list; at != NULL && *at != '\0';) {
        const char *equals = strchr(at, '=');
        if (equals == NULL)
            return false;
        uint32_t *bound = bound_named(bounds, at, (size_t)(equals - at));
        char *end;
        unsigned long value = strtoul(equals + 1, &end, 10);
        if (bound == NULL || end == equals + 1 || (*end != ',' && *end != '\0') ||
            value > UINT32_MAX)
            return false;
        *bound = (uint32_t)value;
        at = *end == ',' ? end + 1 : end;
    }
    /* each leader appends a no-op, each change two configurations */
    return bounds->terms >= 1 && bounds->terms <= REFINE_TERMS_MAX && bounds->messages >= 1 &&
           bounds->messages <= EXHAUSTIVE_BAG_MAX && bounds->writes >= 1 &&
           bounds->writes < REFINE_IMAGES_MAX && bounds->timeouts <= 8 && bounds->beats <= 8 &&
           bounds->crashes <= 8 && bounds->duplicates <= 8 &&
           bounds->proposals <= REFINE_ENTRIES_MAX && bounds->changes <= 1 &&
           bounds->terms + bounds->proposals + 2 * bounds->changes <= REFINE_ENTRIES_MAX;
}

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_bounds(const struct exhaustive_bounds *bounds, const char *format)
{
    const char *comma = "";
#define BOUND(name, standard)                                                                      \
    (void)printf("%s", comma);                                                                     \
    (void)printf(format, #name, bounds->name);                                                     \
    comma = ",";
    EXHAUSTIVE_BOUNDS(BOUND)
#undef BOUND
}

int exhaustive_run(const char *list, bool json)
{
#define BOUND(name, standard) .name = (standard),
    struct exhaustive_bounds bounds = {EXHAUSTIVE_BOUNDS(BOUND)};
#undef BOUND
    if (!parse(list, &bounds)) {
        (void)fprintf(stderr, "quorate-sim: bound: '%s' is no list of bounds, or out of reach\n",
                      list);
        return EX_USAGE;
    }
    struct exhaustive_search_report report;
    double began = seconds();
    exhaustive_search(&bounds, stderr, &report);
    double took = seconds() - began;
    uint32_t violations = report.violation != NULL;
    if (json) {
        (void)printf("{\"states\":%" PRIu64 ",\"steps\":%" PRIu64
                     ",\"depth\":%u,\"member_states\":%" PRIu64 ",\"member_steps\":%" PRIu64
                     ",\"messages\":%" PRIu64 ",\"bytes\":%" PRIu64
                     ",\"seconds\":%.2f,\"complete\":%s,\"violations\":%u,\"bounds\":{",
                     report.states, report.steps, report.depth, report.member_states,
                     report.member_steps, report.messages, report.bytes, took,
                     report.given_up || violations != 0 ? "false" : "true", violations);
        print_bounds(&bounds, "\"%s\":%u");
        (void)printf("}}\n");
    } else {
        (void)printf("%" PRIu64 " states, %" PRIu64 " steps, depth %u; of members %" PRIu64
                     " states, %" PRIu64 " steps, %" PRIu64 " messages; %" PRIu64
                     " MiB, %.2f s: %s\nbounds: ",
                     report.states, report.steps, report.depth, report.member_states,
                     report.member_steps, report.messages, report.bytes >> 20, took,
                     violations != 0   ? report.violation
                     : report.given_up ? "given up"
                                       : "all, and no violation");
        print_bounds(&bounds, "%s=%u");
        (void)printf("\n");
    }
    return violations != 0 ? EX_SOFTWARE : report.given_up ? EX_TEMPFAIL : EX_OK;
}
