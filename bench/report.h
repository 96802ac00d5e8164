/* report.h: what a load run found, as one JSON object or as a table.
 *
 * Shape: report_json has every key of the contract, null where nothing was measured, and some more.
 * Memory: the JSON value is the caller's (jansson). Threads: one. Time: none. Limits, refusals: none. Cost: none that
 * matters.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench/appends.h"
#include "bench/calibrate.h"
#include "bench/load.h"

#include <jansson.h>
#include <stdio.h>

struct report {
    const struct load_options *options;
    const struct calibration *calibration;
    const char *placement;
    const struct load_result *result; /* NULL: not measured */
    const struct appends *appends;    /* NULL: not checked  */
    bool replicas_compared;
    bool replicas_agree;
};

json_t *report_json(const struct report *report);
bool report_write_json(const struct report *report, FILE *file);
void report_write_table(const struct report *report, FILE *file);

/* "12.3 us": three digits and a unit that fits. */
#define REPORT_TIME_MAX 32u
const char *report_time(uint64_t time_ns, char text[REPORT_TIME_MAX]);

#endif
