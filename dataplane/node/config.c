#include "dataplane/node/config.h"

#include "dataplane/node/clients.h"
#include "dataplane/port/open.h"

#include <errno.h>
#include <ini.h>
#include <string.h>

static bool choice(const char *text, const char *const *words, int *value)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(text, words[i]) == 0) {
            *value = i;
            return true;
        }
    }
    return false;
}

static bool copy_text(const char *text, char *to, size_t bytes)
{
    if (strlen(text) >= bytes)
        return false;
    memcpy(to, text, strlen(text) + 1);
    return true;
}

static const char *const yes_no[] = {"no", "yes", NULL};

static bool set_bool(const char *text, bool *value)
{
    int which = 0;
    bool good = choice(text, yes_no, &which);
    *value = which == 1;
    return good;
}

static bool set_u16(const char *text, uint64_t least, uint64_t most, uint16_t *value)
{
    uint64_t number;
    bool good = config_whole(text, least, most, &number);
    *value = (uint16_t)number;
    return good;
}

static bool set_node(struct node_file *file, const char *text)
{
    return set_u16(text, 1, RAFT_NOBODY - 1, &file->node.id);
}

static bool set_lanes(struct node_file *file, const char *text)
{
    return set_u16(text, 0, UINT16_MAX, &file->node.lane_count);
}

static bool set_groups(struct node_file *file, const char *text)
{
    return set_u16(text, 0, UINT16_MAX, &file->node.group_count);
}

static bool set_members(struct node_file *file, const char *text)
{
    file->member_list = true;
    return !file->member_keys && config_members(text, &file->node);
}

static bool set_voters(struct node_file *file, const char *text)
{
    return set_u16(text, 0, VIEW_MEMBERS_MAX, &file->node.voters);
}

static bool set_port_name(struct node_file *file, const char *text)
{
    bool pci = strlen(text) == 12 && text[4] == ':' && text[7] == ':' && text[10] == '.';
    if (pci) {
        (void)copy_text(text, file->nic, sizeof file->nic);
        file->host.pci = true;
    }
    return copy_text(text, file->node.port_name, sizeof file->node.port_name);
}

static bool set_address(struct node_file *file, const char *text)
{
    return config_network(text, &file->node.ip, &file->node.prefix_bits);
}

static bool set_gateway(struct node_file *file, const char *text)
{
    return config_address(text, &file->node.gateway_ip);
}

static bool set_udp_port(struct node_file *file, const char *text)
{
    return set_u16(text, 0, UINT16_MAX, &file->node.udp_port);
}

static bool set_mtu(struct node_file *file, const char *text)
{
    return set_u16(text, 0, UINT16_MAX, &file->node.mtu);
}

static bool set_capture(struct node_file *file, const char *text)
{
    return copy_text(text, file->capture, sizeof file->capture);
}

static bool set_heartbeat(struct node_file *file, const char *text)
{
    return config_duration_ns(text, &file->node.heartbeat_ns);
}

static bool set_election(struct node_file *file, const char *text)
{
    return config_duration_ns(text, &file->node.election_timeout_ns);
}

static bool set_election_max(struct node_file *file, const char *text)
{
    return config_duration_ns(text, &file->node.election_timeout_max_ns);
}

static bool set_lease(struct node_file *file, const char *text)
{
    return set_bool(text, &file->node.lease_reads);
}

static bool set_priority(struct node_file *file, const char *text)
{
    uint64_t value;
    if (!config_whole(text, 0, LANE_PRIORITY_MAX, &value))
        return false;
    file->node.priority = (uint8_t)value;
    return true;
}

static bool set_handover(struct node_file *file, const char *text)
{
    uint64_t *ns = &file->node.handover_ns;
    *ns = 0;
    return strcmp(text, "never") == 0 || (config_duration_ns(text, ns) && *ns != 0);
}

static bool set_durability(struct node_file *file, const char *text)
{
    static const char *const words[] = {"volatile", "fsync", NULL};
    int which = 0;
    bool good = choice(text, words, &which);
    file->durable = which == 1;
    return good;
}

static bool set_data(struct node_file *file, const char *text)
{
    return text[0] != '\0' && copy_text(text, file->data, sizeof file->data);
}

static bool set_log_file(struct node_file *file, const char *text)
{
    return config_size_bytes(text, &file->node.log_file_bytes);
}

static bool set_write_age(struct node_file *file, const char *text)
{
    return config_duration_ns(text, &file->node.write_age_max_ns);
}

static bool set_strict(struct node_file *file, const char *text)
{
    return set_bool(text, &file->node.strict_restart);
}

static bool set_snapshot_after(struct node_file *file, const char *text)
{
    file->node.snapshot_never = strcmp(text, "never") == 0;
    return file->node.snapshot_never || config_size_bytes(text, &file->node.snapshot_after_bytes);
}

static bool set_snapshot_rate(struct node_file *file, const char *text)
{
    return config_size_bytes(text, &file->node.snapshot_rate_bytes);
}

static bool set_log(struct node_file *file, const char *text)
{
    return config_size_bytes(text, &file->node.log_bytes);
}

static bool set_keys(struct node_file *file, const char *text)
{
    uint64_t keys;
    bool good = config_whole(text, 0, UINT32_MAX, &keys);
    file->node.state.keys_max = (uint32_t)keys;
    return good;
}

static bool set_bytes(struct node_file *file, const char *text)
{
    return config_size_bytes(text, &file->node.state.bytes_max);
}

static bool set_session_ttl(struct node_file *file, const char *text)
{
    uint64_t ns;
    bool good = config_duration_ns(text, &ns);
    file->node.state.session_ttl_ms = ns / 1000000;
    return good && ns >= 1000000;
}

static bool set_listen(struct node_file *file, const char *text)
{
    file->node.resp = strcmp(text, "off") != 0;
    return !file->node.resp || config_endpoint(text, &file->node.resp_ip, &file->node.resp_port);
}

static bool set_sign(struct node_file *file, const char *text)
{
    return set_bool(text, &file->node.clients.sign);
}

static bool set_client_keys(struct node_file *file, const char *text)
{
    return copy_text(text, file->client_keys, sizeof file->client_keys);
}

static bool set_client_tables(struct node_file *file, const char *text)
{
    uint64_t tables;
    bool good = config_whole(text, 1, 65536, &tables);
    file->node.clients.tables = (uint32_t)tables;
    return good;
}

static bool set_table_memory(struct node_file *file, const char *text)
{
    return config_size_bytes(text, &file->node.clients.table_bytes);
}

static bool set_cores(struct node_file *file, const char *text)
{
    uint64_t cores;
    bool good = config_whole(text, 1, HOST_CORES_MAX, &cores);
    file->host.cores = (uint32_t)cores;
    return good;
}

static bool set_split(struct node_file *file, const char *text)
{
    file->split_given = true;
    return placement_parse_cuts(text, &file->host.cuts);
}

static bool set_idle(struct node_file *file, const char *text)
{
    static const char *const words[] = {"yield", "spin", "sleep", NULL};
    int which = 0;
    bool good = choice(text, words, &which);
    file->host.idle = (enum idle_policy)which;
    return good;
}

static bool set_huge(struct node_file *file, const char *text)
{
    static const char *const words[] = {"auto", "none", "required", NULL};
    int which = 0;
    bool good = choice(text, words, &which);
    file->host.huge = (enum huge_policy)which;
    return good;
}

static bool set_pci(struct node_file *file, const char *text)
{
    return set_bool(text, &file->host.pci);
}

static bool set_eal(struct node_file *file, const char *text)
{
    return copy_text(text, file->eal, sizeof file->eal);
}

struct key {
    const char *section;
    const char *name;
    bool (*set)(struct node_file *, const char *);
    const char *wants;
};

static const struct key keys[] = {
    {"node", "id", set_node, "a number from 1 to 65534"},
    {"node", "lanes", set_lanes, "a number"},
    {"node", "groups", set_groups, "a number"},
    {"cluster", "members", set_members,
     "id@address:port,... with rising ids, and no member.ID beside it"},
    {"cluster", "voters", set_voters, "a number from 0 to 64"},
    {"port", "name", set_port_name,
     "ring, a DPDK device such as net_af_packet0,iface=dp0, or a PCI address"},
    {"port", "address", set_address, "an IPv4 address with its prefix, such as 10.1.0.1/24"},
    {"port", "gateway", set_gateway, "an IPv4 address"},
    {"port", "udp_port", set_udp_port, "a UDP port"},
    {"port", "mtu", set_mtu, "a number of bytes, without a unit"},
    {"port", "capture", set_capture, "a path for pcap files"},
    {"raft", "heartbeat", set_heartbeat, "a duration with its unit, such as 20ms"},
    {"raft", "election_timeout", set_election, "a duration with its unit, such as 100ms"},
    {"raft", "election_timeout_max", set_election_max, "a duration with its unit, such as 200ms"},
    {"raft", "lease_reads", set_lease, "yes or no"},
    {"raft", "priority", set_priority, "a number from 0 to 3"},
    {"raft", "handover", set_handover, "never, or a duration with its unit, such as 10s"},
    {"storage", "durability", set_durability, "volatile or fsync"},
    {"storage", "data", set_data, "a folder"},
    {"storage", "log_file", set_log_file, "a size with its unit, such as 1GiB"},
    {"storage", "write_age_max", set_write_age, "a duration with its unit, such as 1s"},
    {"storage", "strict_restart", set_strict, "yes or no"},
    {"storage", "snapshot_after", set_snapshot_after,
     "never, or a size with its unit, such as 256MiB"},
    {"storage", "snapshot_rate", set_snapshot_rate, "a size with its unit, such as 64MiB"},
    {"storage", "log", set_log, "a size with its unit, such as 64MiB"},
    {"state", "keys", set_keys, "a number, without a unit"},
    {"state", "bytes", set_bytes, "a size with its unit, such as 512MiB"},
    {"state", "session_ttl", set_session_ttl, "a duration with its unit, such as 60s"},
    {"clients", "sign", set_sign, "yes or no"},
    {"clients", "keys", set_client_keys, "a path of a list of public keys"},
    {"clients", "tables", set_client_tables, "a number from 1 to 65536"},
    {"clients", "table_memory", set_table_memory, "a size with its unit, such as 64MiB"},
    {"resp", "listen", set_listen, "address:port, or off"},
    {"host", "cores", set_cores, "a number from 1 to 16"},
    {"host", "split", set_split, "no, or rooms that begin a stage, such as verify,order"},
    {"host", "idle", set_idle, "yield, spin or sleep"},
    {"host", "huge", set_huge, "auto, none or required"},
    {"host", "pci", set_pci, "yes or no"},
    {"host", "eal", set_eal, "arguments for EAL, separated by blanks"},
};

struct reading {
    struct node_file *file;
    char *error; /* what is wrong with the line that the parser will name */
};

static struct config_said *host_said(struct node_file *file, const char *name)
{
    for (uint32_t i = 0; i < file->host_said_count; i++)
        if (strcmp(file->host_said[i].name, name) == 0)
            return &file->host_said[i];
    return NULL;
}

static void remember(struct node_file *file, const char *name, const char *value)
{
    struct config_said *said = host_said(file, name);
    if (said == NULL)
        said = &file->host_said[file->host_said_count++];
    (void)copy_text(name, said->name, sizeof said->name);
    (void)copy_text(value, said->value, sizeof said->value);
}

/* member.3 = 10.1.0.3:7700 */
static int take_member(struct reading *reading, const char *id, const char *value)
{
    struct node_file *file = reading->file;
    file->member_keys = true;
    if (!file->member_list && config_member(id, value, &file->node))
        return 1;
    (void)snprintf(reading->error, HOST_ERROR_MAX,
                   "[cluster] member.%.20s = %.40s: wants address:port, an id from 1 to 65534, at "
                   "most %u of them, and no members = ... beside it",
                   id, value, VIEW_MEMBERS_MAX);
    return 0;
}

static int take_line(void *context, const char *section, const char *name, const char *value)
{
    struct reading *reading = context;
    if (strcmp(section, "cluster") == 0 && strncmp(name, "member.", 7) == 0)
        return take_member(reading, name + 7, value);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        if (strcmp(keys[i].section, section) != 0 || strcmp(keys[i].name, name) != 0)
            continue;
        if (keys[i].set(reading->file, value)) {
            if (strcmp(section, "host") == 0)
                remember(reading->file, name, value);
            return 1;
        }
        (void)snprintf(reading->error, HOST_ERROR_MAX, "[%s] %s = %.60s: wants %s", section, name,
                       value, keys[i].wants);
        return 0;
    }
    (void)snprintf(reading->error, HOST_ERROR_MAX, "[%.40s] %.40s: there is no such key", section,
                   name);
    return 0;
}

/* Lines for the parser, which would take the end of a long one for the next. */
struct lines {
    FILE *file;
    int count;
    int too_long; /* the first such line, 0: none */
};

static char *next_line(char *text, int bytes, void *context)
{
    struct lines *lines = context;
    if (lines->too_long != 0 || fgets(text, bytes, lines->file) == NULL)
        return NULL;
    lines->count++;
    size_t length = strlen(text);
    if (length < CONFIG_LINE_MAX || text[length - 1] == '\n')
        return text;
    int next = getc(lines->file); /* there was no room for the line's end */
    if (next == '\n' || next == EOF)
        return text;
    lines->too_long = lines->count;
    return NULL;
}

static int parse(const char *path, struct reading *reading)
{
    struct lines lines = {.file = fopen(path, "re")};
    _Static_assert(CONFIG_LINE_MAX == INI_MAX_LINE - 1, "what the parser has room for");
    if (lines.file == NULL)
        return -1;
    int line = ini_parse_stream(next_line, &lines, take_line, reading);
    (void)fclose(lines.file);
    if (line != 0 || lines.too_long == 0)
        return line;
    (void)snprintf(reading->error, HOST_ERROR_MAX,
                   "a line has at most %u characters; members may have one each: member.3 = "
                   "10.1.0.3:7700",
                   CONFIG_LINE_MAX);
    return lines.too_long;
}

static const char *inconsistent(const struct node_file *file, char fault[HOST_ERROR_MAX])
{
    const struct node_config *node = &file->node;
    if (!node_config_check(node, fault))
        return fault;
    if (file->durable && file->data[0] == '\0')
        return "[storage] durability = fsync wants data, a folder";
    if (!file->durable && file->data[0] != '\0')
        return "[storage] data is named, but durability is volatile: nothing would be kept there";
    for (uint32_t i = 0; i < node->member_count; i++)
        if (node->member[i] == node->id)
            return node->ip == node->member_ip[i] && node->udp_port == node->member_port[i]
                       ? NULL
                       : "[cluster] members gives this node another address than [port] does";
    return "[cluster] members does not name this node's id";
}

static bool list_clients(struct node_file *file, char error[HOST_ERROR_MAX])
{
    struct clients_list list;
    if (file->client_keys[0] == '\0')
        return true;
    if (!clients_load(file->client_keys, &list, error))
        return false;
    file->node.clients.key = (const uint8_t(*)[ED25519_KEY_BYTES])list.key;
    file->node.clients.key_count = list.count;
    return true;
}

bool config_load(const char *path, struct node_file *file, char error[HOST_ERROR_MAX])
{
    char wrong[HOST_ERROR_MAX] = "not of the form key = value";
    struct reading reading = {.file = file, .error = wrong};
    memset(file, 0, sizeof *file);
    host_config_defaults(&file->host);
    node_config_defaults(&file->node);
    int line = parse(path, &reading);
    const char *why = line < 0 ? strerrordesc_np(errno) : line > 0 ? wrong : NULL;
    if (why == NULL && !list_clients(file, error))
        return false;
    if (why == NULL)
        why = inconsistent(file, wrong);
    if (why != NULL) {
        char where[16] = "";
        if (line > 0)
            (void)snprintf(where, sizeof where, ":%d", line);
        (void)snprintf(error, HOST_ERROR_MAX, "%.64s%s: %.160s", path, where, why);
        return false;
    }
    /* Where clients sign, verification is what cores are wanted for first. */
    if (file->node.clients.sign && !file->split_given)
        file->host.cuts = PLACEMENT_CUT(PLACEMENT_VERIFY) | PLACEMENT_CUT(PLACEMENT_ORDER);
    file->host.lanes = file->node.lane_count;
    file->host.groups = file->node.group_count;
    file->host.mtu = file->node.mtu;
    file->host.port_name = file->node.port_name;
    file->host.nic = file->nic[0] != '\0' ? file->nic : NULL;
    file->host.eal_arguments = file->eal[0] != '\0' ? file->eal : NULL;
    file->node.data = file->durable ? file->data : NULL;
    file->node.capture_path = file->capture[0] != '\0' ? file->capture : NULL;
    return true;
}

/* What `file` says of the process goes into the first file's host; false: that says otherwise. */
static bool join_host(struct node_file *first, struct node_file *file, const char *path,
                      char error[HOST_ERROR_MAX])
{
    struct host_config *host = &first->host;
    struct reading reading = {.file = first, .error = error};
    for (uint32_t i = 0; i < file->host_said_count; i++) {
        const struct config_said *said = &file->host_said[i],
                                 *before = host_said(first, said->name);
        if (before != NULL && strcmp(before->value, said->value) != 0) {
            (void)snprintf(error, HOST_ERROR_MAX,
                           "%.64s: [host] %s = %.60s, in another file of this process it is %.60s",
                           path, said->name, said->value, before->value);
            return false;
        }
        if (before == NULL && take_line(&reading, "host", said->name, said->value) == 0)
            return false;
    }
    host->eal_arguments = first->eal[0] != '\0' ? first->eal : NULL;
    host->pci |= host_said(first, "pci") == NULL && file->host.pci;
    host->mtu = file->host.mtu > host->mtu ? file->host.mtu : host->mtu;
    host->groups = file->host.groups > host->groups ? file->host.groups : host->groups;
    if (host->nic == NULL)
        host->nic = file->host.nic;
    if (strcmp(host->port_name, "ring") == 0) /* the cheapest of ports */
        host->port_name = file->host.port_name;
    return true;
}

bool config_load_all(const char *const *paths, uint32_t count, struct node_file *files,
                     char error[HOST_ERROR_MAX])
{
    for (uint32_t i = 0; i < count; i++) {
        if (!config_load(paths[i], &files[i], error))
            return false;
        if (files[i].node.lane_count != files[0].node.lane_count) {
            (void)snprintf(error, HOST_ERROR_MAX,
                           "%.64s: [node] lanes = %u, in %.64s %u: nodes of one process must have "
                           "equally many",
                           paths[i], (unsigned)files[i].node.lane_count, paths[0],
                           (unsigned)files[0].node.lane_count);
            return false;
        }
        if (i > 0 && !join_host(&files[0], &files[i], paths[i], error))
            return false;
    }
    if (count * files[0].node.lane_count > PLACEMENT_LANE_MAX) {
        (void)snprintf(error, HOST_ERROR_MAX,
                       "[node] lanes = %u in %u files: at most %u lanes in a process",
                       (unsigned)files[0].node.lane_count, count, PLACEMENT_LANE_MAX);
        return false;
    }
    return true;
}
