/* quorate: the operator's command. Parses, finds the verb, leaves with its exit code. */
#include "dataplane/node/host.h"
#include "dataplane/operator/operator.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* NOLINTBEGIN(concurrency-mt-unsafe): this program has one thread */

const char *argp_program_version = "quorate " QUORATE_VERSION;

static const char doc[] =
    "Asks and tells the nodes of a cluster, over their RESP edges.\v"
    "Verbs:\n"
    "  status                 every endpoint's node and groups\n"
    "  member list            the cluster's members\n"
    "  member add ID          takes the node in, as a learner: it gets everything and has no vote\n"
    "  member promote ID      a learner that has caught up becomes a voter\n"
    "  member remove ID       whoever it is, the leader too\n"
    "  member replace OLD NEW the node NEW comes in and takes the place of OLD\n"
    "  ping                   round trip to every endpoint\n"
    "  put KEY VALUE          get KEY          del KEY\n"
    "  cas KEY OLD NEW        incr KEY [AMOUNT]\n"
    "  bootstrap              makes one cluster of all endpoints\n"
    "  move-leader            the endpoints' nodes hand over what they lead\n"
    "  upgrade                all members run a newer build: rely on it, no way back\n"
    "  plan                   which room runs on which core\n"
    "  keygen FILE            a client's key: the secret goes to FILE, the public key is printed\n"
    "  snapshot save FOLDER   a file for each group, of all that was acknowledged before\n"
    "  snapshot check FILE... are they whole, and of what?\n"
    "  snapshot restore FOLDER --config FILE --data NEW\n"
    "                         what was saved, as folders for the members of a new cluster\n"
    "\n"
    "A change of members is carried through in every group; said again, it goes on where it was.\n"
    "Reads and writes go through the first endpoint that can serve them. Before "
    "an argument that begins with a minus, write --. Exit status: 0; 64 usage; 65 the answer is no "
    "(no such key, "
    "not swapped, refused); 69 nobody "
    "answered, or the outcome is unknown; 71 output can not be written; 73 a file can not be made; "
    "75 not "
    "executed, try again; 78 a configuration file is wrong.";

enum option_key {
    KEY_ENDPOINTS = 0x100,
    KEY_TIMEOUT,
    KEY_CLUSTER,
    KEY_TO,
    KEY_BALANCE,
    KEY_ADDRESS,
    KEY_WITNESS,
    KEY_TOPOLOGY,
    KEY_NIC,
    KEY_LANES,
    KEY_CORES,
    KEY_CONFIG,
    KEY_GROUP,
    KEY_DATA,
    KEY_ID
};

static const struct argp_option option_list[] = {
    {"output", 'o', "table|json|simple", 0, "how answers are printed (default: table)", 0},
    {"endpoints", KEY_ENDPOINTS, "HOST:PORT,...", 0,
     "RESP edges (default: QUORATE_ENDPOINTS, else " OPERATOR_DEFAULT_ENDPOINT ")", 0},
    {"timeout", KEY_TIMEOUT, "DURATION", 0,
     "how long a node may take to answer, such as 500ms (default: 5s)", 0},
    {"cluster", KEY_CLUSTER, "HEX", 0,
     "bootstrap: finish one that reached only some nodes, under its name", 1},
    {"to", KEY_TO, "ID", 0, "move-leader: who shall lead (default: whose log is the longest)", 1},
    {"balance", KEY_BALANCE, NULL, 0, "move-leader: until all voters lead equally many groups", 1},
    {"address", KEY_ADDRESS, "IP:PORT", 0,
     "member add, replace: the node must have this address (default: whatever it has)", 1},
    {"witness", KEY_WITNESS, NULL, 0,
     "member promote: to a witness, which votes and keeps no copy of the data", 1},
    {"topology", KEY_TOPOLOGY, "XML|SYNTHETIC", 0,
     "plan: a machine that lstopo described, or \"pack:2 core:8 pu:2\" (default: this one)", 1},
    {"nic", KEY_NIC, "PCI", 0, "plan: address of the network card", 1},
    {"lanes", KEY_LANES, "N", 0, "plan: polling pipelines (default: 1)", 1},
    {"cores", KEY_CORES, "N", 0, "plan: polling cores (default: 1)", 1},
    {"config", KEY_CONFIG, "FILE", 0,
     "plan: what quorated will do with this file, or these, if given several times; snapshot "
     "restore: a new member's",
     1},
    {"group", KEY_GROUP, "G", 0, "snapshot save: this group alone (default: all)", 1},
    {"data", KEY_DATA, "FOLDER", 0, "snapshot restore: where a folder for each member is made", 1},
    {"id", KEY_ID, "ID", 0,
     "snapshot restore: a member, given once for each (default: all that the file names)", 1},
    {0},
};

struct verb {
    const char *name;
    const char *second; /* NULL: the verb is one word */
    uint32_t words;     /* with all arguments; 0: the verb looks itself */
    operator_verb *run; /* NULL: not in this version */
};

static const struct verb verbs[] = {
    {"status", NULL, 1, operator_status},
    {"member", "list", 2, operator_members},
    {"member", "add", 0, operator_member},
    {"member", "promote", 0, operator_member},
    {"member", "remove", 0, operator_member},
    {"member", "replace", 0, operator_member},
    {"ping", NULL, 1, operator_ping},
    {"put", NULL, 0, operator_key},
    {"get", NULL, 0, operator_key},
    {"del", NULL, 0, operator_key},
    {"cas", NULL, 0, operator_key},
    {"incr", NULL, 0, operator_key},
    {"bootstrap", NULL, 1, operator_bootstrap},
    {"move-leader", NULL, 1, operator_move_leader},
    {"upgrade", NULL, 1, operator_upgrade},
    {"plan", NULL, 1, operator_plan},
    {"keygen", NULL, 0, operator_keygen},
    {"snapshot", "save", 0, operator_snapshot},
    {"snapshot", "check", 0, operator_snapshot},
    {"snapshot", "restore", 0, operator_snapshot},
    {"watch", NULL, 0, NULL},
    {"top", NULL, 0, NULL},
};

bool operator_endpoints(struct operator_options *options, const char *list)
{
    options->endpoint_count = 0;
    for (const char *at = list;; at++) {
        size_t bytes = strcspn(at, ",");
        if (bytes == 0 || bytes >= OPERATOR_ENDPOINT_MAX ||
            options->endpoint_count == OPERATOR_ENDPOINTS_MAX)
            return false;
        char *to = options->endpoint[options->endpoint_count++];
        memcpy(to, at, bytes);
        to[bytes] = '\0';
        at += bytes;
        if (*at == '\0')
            return true;
    }
}

static void parse_output(struct operator_options *options, const char *text,
                         const struct argp_state *state)
{
    static const char *const names[] = {"table", "json", "simple"};
    for (uint32_t i = 0; i < COUNT_OF(names); i++)
        if (strcmp(text, names[i]) == 0) {
            options->output = (enum operator_output)i;
            return;
        }
    argp_error(state, "an output is table, json or simple");
}

static unsigned long long parse_number(const char *text, int base, unsigned long long max,
                                       const struct argp_state *state)
{
    char *end;
    unsigned long long value = strtoull(text, &end, base);
    if (text[0] == '-' || *end != '\0' || value == 0 || value > max)
        argp_error(state, "'%s' is no acceptable number", text);
    return value;
}

static uint32_t parse_duration_ms(const char *text, const struct argp_state *state)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    unsigned long long unit_ms = strcmp(end, "ms") == 0 ? 1 : strcmp(end, "s") == 0 ? 1000 : 0;
    if (text[0] < '0' || text[0] > '9' || unit_ms == 0 || value == 0 || value > 3600)
        argp_error(state, "a duration is a number up to 3600 with its unit: 500ms, 5s");
    return (uint32_t)(value * unit_ms);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct operator_options *options = state->input;
    switch (key) {
    case 'o':
        parse_output(options, text, state);
        return 0;
    case KEY_ENDPOINTS:
        if (!operator_endpoints(options, text))
            argp_error(state, "endpoints are HOST:PORT,HOST:PORT,...");
        return 0;
    case KEY_TIMEOUT:
        options->timeout_ms = parse_duration_ms(text, state);
        return 0;
    case KEY_CLUSTER:
        options->cluster = parse_number(text, 16, UINT64_MAX, state);
        return 0;
    case KEY_TO:
        options->to = (uint32_t)parse_number(text, 10, 65534, state);
        return 0;
    case KEY_BALANCE:
        options->balance = true;
        return 0;
    case KEY_WITNESS:
        options->witness = true;
        return 0;
    case KEY_ADDRESS:
        options->address = text;
        return 0;
    case KEY_TOPOLOGY:
        options->topology = text;
        return 0;
    case KEY_NIC:
        options->nic = text;
        return 0;
    case KEY_LANES:
        options->lanes = (uint32_t)parse_number(text, 10, WIRE_LANES_MAX, state);
        return 0;
    case KEY_CORES:
        options->cores = (uint32_t)parse_number(text, 10, HOST_CORES_MAX, state);
        return 0;
    case KEY_CONFIG:
        if (options->config_count == OPERATOR_CONFIGS_MAX)
            argp_error(state, "too many configuration files");
        options->config[options->config_count++] = text;
        return 0;
    case KEY_GROUP:
        options->group =
            strcmp(text, "0") == 0 ? 0 : (uint32_t)parse_number(text, 10, UINT16_MAX, state);
        return 0;
    case KEY_DATA:
        options->data = text;
        return 0;
    case KEY_ID:
        if (options->id_count == OPERATOR_IDS_MAX)
            argp_error(state, "too many ids");
        options->id[options->id_count++] = (uint32_t)parse_number(text, 10, 65534, state);
        return 0;
    case ARGP_KEY_ARG:
        if (options->word_count == OPERATOR_ARGUMENTS_MAX)
            argp_error(state, "too many arguments");
        options->word[options->word_count++] = text;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct verb *find(const struct operator_options *options)
{
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        bool first = strcmp(verbs[i].name, options->word[0]) == 0;
        bool second = verbs[i].second == NULL ||
                      (options->word_count > 1 && strcmp(verbs[i].second, options->word[1]) == 0);
        if (first && second)
            return &verbs[i];
    }
    return NULL;
}

int main(int count, char **words)
{
    static struct operator_options options = {.timeout_ms = OPERATOR_ANSWER_MS,
                                              .group = OPERATOR_ALL_GROUPS};
    static const struct argp parser = {option_list, parse, "VERB [ARGUMENT...]", doc, NULL,
                                       NULL,        NULL};
    argp_parse(&parser, count, words, ARGP_IN_ORDER, NULL, &options);
    const char *list = getenv("QUORATE_ENDPOINTS");
    if (list == NULL || list[0] == '\0')
        list = OPERATOR_DEFAULT_ENDPOINT;
    if (options.endpoint_count == 0 && !operator_endpoints(&options, list)) {
        operator_complain(NULL, "QUORATE_ENDPOINTS is not HOST:PORT,HOST:PORT,...");
        return EX_USAGE;
    }
    const struct verb *verb = find(&options);
    if (verb == NULL || (verb->words != 0 && verb->words != options.word_count)) {
        operator_complain(NULL, "%s '%s'; see --help",
                          verb == NULL ? "there is no verb" : "too many arguments for",
                          options.word[0]);
        return EX_USAGE;
    }
    if (verb->run == NULL) {
        operator_complain(NULL, "not in this version: %s%s%s", verb->name,
                          verb->second == NULL ? "" : " ",
                          verb->second == NULL ? "" : verb->second);
        return EX_UNAVAILABLE;
    }
    int code = verb->run(&options);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        operator_complain(NULL, "standard output takes no more: %s", strerror(errno));
        return EX_OSERR;
    }
    return code;
}

/* NOLINTEND(concurrency-mt-unsafe) */
