#include "bench/report.h"

#include "bench/build.h"
#include "bench/machine.h"

#include <math.h>
#include <string.h>

#define REAL_DIGITS 9

static const char *const room_names[] = {"rx",      "open",  "verify", "order",
                                         "persist", "apply", "seal",   "tx"};
_Static_assert(COUNT_OF(room_names) == ROOM_COUNT, "a name for each room");

static const struct {
    const char *name;
    uint32_t per_million;
} percentiles[] = {
    {"p50", 500000}, {"p90", 900000}, {"p99", 990000}, {"p999", 999000}, {"max", 1000000},
};

/* ---- figures --------------------------------------------------------------------------------- */

/* NAN: not measured. */
static double per_operation(const struct load_result *result, uint64_t amount)
{
    return result->operations == 0 ? (double)NAN : (double)amount / (double)result->operations;
}

/* ns / operation is ms / million operations: seconds per million are thousandths of it. */
static double cpu_seconds_per_million(const struct load_result *result, uint64_t cpu_ns)
{
    return per_operation(result, cpu_ns) / 1e3;
}

static double server_cpu_seconds_per_million(const struct load_result *result)
{
    return result->servers_seen ? cpu_seconds_per_million(result, result->servers.server_cpu_ns)
                                : (double)NAN;
}

static double operations_per_second(const struct load_result *result)
{
    return result->elapsed_ns == 0 ? (double)NAN
                                   : (double)result->operations * 1e9 / (double)result->elapsed_ns;
}

static double busy_cycles_per_operation(const struct load_result *result)
{
    uint64_t cycles = 0;
    for (uint32_t room = 0; room < ROOM_COUNT; room++)
        cycles += result->servers.room_cycles[room];
    return result->servers_seen ? per_operation(result, cycles) : (double)NAN;
}

/* Share of all the cycles that the servers' polling cores had. */
static double busy_fraction(const struct report *report, uint64_t cycles)
{
    double all = (double)report->result->servers.now_cycles * report->cores;
    return all > 0 ? (double)cycles / all : (double)NAN;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void put(json_t *object, const char *key, json_t *value)
{
    (void)json_object_set_new(object, key, value);
}

static void put_whole(json_t *object, const char *key, uint64_t value)
{
    put(object, key, json_integer((json_int_t)value));
}

static void put_real(json_t *object, const char *key, double value)
{
    put(object, key, isfinite(value) ? json_real(value) : json_null());
}

static void put_text(json_t *object, const char *key, const char *text)
{
    put(object, key, text == NULL ? json_null() : json_string(text));
}

/* Null unless known. */
static void put_known(json_t *object, const char *key, bool known, uint64_t value)
{
    put(object, key, known ? json_integer((json_int_t)value) : json_null());
}

static void put_ms(json_t *object, const char *key, bool known, uint64_t ns)
{
    put_real(object, key, known ? (double)ns / 1e6 : (double)NAN);
}

/* What the command line asked for; of a running cluster it says nothing about the servers. */
static json_t *setting_json(const struct report *report)
{
    const struct load_options *options = report->options;
    bool set = options->workload == WORKLOAD_SET;
    bool ours = options->target == NULL;
    json_t *object = json_object();
    put_text(object, "protocol", "raft");
    put_text(object, "target", options->target);
    put_known(object, "replicas", ours, options->replicas);
    put_known(object, "value_bytes", set, options->value_bytes);
    put_whole(object, "window", options->window);
    put_whole(object, "clients", options->clients);
    put_real(object, "seconds", options->seconds);
    put_text(object, "durability", !ours ? NULL : options->durable ? "fsync" : "volatile");
    put_text(object, "client_auth", options->clients_sign ? "signature" : "none");
    put_text(object, "client_signing", options->clients_sign ? "in batches" : NULL);
    put_known(object, "cores", ours, report->cores);
    put_whole(object, "keys", options->keys);
    put_whole(object, "lanes", options->lanes);
    put_whole(object, "groups", options->groups);
    put_whole(object, "mtu", options->mtu);
    put_text(object, "workload", options_workload_name(options->workload));
    put_whole(object, "reads_percent", options->reads_percent);
    put_known(object, "rate", options->rate != 0, options->rate);
    put_text(object, "fault", options->leader_kill ? "leader-kill" : "none");
    put_ms(object, "heartbeat_ms", ours, options->heartbeat_ns);
    put_ms(object, "election_timeout_ms", ours, options->election_timeout_ns);
    put_ms(object, "election_timeout_max_ms", ours, 2 * options->election_timeout_ns);
    return object;
}

static json_t *latency_json(const struct histogram *latency)
{
    json_t *object = json_object();
    for (size_t i = 0; i < COUNT_OF(percentiles); i++)
        put_known(object, percentiles[i].name, latency->count > 0,
                  histogram_value(latency, percentiles[i].per_million));
    return object;
}

static json_t *rooms_json(const struct report *report)
{
    json_t *object = json_object();
    for (uint32_t room = 0; room < ROOM_COUNT; room++) {
        bool walked = room != ROOM_VERIFY || report->options->clients_sign;
        if (!report->result->servers_seen || !walked) {
            put(object, room_names[room], json_null());
            continue;
        }
        uint64_t cycles = report->result->servers.room_cycles[room];
        json_t *figures = json_object();
        put_real(figures, "cycles_per_op", per_operation(report->result, cycles));
        put_real(figures, "busy_fraction", busy_fraction(report, cycles));
        put(object, room_names[room], figures);
    }
    return object;
}

/* How many batches of 2^i to 2^(i+1) - 1 signatures there were; null where nobody signs. */
static json_t *batches_json(const struct report *report)
{
    if (!report->options->clients_sign || !report->result->servers_seen)
        return json_null();
    json_t *batches = json_array();
    for (uint32_t i = 0; i < LANE_BATCH_SIZES; i++)
        (void)json_array_append_new(
            batches, json_integer((json_int_t)report->result->servers.verify_batches[i]));
    return batches;
}

static json_t *calibration_json(const struct calibration *calibration)
{
    json_t *object = json_object();
    double pingpong = calibration->cacheline_pingpong_ns;
    double sha512 = calibration->sha512_150b_ns;
    double fdatasync = calibration->fdatasync_4k_ns;
    put_real(object, "cacheline_pingpong_ns", pingpong < 0 ? (double)NAN : pingpong);
    put_real(object, "sha512_150b_ns", sha512 < 0 ? (double)NAN : sha512);
    put_real(object, "fdatasync_4k_ns", fdatasync < 0 ? (double)NAN : fdatasync);
    return object;
}

static json_t *appends_json(const struct appends *appends)
{
    if (appends == NULL)
        return json_null();
    json_t *object = json_object();
    put_whole(object, "acknowledged", appends->acknowledged);
    put_whole(object, "lost", appends->lost);
    put_whole(object, "duplicates", appends->duplicates);
    put_whole(object, "out_of_order", appends->out_of_order);
    put_whole(object, "foreign", appends->foreign);
    return object;
}

static void put_figures(json_t *object, const struct report *report)
{
    const struct load_result *result = report->result;
    put_whole(object, "operations", result->operations);
    put_whole(object, "errors", result->errors);
    put_whole(object, "unsent", result->unsent);
    put_whole(object, "retries", result->retries);
    put_real(object, "commands_per_frame",
             result->frames == 0 ? (double)NAN : (double)result->commands / (double)result->frames);
    put_real(object, "elapsed_seconds", (double)result->elapsed_ns / 1e9);
    put(object, "cut_short", json_boolean(result->cut_short));
    put(object, "preloaded", json_boolean(result->preloaded));
    put_real(object, "ops_per_second", operations_per_second(result));
    put(object, "latency_ns", latency_json(&result->latency));
    put_real(object, "server_cpu_seconds_per_million_ops", server_cpu_seconds_per_million(result));
    put_real(object, "server_busy_cycles_per_op", busy_cycles_per_operation(result));
    put_real(object, "client_cpu_seconds_per_million_ops",
             cpu_seconds_per_million(result, result->client_cpu_ns));
    put_known(object, "failover_ns", result->failover_ns != 0, result->failover_ns);
    put(object, "rooms", rooms_json(report));
    put(object, "verify_batches", batches_json(report));
    put(object, "appends", appends_json(report->appends));
    put(object, "replicas_agree",
        report->replicas_compared ? json_boolean(report->replicas_agree) : json_null());
}

static void put_machine(json_t *object, const struct report *report)
{
    struct machine machine;
    machine_describe(&machine);
    put(object, "calibration", calibration_json(report->calibration));
    put_text(object, "placement", report->placement);
    put_text(object, "host", machine.host);
    put_text(object, "cpu", machine.cpu);
    put_text(object, "kernel", machine.kernel);
    put_text(object, "cc", build_cc());
    put_text(object, "flags", build_flags());
    put_text(object, "git", build_git());
    put(object, "dirty", json_boolean(build_dirty()));
}

json_t *report_json(const struct report *report)
{
    json_t *object = setting_json(report);
    put_figures(object, report);
    put_machine(object, report);
    return object;
}

bool report_write_json(const struct report *report, FILE *file)
{
    json_t *object = report_json(report);
    bool written = json_dumpf(object, file, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS)) == 0;
    json_decref(object);
    return written && fputc('\n', file) != EOF && fflush(file) == 0;
}

/* ---- table ----------------------------------------------------------------------------------- */

const char *report_time(uint64_t time_ns, char text[REPORT_TIME_MAX])
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    double time = (double)time_ns;
    size_t unit = 0;
    while (time >= 999.5 && unit + 1 < COUNT_OF(units)) {
        time /= 1000;
        unit++;
    }
    (void)snprintf(text, REPORT_TIME_MAX, "%.3g %s", time, units[unit]);
    return text;
}

static void write_rooms(const struct report *report, FILE *file)
{
    (void)fprintf(file, "%-34s", "cycles per operation, by room");
    for (uint32_t room = 0; room < ROOM_COUNT; room++) {
        if (room != ROOM_VERIFY)
            (void)fprintf(file, " %s %.0f", room_names[room],
                          per_operation(report->result, report->result->servers.room_cycles[room]));
    }
    (void)fputc('\n', file);
}

void report_write_appends(const struct appends *appends, FILE *file)
{
    (void)fprintf(file, "%-34s %llu\n", "acknowledged writes checked",
                  (unsigned long long)appends->acknowledged);
    (void)fprintf(file, "%-34s %llu\n", "acknowledged writes lost",
                  (unsigned long long)appends->lost);
    (void)fprintf(file, "%-34s %llu\n", "duplicates", (unsigned long long)appends->duplicates);
    (void)fprintf(file, "%-34s %llu\n", "out of order", (unsigned long long)appends->out_of_order);
    (void)fprintf(file, "%-34s %llu\n", "of unknown origin", (unsigned long long)appends->foreign);
}

void report_write_calibration(const struct calibration *calibration, FILE *file)
{
    const struct {
        const char *name;
        double ns;
    } lines[] = {
        {"calibration: cache line ping-pong", calibration->cacheline_pingpong_ns},
        {"calibration: SHA-512 of 150 bytes", calibration->sha512_150b_ns},
        {"calibration: fdatasync of 4 KiB", calibration->fdatasync_4k_ns},
    };
    char text[REPORT_TIME_MAX];
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        (void)fprintf(file, "%-34s %s\n", lines[i].name,
                      lines[i].ns < 0 ? "not measured" : report_time((uint64_t)lines[i].ns, text));
}

static void write_machine(FILE *file)
{
    struct machine machine;
    machine_describe(&machine);
    (void)fprintf(file, "%-34s %s, %s, %s\n", "measured on", machine.host, machine.cpu,
                  machine.kernel);
    (void)fprintf(file, "%-34s %s%s, %s, %s\n", "build", build_git(),
                  build_dirty() ? " (modified)" : "", build_cc(), build_flags());
}

/* What was asked of whom. */
static void write_setting(const struct report *report, FILE *file)
{
    const struct load_options *options = report->options;
    if (options->target == NULL)
        (void)fprintf(file, "%s\n%-34s raft, %u replicas on %u cores, volatile\n",
                      report->placement, "cluster", options->replicas, report->cores);
    else
        (void)fprintf(file, "%-34s raft, at %s\n", "cluster", options->target);
    (void)fprintf(file, "%-34s %u clients of window %u, %s, %u %s", "load", options->clients,
                  options->window, options->rate == 0 ? "closed loop" : "open loop", options->keys,
                  options->workload == WORKLOAD_SET ? "keys" : "lists");
    if (options->workload == WORKLOAD_SET)
        (void)fprintf(file, ", values of %u bytes, %u %% reads", options->value_bytes,
                      options->reads_percent);
    (void)fputc('\n', file);
}

static void write_servers(const struct report *report, FILE *file)
{
    const struct load_result *result = report->result;
    (void)fprintf(file, "%-34s %.3g s per million operations\n", "server CPU",
                  server_cpu_seconds_per_million(result));
    (void)fprintf(file, "%-34s %.0f\n", "server busy cycles per operation",
                  busy_cycles_per_operation(result));
    write_rooms(report, file);
}

void report_write_table(const struct report *report, FILE *file)
{
    const struct load_options *options = report->options;
    const struct load_result *result = report->result;
    char text[REPORT_TIME_MAX];
    write_setting(report, file);
    (void)fprintf(file, "%-34s %.0f (%llu in %.3g s)\n", "operations per second",
                  operations_per_second(result), (unsigned long long)result->operations,
                  (double)result->elapsed_ns / 1e9);
    (void)fprintf(file, "%-34s", "latency");
    for (size_t i = 0; i < COUNT_OF(percentiles); i++)
        (void)fprintf(
            file, " %s %s%s", percentiles[i].name,
            report_time(histogram_value(&result->latency, percentiles[i].per_million), text),
            i + 1 < COUNT_OF(percentiles) ? "," : "\n");
    (void)fprintf(file, "%-34s %llu (of these never sent: %llu), retries %llu\n", "errors",
                  (unsigned long long)result->errors, (unsigned long long)result->unsent,
                  (unsigned long long)result->retries);
    (void)fprintf(file, "%-34s %.3g s per million operations\n", "client CPU",
                  cpu_seconds_per_million(result, result->client_cpu_ns));
    if (result->servers_seen)
        write_servers(report, file);
    if (options->leader_kill)
        (void)fprintf(file, "%-34s %s\n", "failover",
                      result->failover_ns == 0 ? "not seen"
                                               : report_time(result->failover_ns, text));
    if (report->appends != NULL)
        report_write_appends(report->appends, file);
    if (report->replicas_compared)
        (void)fprintf(file, "%-34s %s\n", "replicas hold the same state",
                      report->replicas_agree ? "yes" : "NO");
    report_write_calibration(report->calibration, file);
    write_machine(file);
}
