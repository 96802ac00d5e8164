#include "bench/option.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* NOLINTBEGIN(concurrency-mt-unsafe): options are read before there is a second thread */

#define SECONDS_MAX     86400.0
#define DURATION_NS_MAX UINT64_C(3600000000000)

static bool parse_number(const char *text, uint64_t *number, const char **end)
{
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *number = value;
    *end = at;
    return at != text;
}

bool option_duration_ns(const char *text, uint64_t *duration_ns)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};
    uint64_t number;
    const char *unit;
    if (!parse_number(text, &number, &unit))
        return false;
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (strcmp(unit, units[i].name) == 0 && number <= DURATION_NS_MAX / units[i].ns) {
            *duration_ns = number * units[i].ns;
            return true;
        }
    }
    return false;
}

uint64_t option_number(struct argp_state *state, const char *name, const char *text,
                       uint64_t lowest, uint64_t highest)
{
    uint64_t number = 0;
    const char *end = text;
    if (!parse_number(text, &number, &end) || *end != '\0' || number < lowest || number > highest)
        argp_error(state, "--%s wants a whole number from %llu to %llu, not '%s'", name,
                   (unsigned long long)lowest, (unsigned long long)highest, text);
    return number;
}

uint32_t option_small_number(struct argp_state *state, const char *name, const char *text,
                             uint32_t lowest, uint32_t highest)
{
    return (uint32_t)option_number(state, name, text, lowest, highest);
}

double option_seconds(struct argp_state *state, const char *text)
{
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end != '\0' || !(seconds > 0) || seconds > SECONDS_MAX)
        argp_error(state,
                   "--seconds wants a number above 0 and up to %.0f, without a unit, not '%s'",
                   SECONDS_MAX, text);
    return seconds;
}

uint64_t option_duration(struct argp_state *state, const char *name, const char *text)
{
    uint64_t duration_ns = 0;
    if (!option_duration_ns(text, &duration_ns) || duration_ns == 0)
        argp_error(state,
                   "--%s wants a duration with its unit (ns, us, ms or s), like 10ms, not '%s'",
                   name, text);
    return duration_ns;
}

/* A choice of which this build has only the first. */
void option_only_choice(struct argp_state *state, const char *name, const char *text,
                        const char *present, const char *const *absent)
{
    if (strcmp(text, present) == 0)
        return;
    for (; *absent != NULL; absent++) {
        if (strcmp(text, *absent) == 0) {
            argp_failure(state, EX_UNAVAILABLE, 0,
                         "--%s %s is not available in this build, only %s is", name, text, present);
            return;
        }
    }
    argp_error(state, "--%s does not know '%s'", name, text);
}

void option_protocol(struct argp_state *state, const char *text)
{
    static const char *const absent[] = {"pbft", NULL};
    option_only_choice(state, "protocol", text, "raft", absent);
}

bool option_one_of_two(struct argp_state *state, const char *name, const char *text, const char *no,
                       const char *yes)
{
    if (strcmp(text, yes) != 0 && strcmp(text, no) != 0)
        argp_error(state, "--%s is %s or %s, not '%s'", name, no, yes, text);
    return strcmp(text, yes) == 0;
}

/* NOLINTEND(concurrency-mt-unsafe) */
