#include "bench/options.h"

#include "bench/payload.h"
#include "protocols/wire/wire.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define HISTORY_VALUE_BYTES_MIN 16u /* "client:number" of the longest kind, and its end */
#define SECONDS_MAX             86400.0
#define DURATION_NS_MAX         UINT64_C(3600000000000)

const char *options_workload_name(enum workload workload)
{
    return workload == WORKLOAD_APPEND ? "append" : "set";
}

/* ---- values ------------------------------------------------------------------------------------ */

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

bool options_duration_ns(const char *text, uint64_t *duration_ns)
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

static uint64_t number_between(struct argp_state *state, const char *name, const char *text,
                               uint64_t lowest, uint64_t highest)
{
    uint64_t number = 0;
    const char *end = text;
    if (!parse_number(text, &number, &end) || *end != '\0' || number < lowest || number > highest)
        argp_error(state, "--%s wants a whole number from %llu to %llu, not '%s'", name,
                   (unsigned long long)lowest, (unsigned long long)highest, text);
    return number;
}

static uint32_t small_number(struct argp_state *state, const char *name, const char *text,
                             uint32_t lowest, uint32_t highest)
{
    return (uint32_t)number_between(state, name, text, lowest, highest);
}

static double seconds_of(struct argp_state *state, const char *text)
{
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end != '\0' || !(seconds > 0) || seconds > SECONDS_MAX)
        argp_error(state,
                   "--seconds wants a number above 0 and up to %.0f, without a unit, not '%s'",
                   SECONDS_MAX, text);
    return seconds;
}

static uint64_t duration_of(struct argp_state *state, const char *name, const char *text)
{
    uint64_t duration_ns = 0;
    if (!options_duration_ns(text, &duration_ns) || duration_ns == 0)
        argp_error(state,
                   "--%s wants a duration with its unit (ns, us, ms or s), like 10ms, not '%s'",
                   name, text);
    return duration_ns;
}

/* A choice of which this build has only the first. */
static void only_choice(struct argp_state *state, const char *name, const char *text,
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

static void protocol_choice(struct argp_state *state, const char *text)
{
    static const char *const absent[] = {"pbft", NULL};
    only_choice(state, "protocol", text, "raft", absent);
}

static bool one_of_two(struct argp_state *state, const char *name, const char *text, const char *no,
                       const char *yes)
{
    if (strcmp(text, yes) != 0 && strcmp(text, no) != 0)
        argp_error(state, "--%s is %s or %s, not '%s'", name, no, yes, text);
    return strcmp(text, yes) == 0;
}

/* ---- load -------------------------------------------------------------------------------------- */

enum load_key {
    KEY_PROTOCOL = 256,
    KEY_REPLICAS,
    KEY_VALUE_BYTES,
    KEY_WINDOW,
    KEY_SECONDS,
    KEY_CLIENTS,
    KEY_RATE,
    KEY_CORES,
    KEY_LANES,
    KEY_GROUPS,
    KEY_KEYS,
    KEY_MTU,
    KEY_READS,
    KEY_WORKLOAD,
    KEY_DURABILITY,
    KEY_DATA,
    KEY_CLIENT_AUTH,
    KEY_FAULT,
    KEY_HISTORY,
    KEY_HEARTBEAT,
    KEY_ELECTION_TIMEOUT,
    KEY_TARGET,
    KEY_JSON,
    KEY_STAY,
};

static const struct argp_option load_table[] = {
    {"protocol", KEY_PROTOCOL, "NAME", 0, "raft", 1},
    {"replicas", KEY_REPLICAS, "N", 0, "Nodes of the cluster, 1 to 7 (3)", 1},
    {"cores", KEY_CORES, "K", 0, "Polling cores of the servers (1)", 1},
    {"lanes", KEY_LANES, "N", 0, "Lanes of each node (1)", 1},
    {"groups", KEY_GROUPS, "N", 0, "Raft groups of each node (1)", 1},
    {"mtu", KEY_MTU, "BYTES", 0, "Of the links between nodes (1500)", 1},
    {"heartbeat", KEY_HEARTBEAT, "DURATION", 0, "With its unit (20ms)", 1},
    {"election-timeout", KEY_ELECTION_TIMEOUT, "DURATION", 0,
     "Lower bound, with its unit; the upper one is twice this (100ms)", 1},
    {"durability", KEY_DURABILITY, "KIND", 0, "volatile", 1},
    {"data", KEY_DATA, "DIR", 0, "Where the disk is calibrated ($TMPDIR or /tmp)", 1},
    {"workload", KEY_WORKLOAD, "KIND", 0,
     "set; or append: every acknowledged write is looked for afterwards, through each live node, "
     "--rate is 50000 unless given",
     2},
    {"value-bytes", KEY_VALUE_BYTES, "B", 0, "Size of a value (64)", 2},
    {"keys", KEY_KEYS, "K", 0, "Keys, chosen uniformly (100000)", 2},
    {"reads", KEY_READS, "PERCENT", 0, "Share of GETs (0)", 2},
    {"clients", KEY_CLIENTS, "C", 0, "Client sessions, all on one core (1, or one per group)", 2},
    {"window", KEY_WINDOW, "W", 0, "Operations outstanding per client (64)", 2},
    {"rate", KEY_RATE, "R", 0,
     "Open loop: R operations per second in all, latency from the intended send time", 2},
    {"seconds", KEY_SECONDS, "S", 0, "Length of the measured interval (5)", 2},
    {"client-auth", KEY_CLIENT_AUTH, "KIND", 0, "none", 2},
    {"fault", KEY_FAULT, "KIND", 0, "none, or leader-kill at half time", 2},
    {"target", KEY_TARGET, "ADDRESS", 0, "A running cluster (not available in this build)", 2},
    {"history", KEY_HISTORY, "FILE", 0, "Write every operation, one JSON object per line", 3},
    {"json", KEY_JSON, NULL, 0, "One JSON object on standard output", 3},
    {NULL, 0, NULL, 0, NULL, 0},
};

struct load_parse {
    struct load_options *options;
    bool clients_given;
    bool value_bytes_given;
};

uint64_t options_operations_max(const struct load_options *options)
{
    double warm_up = (double)OPTIONS_WARM_UP_NS / 1e9;
    return (uint64_t)((double)options->rate * (options->seconds + warm_up + 1)) + 1;
}

uint64_t options_list_bytes(const struct load_options *options)
{
    return 2 * (options_operations_max(options) / options->keys + 32) * PAYLOAD_ELEMENT_BYTES_MAX;
}

static void check_load(struct argp_state *state, struct load_parse *parse)
{
    struct load_options *options = parse->options;
    if (!parse->clients_given && options->clients < options->groups)
        options->clients = options->groups;
    if (options->clients < options->groups)
        argp_error(state, "a client speaks to one group: --clients must not be below --groups");
    if (options->lanes > options->groups)
        argp_error(state,
                   "a lane without a group has nothing to do: --lanes must not exceed --groups");
    if (options->keys < options->groups)
        argp_error(state, "every group needs keys: --keys must not be below --groups");
    if (options->leader_kill && options->replicas < 3)
        argp_error(state, "--fault leader-kill leaves no majority: it wants --replicas 3 or more");
    if (options->workload == WORKLOAD_APPEND && parse->value_bytes_given)
        argp_error(state, "--workload append writes its own values: leave out --value-bytes");
    if (options->workload == WORKLOAD_APPEND && options->reads_percent > 0)
        argp_error(state, "--workload append reads at the end: leave out --reads");
    if (options->workload == WORKLOAD_SET && options->history != NULL &&
        options->value_bytes < HISTORY_VALUE_BYTES_MIN)
        argp_error(state, "--history tells values apart: it wants --value-bytes %u or more",
                   HISTORY_VALUE_BYTES_MIN);
    if (options->workload == WORKLOAD_APPEND && options->rate == 0)
        options->rate = OPTIONS_APPEND_RATE;
    if (options->workload == WORKLOAD_APPEND && options_list_bytes(options) > WIRE_VALUE_BYTES_MAX)
        argp_error(state, "lists would outgrow 1 MiB: more --keys, or a lower --rate, mend that");
    if (options->heartbeat_ns * 2 > options->election_timeout_ns)
        argp_error(state, "--election-timeout must be at least twice the --heartbeat");
}

static error_t load_cluster_option(int key, char *text, struct argp_state *state)
{
    static const char *const absent_durability[] = {"fsync", NULL};
    struct load_options *options = ((struct load_parse *)state->input)->options;
    switch (key) {
    case KEY_PROTOCOL:
        protocol_choice(state, text);
        return 0;
    case KEY_REPLICAS:
        options->replicas = small_number(state, "replicas", text, 1, OPTIONS_REPLICAS_MAX);
        return 0;
    case KEY_CORES:
        options->cores = small_number(state, "cores", text, 1, 16);
        return 0;
    case KEY_LANES:
        options->lanes = small_number(state, "lanes", text, 1, WIRE_LANES_MAX);
        return 0;
    case KEY_GROUPS:
        options->groups = small_number(state, "groups", text, 1, 64);
        return 0;
    case KEY_MTU:
        options->mtu = small_number(state, "mtu", text, 576, 9000);
        return 0;
    case KEY_HEARTBEAT:
        options->heartbeat_ns = duration_of(state, "heartbeat", text);
        return 0;
    case KEY_ELECTION_TIMEOUT:
        options->election_timeout_ns = duration_of(state, "election-timeout", text);
        return 0;
    case KEY_DURABILITY:
        only_choice(state, "durability", text, "volatile", absent_durability);
        return 0;
    case KEY_DATA:
        options->data = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t load_option(int key, char *text, struct argp_state *state)
{
    static const char *const absent_auth[] = {"mac", "signature", NULL};
    struct load_parse *parse = state->input;
    struct load_options *options = parse->options;
    switch (key) {
    case KEY_WORKLOAD:
        options->workload =
            one_of_two(state, "workload", text, "set", "append") ? WORKLOAD_APPEND : WORKLOAD_SET;
        return 0;
    case KEY_VALUE_BYTES:
        options->value_bytes = small_number(state, "value-bytes", text, 0, WIRE_VALUE_BYTES_MAX);
        parse->value_bytes_given = true;
        return 0;
    case KEY_KEYS:
        options->keys = small_number(state, "keys", text, 1, OPTIONS_KEYS_MAX);
        return 0;
    case KEY_READS:
        options->reads_percent = small_number(state, "reads", text, 0, 100);
        return 0;
    case KEY_CLIENTS:
        options->clients = small_number(state, "clients", text, 1, OPTIONS_CLIENTS_MAX);
        parse->clients_given = true;
        return 0;
    case KEY_WINDOW:
        options->window = small_number(state, "window", text, 1, 256);
        return 0;
    case KEY_RATE:
        options->rate = number_between(state, "rate", text, 1, 1000000000);
        return 0;
    case KEY_SECONDS:
        options->seconds = seconds_of(state, text);
        return 0;
    case KEY_CLIENT_AUTH:
        only_choice(state, "client-auth", text, "none", absent_auth);
        return 0;
    case KEY_FAULT:
        options->leader_kill = one_of_two(state, "fault", text, "none", "leader-kill");
        return 0;
    case KEY_TARGET:
        argp_failure(state, EX_UNAVAILABLE, 0, "--target is not available in this build");
        return 0;
    case KEY_HISTORY:
        options->history = text;
        return 0;
    case KEY_JSON:
        options->json = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "load takes options only, not '%s'", text);
        return 0;
    case ARGP_KEY_SUCCESS:
        check_load(state, parse);
        return 0;
    default:
        return load_cluster_option(key, text, state);
    }
}

void load_options_defaults(struct load_options *options)
{
    *options = (struct load_options){
        .replicas = 3,
        .value_bytes = 64,
        .window = 64,
        .clients = 1,
        .cores = 1,
        .lanes = 1,
        .groups = 1,
        .keys = 100000,
        .mtu = 1500,
        .seconds = 5,
        .heartbeat_ns = UINT64_C(20000000),
        .election_timeout_ns = UINT64_C(100000000),
    };
}

void options_load(int argc, char **argv, struct load_options *options)
{
    static const struct argp argp = {
        .options = load_table,
        .parser = load_option,
        .doc =
            "Loads an embedded cluster and measures it: replicas in this process, joined by ring "
            "ports.",
    };
    struct load_parse parse = {.options = options};
    load_options_defaults(options);
    argp_err_exit_status = EX_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &parse);
}

/* ---- demo -------------------------------------------------------------------------------------- */

static const struct argp_option demo_table[] = {
    {"protocol", KEY_PROTOCOL, "NAME", 0, "raft", 1},
    {"replicas", KEY_REPLICAS, "N", 0, "Nodes of the cluster, 3 to 7 (3)", 1},
    {"seconds", KEY_SECONDS, "S", 0, "Seconds of load (10)", 1},
    {"stay", KEY_STAY, NULL, 0, "Stay up afterwards, for redis-cli, until interrupted", 1},
    {NULL, 0, NULL, 0, NULL, 0},
};

static error_t demo_option(int key, char *text, struct argp_state *state)
{
    struct demo_options *options = state->input;
    switch (key) {
    case KEY_PROTOCOL:
        protocol_choice(state, text);
        return 0;
    case KEY_REPLICAS:
        options->replicas = small_number(state, "replicas", text, 3, OPTIONS_REPLICAS_MAX);
        return 0;
    case KEY_SECONDS:
        options->seconds = seconds_of(state, text);
        return 0;
    case KEY_STAY:
        options->stay = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "demo takes options only, not '%s'", text);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void options_demo(int argc, char **argv, struct demo_options *options)
{
    static const struct argp argp = {
        .options = demo_table,
        .parser = demo_option,
        .doc =
            "Shows a cluster at work: load, the death of its leader half-way, and the proof that "
            "no acknowledged write was lost.",
    };
    *options = (struct demo_options){.replicas = 3, .seconds = 10};
    argp_err_exit_status = EX_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, options);
}
