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

/* ---- figures ----------------------------------------------------------------------------------- */

/* NAN: not measured. */
static double per_operation(const struct load_result *result, uint64_t amount)
{
    return result == NULL || result->operations == 0 ? (double)NAN
                                                     : (double)amount / (double)result->operations;
}

/* ns / operation is ms / million operations: seconds per million are thousandths of it. */
static double cpu_seconds_per_million(const struct load_result *result, uint64_t cpu_ns)
{
    return per_operation(result, cpu_ns) / 1e3;
}

static double operations_per_second(const struct load_result *result)
{
    return result == NULL || result->elapsed_ns == 0
               ? (double)NAN
               : (double)result->operations * 1e9 / (double)result->elapsed_ns;
}

static uint64_t busy_cycles(const struct load_result *result)
{
    uint64_t cycles = 0;
    for (uint32_t room = 0; room < ROOM_COUNT; room++)
        cycles += result->servers.room_cycles[room];
    return cycles;
}

/* Share of all the cycles that the servers' polling cores had. */
static double busy_fraction(const struct report *report, uint64_t cycles)
{
    double all = (double)report->result->servers.now_cycles * report->options->cores;
    return all > 0 ? (double)cycles / all : (double)NAN;
}

/* ---- JSON -------------------------------------------------------------------------------------- */

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

static void put_counted(json_t *object, const char *key, const struct load_result *result,
                        uint64_t value)
{
    put(object, key, result == NULL ? json_null() : json_integer((json_int_t)value));
}

static json_t *setting_json(const struct report *report)
{
    const struct load_options *options = report->options;
    bool set = options->workload == WORKLOAD_SET;
    json_t *object = json_object();
    put(object, "protocol", json_string("raft"));
    put_whole(object, "replicas", options->replicas);
    put(object, "value_bytes", set ? json_integer(options->value_bytes) : json_null());
    put_whole(object, "window", options->window);
    put_whole(object, "clients", options->clients);
    put_real(object, "seconds", options->seconds);
    put(object, "durability", json_string("volatile"));
    put(object, "client_auth", json_string("none"));
    put_whole(object, "cores", options->cores);
    put_whole(object, "keys", options->keys);
    put_whole(object, "lanes", options->lanes);
    put_whole(object, "groups", options->groups);
    put_whole(object, "mtu", options->mtu);
    put(object, "workload", json_string(options_workload_name(options->workload)));
    put_whole(object, "reads_percent", options->reads_percent);
    put(object, "rate", options->rate == 0 ? json_null() : json_integer((json_int_t)options->rate));
    put(object, "fault", json_string(options->leader_kill ? "leader-kill" : "none"));
    put_real(object, "heartbeat_ms", (double)options->heartbeat_ns / 1e6);
    put_real(object, "election_timeout_ms", (double)options->election_timeout_ns / 1e6);
    put_real(object, "election_timeout_max_ms", (double)options->election_timeout_ns / 5e5);
    return object;
}

static json_t *latency_json(const struct load_result *result)
{
    json_t *object = json_object();
    for (size_t i = 0; i < COUNT_OF(percentiles); i++) {
        bool known = result != NULL && result->latency.count > 0;
        uint64_t value = known ? histogram_value(&result->latency, percentiles[i].per_million) : 0;
        put(object, percentiles[i].name, known ? json_integer((json_int_t)value) : json_null());
    }
    return object;
}

static json_t *rooms_json(const struct report *report)
{
    json_t *object = json_object();
    for (uint32_t room = 0; room < ROOM_COUNT; room++) {
        if (report->result == NULL || room == ROOM_VERIFY) { /* a room without furniture so far */
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
    bool killed = result != NULL && result->failover_ns != 0;
    put_counted(object, "operations", result, result == NULL ? 0 : result->operations);
    put_counted(object, "errors", result, result == NULL ? 0 : result->errors);
    put_counted(object, "unsent", result, result == NULL ? 0 : result->unsent);
    put_counted(object, "retries", result, result == NULL ? 0 : result->retries);
    bool sent = result != NULL && result->frames > 0;
    put_real(object, "commands_per_frame",
             sent ? (double)result->commands / (double)result->frames : (double)NAN);
    put_real(object, "elapsed_seconds",
             result == NULL ? (double)NAN : (double)result->elapsed_ns / 1e9);
    put_real(object, "ops_per_second", operations_per_second(result));
    put(object, "latency_ns", latency_json(result));
    put_real(object, "server_cpu_seconds_per_million_ops",
             result == NULL ? (double)NAN
                            : cpu_seconds_per_million(result, result->servers.server_cpu_ns));
    put_real(object, "server_busy_cycles_per_op",
             result == NULL ? (double)NAN : per_operation(result, busy_cycles(result)));
    put_real(object, "client_cpu_seconds_per_million_ops",
             result == NULL ? (double)NAN : cpu_seconds_per_million(result, result->client_cpu_ns));
    put(object, "failover_ns",
        killed ? json_integer((json_int_t)result->failover_ns) : json_null());
    put(object, "rooms", rooms_json(report));
    put(object, "appends", appends_json(report->appends));
    put(object, "replicas_agree",
        report->replicas_compared ? json_boolean(report->replicas_agree) : json_null());
}

static void put_machine(json_t *object, const struct report *report)
{
    struct machine machine;
    machine_describe(&machine);
    put(object, "calibration", calibration_json(report->calibration));
    put(object, "placement", json_string(report->placement));
    put(object, "host", json_string(machine.host));
    put(object, "cpu", json_string(machine.cpu));
    put(object, "kernel", json_string(machine.kernel));
    put(object, "cc", json_string(build_cc()));
    put(object, "flags", json_string(build_flags()));
    put(object, "git", json_string(build_git()));
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

/* ---- table ------------------------------------------------------------------------------------- */

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

static void write_appends(const struct appends *appends, FILE *file)
{
    (void)fprintf(file, "%-34s %llu\n", "acknowledged writes checked",
                  (unsigned long long)appends->acknowledged);
    (void)fprintf(file, "%-34s %llu\n", "acknowledged writes lost",
                  (unsigned long long)appends->lost);
    (void)fprintf(file, "%-34s %llu\n", "duplicates", (unsigned long long)appends->duplicates);
    (void)fprintf(file, "%-34s %llu\n", "out of order", (unsigned long long)appends->out_of_order);
    (void)fprintf(file, "%-34s %llu\n", "of unknown origin", (unsigned long long)appends->foreign);
}

static void write_calibration(const struct calibration *calibration, FILE *file)
{
    const struct {
        const char *name;
        double ns;
    } lines[] = {
        {"calibration: cache line, round trip", calibration->cacheline_pingpong_ns},
        {"calibration: SHA-512 of 150 bytes", calibration->sha512_150b_ns},
        {"calibration: fdatasync of 4 KiB", calibration->fdatasync_4k_ns},
    };
    char text[REPORT_TIME_MAX];
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        (void)fprintf(file, "%-34s %s\n", lines[i].name,
                      lines[i].ns < 0 ? "not measured" : report_time((uint64_t)lines[i].ns, text));
}

void report_write_table(const struct report *report, FILE *file)
{
    const struct load_options *options = report->options;
    const struct load_result *result = report->result;
    char text[REPORT_TIME_MAX];
    (void)fprintf(file, "%s\n", report->placement);
    (void)fprintf(file, "%-34s raft, %u replicas, volatile, %u clients of window %u, %s\n", "run",
                  options->replicas, options->clients, options->window,
                  options->rate == 0 ? "closed loop" : "open loop");
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
    (void)fprintf(file, "%-34s %.3g s per million operations\n", "server CPU",
                  cpu_seconds_per_million(result, result->servers.server_cpu_ns));
    (void)fprintf(file, "%-34s %.3g s per million operations\n", "client CPU",
                  cpu_seconds_per_million(result, result->client_cpu_ns));
    (void)fprintf(file, "%-34s %.0f\n", "server busy cycles per operation",
                  per_operation(result, busy_cycles(result)));
    write_rooms(report, file);
    if (options->leader_kill)
        (void)fprintf(file, "%-34s %s\n", "failover",
                      result->failover_ns == 0 ? "not seen"
                                               : report_time(result->failover_ns, text));
    if (report->appends != NULL)
        write_appends(report->appends, file);
    if (report->replicas_compared)
        (void)fprintf(file, "%-34s %s\n", "replicas hold the same state",
                      report->replicas_agree ? "yes" : "NO");
    write_calibration(report->calibration, file);
}
