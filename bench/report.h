/* report.h: what a load run found, as one JSON object or as a table.
 *
 * Shape: report_json has every key of the contract, null where nothing was measured, and some more.
 * Of a running cluster (options->target) nothing is known but what its clients see.
 * Memory: the JSON value is the caller's (jansson). Threads: one. Time: none. Limits, refusals:
 * none. Cost: none that matters.
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
    const struct load_result *result;
    const struct appends *appends; /* NULL: not checked */
    const char *placement;         /* NULL: not known   */
    uint32_t cores;                /* of the servers, as many as there were */
    bool replicas_compared;
    bool replicas_agree;
};

json_t *report_json(const struct report *report);
bool report_write_json(const struct report *report, FILE *file);
void report_write_table(const struct report *report, FILE *file);

/* Lines of the table that others print too. */
void report_write_appends(const struct appends *appends, FILE *file);
void report_write_calibration(const struct calibration *calibration, FILE *file);

/* "12.3 us": three digits and a unit that fits. */
#define REPORT_TIME_MAX 32u
const char *report_time(uint64_t time_ns, char text[REPORT_TIME_MAX]);

#endif
