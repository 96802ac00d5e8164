#include "bench/option.h"
#include "bench/options.h"

#include <sysexits.h>

/* NOLINTBEGIN(concurrency-mt-unsafe): options are read before there is a second thread */

enum demo_key { KEY_PROTOCOL = 256, KEY_REPLICAS, KEY_SECONDS, KEY_STAY };

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
        option_protocol(state, text);
        return 0;
    case KEY_REPLICAS:
        options->replicas = option_small_number(state, "replicas", text, 3, OPTIONS_REPLICAS_MAX);
        return 0;
    case KEY_SECONDS:
        options->seconds = option_seconds(state, text);
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

/* NOLINTEND(concurrency-mt-unsafe) */
