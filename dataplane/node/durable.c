/* durable.c: what a node keeps in its folder: who it is, and a write-ahead log per lane; and how it
 * comes back from them. */
#include "dataplane/node/agreed.h"
#include "dataplane/node/internal.h"

#include "dataplane/log/wal.h"

#define LOG_PATH_MAX      512u
#define SEGMENT_BYTES_MIN (UINT64_C(16) << 20) /* twice the largest write: wal.h */

bool node_log_path(const struct node_config *config, uint32_t lane, char *path, size_t bytes)
{
    int length = snprintf(path, bytes, "%s/node-%u-lane-%u.wal", config->data, (unsigned)config->id,
                          (unsigned)lane);
    return length > 0 && (size_t)length < bytes;
}

static bool refuse(char *error, const char *sentence)
{
    (void)snprintf(error, HOST_ERROR_MAX, "%s", sentence);
    return false;
}

static struct wal_config wal_config_of(const struct node *node, uint32_t lane)
{
    struct wal_config config;
    wal_config_defaults(&config);
    config.cluster = node->identity.cluster;
    config.nonce = node->incarnation;
    config.nonce_known = true;
    config.made = node->identity.made;
    config.segment_bytes =
        max_u64(SEGMENT_BYTES_MIN, node->config.log_file_bytes / config.segments);
    config.segments = (uint32_t)(node->config.log_file_bytes / config.segment_bytes);
    config.group_count = node->config.group_count;
    config.node = node->config.id;
    config.lane = (uint8_t)lane;
    config.lanes = (uint8_t)node->config.lane_count;
    config.file = node->lane[lane].file;
    return config;
}

/* ---- who it is ------------------------------------------------------------------------------- */

bool node_identity_open(struct node *node, char *error)
{
    char path[LOG_PATH_MAX];
    struct identity *identity = &node->identity;
    if (node->config.data == NULL)
        return true;
    if (!node_identity_path(&node->config, path, sizeof path))
        return refuse(error, "[storage] data: the name of the folder is too long");
    if (!identity_open(&node->identity_file, path, identity, error))
        return false;
    if (identity->edition == 0) {
        identity->node = node->config.id;
        identity->incarnation = node->incarnation;
    } else if (identity->node != node->config.id) {
        return refuse(error, "the .id file in [storage] data is another node's");
    }
    node->incarnation = identity->incarnation;
    uint64_t agreed = agreed_hash(&node->config);
    if (identity->cluster != 0 && identity->agreed != agreed)
        return refuse(error, "what all members have agreed on (groups, keys, bytes, session_ttl, "
                             "election_timeout) is not what the log was written with: put it back");
    if (identity->edition != 0 && identity->agreed == agreed)
        return true;
    identity->agreed = agreed;
    return identity_write(&node->identity_file, identity) ||
           refuse(error, "[storage] data: the .id file can not be written");
}

bool node_identity_made(struct node *node, char *error)
{
    if (node->config.data == NULL || node->identity.made)
        return true;
    node->identity.made = true;
    return identity_write(&node->identity_file, &node->identity) ||
           refuse(error, "[storage] data: the .id file can not be written");
}

/* First who the members are, then the logs: whoever restarts between them binds the logs then. */
bool node_remember(struct node *node, const struct view *view)
{
    struct identity next = node->identity;
    if (node->config.data == NULL)
        return true;
    next.cluster = view->cluster;
    next.member_count = view->first.count;
    for (uint32_t i = 0; i < view->first.count; i++) {
        next.member[i] = view->first.member[i].id;
        next.member_incarnation[i] = view->first.member[i].nonce;
    }
    next.place_count = 0;
    for (uint32_t i = 0; i < view->member_count; i++) {
        const struct view_member *member = &view->member[i];
        if (member->guest)
            next.place[next.place_count++] = (struct identity_place){
                .incarnation = member->incarnation,
                .ip = member->ip,
                .port = member->port[0],
                .id = member->id,
            };
    }
    if (!identity_write(&node->identity_file, &next))
        return false;
    node->identity = next;
    bool bound = true;
    for (uint32_t i = 0; i < node->config.lane_count; i++)
        bound = bound && wal_bind(node->lane[i].storage, view->cluster);
    return bound;
}

/* ---- its logs -------------------------------------------------------------------------------- */

size_t node_storage_footprint(const struct node *node, uint32_t lane)
{
    if (node->config.data == NULL)
        return round_up(storage_volatile_footprint(), CACHE_LINE_BYTES);
    struct wal_config config = wal_config_of(node, lane);
    return round_up(wal_footprint(&config), CACHE_LINE_BYTES);
}

/* System calls in a thread of their own: none on the polling core. */
static struct wal_file *open_file(const struct node *node, uint32_t lane, char *error)
{
    char path[LOG_PATH_MAX];
    if (!node_log_path(&node->config, lane, path, sizeof path)) {
        (void)refuse(error, "[storage] data: the name of the folder is too long");
        return NULL;
    }
    struct wal_file *file = wal_file_open(path, WAL_FILE_BEST, error);
    if (file == NULL)
        return NULL;
    struct wal_thread_config config;
    wal_thread_config_defaults(&config);
    /* Whoever starts nodes has been bound to the core of control threads by then. */
    config.cpus = CPU_COUNT(&node->host->cpus) != 0 ? &node->host->cpus : NULL;
    file = wal_thread_open(file, &config);
    if (file == NULL)
        (void)refuse(error, "no thread could be started for a log");
    return file;
}

struct storage *node_storage_open(struct node *node, uint32_t lane, void *memory, char *error)
{
    static_assert(WAL_FILE_ERROR_MAX <= HOST_ERROR_MAX, "its sentences are passed on");
    if (node->config.data == NULL)
        return storage_volatile_init(memory);
    node->lane[lane].file = open_file(node, lane, error);
    if (node->lane[lane].file == NULL)
        return NULL;
    struct wal_config config = wal_config_of(node, lane);
    enum wal_refusal refusal;
    struct storage *storage = wal_open(memory, &config, &refusal);
    if (storage == NULL)
        (void)snprintf(error, HOST_ERROR_MAX, "lane %u: %s", (unsigned)lane,
                       wal_refusal_sentence(refusal));
    return storage;
}

/* How many others belong to the group, as its log says, or else the first configuration. */
static uint32_t others_in(const struct node *node, struct storage *storage, uint16_t group,
                          const struct storage_recovered *found)
{
    const struct identity *identity = &node->identity;
    uint32_t others = 0;
    for (uint64_t i = found->last; i >= found->first; i--) {
        const struct wire_entry *entry = wal_recover_entry(storage, group, i);
        struct wire_members members;
        if (entry->kind != WIRE_ENTRY_CONFIG ||
            wire_members_decode((const uint8_t *)(entry + 1), entry->body_bytes, &members) !=
                WIRE_OK)
            continue;
        for (uint32_t m = 0; m < members.count; m++)
            others += members.member[m].id != node->config.id;
        return others;
    }
    for (uint32_t m = 0; m < identity->member_count; m++)
        others += identity->member[m] != node->config.id;
    return others;
}

/* Nobody else could mend it. */
static bool check_damage(struct node *node, uint32_t lane, char *error)
{
    const struct node_config *config = &node->config;
    struct storage *storage = node->lane[lane].storage;
    for (uint32_t group = lane; group < config->group_count; group += config->lane_count) {
        struct storage_recovered found;
        if (!wal_recover(storage, (uint16_t)group, &found) || !found.damaged)
            continue;
        node->mending = true;
        if (node->identity.cluster != 0 && others_in(node, storage, (uint16_t)group, &found) == 0)
            return refuse(error,
                          "the log is damaged, and there is no other member to mend it from");
    }
    return true;
}

bool node_recover(struct node *node, uint32_t lane, char *error)
{
    struct node_lane *seat = &node->lane[lane];
    if (node->config.data == NULL)
        return true;
    struct storage_recovered found;
    if (wal_recover(seat->storage, (uint16_t)lane, &found))
        node->boots = max_u64(node->boots, found.boots);
    if (!check_damage(node, lane, error))
        return false;
    const char *wrong = lane_recover(seat->lane);
    wal_recovered(seat->storage);
    if (wrong != NULL)
        (void)snprintf(error, HOST_ERROR_MAX, "lane %u: %s", (unsigned)lane, wrong);
    return wrong == NULL;
}

void node_mend(struct node *node)
{
    const struct node_config *config = &node->config;
    bool doubt = false;
    for (uint16_t g = 0; node->mending && g < config->group_count; g++) {
        struct lane_group_status status;
        struct storage *storage = node->lane[g % config->lane_count].storage;
        bool matched = node_group_status(node, g, &status) && status.role != 0 && !status.doubtful;
        doubt |= !matched || !wal_matched(storage, g); /* what can not be written is tried again */
    }
    node->mending = doubt;
}

/* After the lane: what it submitted last is as if the power had gone. */
void node_storage_close(struct node *node, uint32_t lane)
{
    struct node_lane *seat = &node->lane[lane];
    if (seat->file == NULL)
        return;
    if (seat->storage != NULL)
        wal_close(seat->storage);
    seat->file->calls->close(seat->file);
    seat->file = NULL;
}

uint64_t node_storage_cpu_ns(const struct node *node)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < node->config.lane_count; i++)
        if (node->lane[i].file != NULL)
            sum += wal_file_cpu_ns(node->lane[i].file);
    return sum;
}

/* ---- what it says of them -------------------------------------------------------------------- */

/* The age that this many thousandths of the writes did not exceed, in microseconds. */
static json_int_t age_us(const struct storage_report *report, uint64_t thousandths)
{
    uint64_t sum = 0, step = 0;
    while (step < STORAGE_AGES - 1 &&
           (sum += report->ages[step]) * 1000 < report->writes * thousandths)
        step++;
    return report->writes == 0 ? 0 : (json_int_t)(storage_age_step_ns((uint32_t)step) / 1000);
}

static json_t *lane_report(const struct storage *storage)
{
    struct storage_report report;
    storage_report(storage, &report);
    return json_pack(
        "{s:s, s:b, s:i, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "calls", report.backend,
        "failed", (int)storage_failed(storage), "error", report.error, "full",
        (int)storage_full(storage), "room_bytes", (json_int_t)report.room_bytes, "capacity_bytes",
        (json_int_t)report.capacity_bytes, "writes", (json_int_t)report.writes, "write_bytes",
        (json_int_t)report.write_bytes, "age_p50_us", age_us(&report, 500), "age_p99_us",
        age_us(&report, 990), "age_max_us", age_us(&report, 1000));
}

void node_storage_report(const struct node *node, json_t *status)
{
    json_t *lanes = json_array();
    for (uint32_t i = 0; node->config.data != NULL && i < node->config.lane_count; i++)
        (void)json_array_append_new(lanes, lane_report(node->lane[i].storage));
    (void)json_object_set_new(status, "storage", lanes);
}
