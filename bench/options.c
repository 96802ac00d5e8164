#include "bench/options.h"

#include "bench/option.h"
#include "bench/payload.h"
#include "bench/target.h"
#include "numa/placement.h"
#include "protocols/wire/fragment.h"

#include <string.h>
#include <sysexits.h>

/* NOLINTBEGIN(concurrency-mt-unsafe): options are read before there is a second thread */

#define HISTORY_VALUE_BYTES_MIN 16u /* "client:number" of the longest kind, and its end */

const char *options_workload_name(enum workload workload)
{
    return workload == WORKLOAD_APPEND ? "append" : "set";
}

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
    KEY_SPLIT,
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
};

static const struct argp_option load_table[] = {
    {"protocol", KEY_PROTOCOL, "NAME", 0, "raft", 1},
    {"replicas", KEY_REPLICAS, "N", 0, "Nodes of the cluster, 1 to 7 (3)", 1},
    {"cores", KEY_CORES, "K", 0, "Polling cores of the servers (1)", 1},
    {"lanes", KEY_LANES, "N", 0, "Lanes of each node (1)", 1},
    {"split", KEY_SPLIT, "ROOMS", 0,
     "Rooms that begin a stage with a core of its own, such as verify,order (no)", 1},
    {"groups", KEY_GROUPS, "N", 0, "Raft groups of each node (1)", 1},
    {"mtu", KEY_MTU, "BYTES", 0, "Of the links between nodes (1500)", 1},
    {"heartbeat", KEY_HEARTBEAT, "DURATION", 0, "With its unit (20ms)", 1},
    {"election-timeout", KEY_ELECTION_TIMEOUT, "DURATION", 0,
     "Lower bound, with its unit; the upper one is twice this (100ms)", 1},
    {"durability", KEY_DURABILITY, "KIND", 0,
     "volatile; or fsync: every replica keeps a log in --data", 1},
    {"data", KEY_DATA, "DIR", 0,
     "For logs, removed afterwards; and where the disk is calibrated ($TMPDIR or /tmp)", 1},
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
    {"client-auth", KEY_CLIENT_AUTH, "KIND", 0,
     "none; or signature: a key per client, frames signed in batches as they leave", 2},
    {"fault", KEY_FAULT, "KIND", 0, "none, or leader-kill at half time", 2},
    {"target", KEY_TARGET, "ADDRESS", 0,
     "Instead of an embedded cluster a running one, at HOST:PORT of every node's consensus port, "
     "with commas between; --groups, --lanes and --mtu are then that cluster's",
     2},
    {"history", KEY_HISTORY, "FILE", 0, "Write every operation, one JSON object per line", 3},
    {"json", KEY_JSON, NULL, 0, "One JSON object on standard output", 3},
    {NULL, 0, NULL, 0, NULL, 0},
};

struct load_parse {
    struct load_options *options;
    bool clients_given;
    bool value_bytes_given;
    const char *embedded; /* the last option that only an embedded cluster has a use for */
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

static void check_target(struct argp_state *state, const struct load_parse *parse)
{
    const struct load_options *options = parse->options;
    struct target_address address[CARRIER_SERVERS_MAX];
    if (target_parse(options->target, address) == 0)
        argp_error(state, "--target wants HOST:PORT[,HOST:PORT...], at most %u, not '%s'",
                   CARRIER_SERVERS_MAX, options->target);
    if (options->leader_kill)
        argp_error(state,
                   "--fault kills a node of an embedded cluster: --target has none of these");
    if (options->workload == WORKLOAD_APPEND)
        argp_error(state,
                   "--workload append is checked at the nodes of an embedded cluster: leave it out "
                   "with --target");
    if (parse->embedded != NULL)
        argp_error(state, "--%s is for an embedded cluster: leave it out with --target",
                   parse->embedded);
}

static void check_load(struct argp_state *state, struct load_parse *parse)
{
    struct load_options *options = parse->options;
    if (options->durable && options->data == NULL)
        argp_error(state, "--durability fsync wants --data, a folder on the disk to be measured");
    if (options->target != NULL)
        check_target(state, parse);
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

/* What only an embedded cluster has a use for. */
static error_t embedded_option(int key, char *text, struct argp_state *state)
{
    struct load_parse *parse = state->input;
    struct load_options *options = parse->options;
    switch (key) {
    case KEY_REPLICAS:
        parse->embedded = "replicas";
        options->replicas = option_small_number(state, "replicas", text, 1, OPTIONS_REPLICAS_MAX);
        return 0;
    case KEY_CORES:
        parse->embedded = "cores";
        options->cores = option_small_number(state, "cores", text, 1, 16);
        return 0;
    case KEY_SPLIT:
        parse->embedded = "split";
        if (!placement_parse_cuts(text, &options->cuts))
            argp_error(state, "--split wants 'no', or rooms such as verify,order, not '%s'", text);
        return 0;
    case KEY_HEARTBEAT:
        parse->embedded = "heartbeat";
        options->heartbeat_ns = option_duration(state, "heartbeat", text);
        return 0;
    case KEY_ELECTION_TIMEOUT:
        parse->embedded = "election-timeout";
        options->election_timeout_ns = option_duration(state, "election-timeout", text);
        return 0;
    case KEY_DURABILITY:
        parse->embedded = "durability";
        options->durable = option_one_of_two(state, "durability", text, "volatile", "fsync");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* What is to be said of any cluster, and of the machine. */
static error_t cluster_option(int key, char *text, struct argp_state *state)
{
    struct load_options *options = ((struct load_parse *)state->input)->options;
    switch (key) {
    case KEY_PROTOCOL:
        option_protocol(state, text);
        return 0;
    case KEY_LANES:
        options->lanes = option_small_number(state, "lanes", text, 1, WIRE_LANES_MAX);
        return 0;
    case KEY_GROUPS:
        options->groups = option_small_number(state, "groups", text, 1, LANE_GROUPS_MAX);
        return 0;
    case KEY_MTU:
        options->mtu = option_small_number(state, "mtu", text, WIRE_MTU_MIN, 9000);
        return 0;
    case KEY_DATA:
        options->data = text;
        return 0;
    default:
        return embedded_option(key, text, state);
    }
}

static error_t load_option(int key, char *text, struct argp_state *state)
{
    static const char *const absent_auth[] = {"mac", NULL};
    struct load_parse *parse = state->input;
    struct load_options *options = parse->options;
    switch (key) {
    case KEY_WORKLOAD:
        options->workload = option_one_of_two(state, "workload", text, "set", "append")
                                ? WORKLOAD_APPEND
                                : WORKLOAD_SET;
        return 0;
    case KEY_VALUE_BYTES:
        options->value_bytes =
            option_small_number(state, "value-bytes", text, 0, WIRE_VALUE_BYTES_MAX);
        parse->value_bytes_given = true;
        return 0;
    case KEY_KEYS:
        options->keys = option_small_number(state, "keys", text, 1, OPTIONS_KEYS_MAX);
        return 0;
    case KEY_READS:
        options->reads_percent = option_small_number(state, "reads", text, 0, 100);
        return 0;
    case KEY_CLIENTS:
        options->clients = option_small_number(state, "clients", text, 1, OPTIONS_CLIENTS_MAX);
        parse->clients_given = true;
        return 0;
    case KEY_WINDOW:
        options->window = option_small_number(state, "window", text, 1, 256);
        return 0;
    case KEY_RATE:
        options->rate = option_number(state, "rate", text, 1, 1000000000);
        return 0;
    case KEY_SECONDS:
        options->seconds = option_seconds(state, text);
        return 0;
    case KEY_CLIENT_AUTH:
        options->clients_sign = strcmp(text, "signature") == 0;
        if (!options->clients_sign)
            option_only_choice(state, "client-auth", text, "none", absent_auth);
        return 0;
    case KEY_FAULT:
        options->leader_kill = option_one_of_two(state, "fault", text, "none", "leader-kill");
        return 0;
    case KEY_TARGET:
        options->target = text;
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
        return cluster_option(key, text, state);
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
            "Loads a cluster and measures it: an embedded one, whose replicas are in this process, "
            "joined by ring ports, or with --target a running one.",
    };
    struct load_parse parse = {.options = options};
    load_options_defaults(options);
    argp_err_exit_status = EX_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &parse);
}

/* NOLINTEND(concurrency-mt-unsafe) */
