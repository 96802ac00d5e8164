/* restore.c: snapshot restore: what was saved of one cluster becomes the folders from which the
 * members of another start. All is looked at before anything is made; what is made has another name
 * until all of it is there. */
#include "dataplane/operator/snapshot.h"

#include "dataplane/node/agreed.h"
#include "dataplane/node/config.h"
#include "dataplane/node/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

struct restoration {
    struct node_file file;
    struct node_config config; /* a new member's, one after the other */
    int from;                  /* the folder with what was saved */
    struct snapshot_head old;  /* of group 0 */
    uint64_t index[LANE_GROUPS_MAX];
    struct snapshot_head as;
    const char *path;
    char part[512]; /* its name while it is being made */
};

/* ---- what is asked for ----------------------------------------------------------------------- */

static bool is_named(const struct node_config *config, uint32_t id)
{
    for (uint32_t i = 0; i < config->member_count; i++)
        if (config->member[i] == id)
            return true;
    return id == config->id;
}

static bool put_member(struct wire_members *members, uint32_t id)
{
    uint32_t at = members->count;
    if (at == WIRE_MEMBERS_MAX)
        return false;
    for (; at > 0 && members->member[at - 1].id >= id; at--)
        members->member[at] = members->member[at - 1];
    members->member[at] = (struct wire_member){.id = (uint16_t)id, .role = WIRE_ROLE_VOTER};
    members->count++;
    return at + 1 == members->count || members->member[at + 1].id != id;
}

/* Those that the operator names, or else the file. */
static int choose_members(const struct operator_options *options, struct restoration *job)
{
    const struct node_config *config = &job->file.node;
    struct wire_members *members = &job->as.members;
    for (uint32_t i = 0; i < options->id_count; i++) {
        if (!is_named(config, options->id[i])) {
            operator_complain(options->config[0],
                              "[cluster] members has no node %u: nobody would know where it is",
                              options->id[i]);
            return EX_CONFIG;
        }
        if (!put_member(members, options->id[i])) {
            operator_complain(NULL, "--id %u is there twice", options->id[i]);
            return EX_USAGE;
        }
    }
    for (uint32_t i = 0; options->id_count == 0 && i < config->member_count; i++)
        (void)put_member(members, config->member[i]);
    if (members->count == 0)
        (void)put_member(members, config->id);
    return EX_OK;
}

static int read_words(const struct operator_options *options, struct restoration *job)
{
    char error[HOST_ERROR_MAX];
    struct stat there;
    if (options->word_count != 3 || options->config_count != 1 || options->data == NULL) {
        operator_complain("snapshot", "restore wants a folder that was saved, --config FILE of one "
                                      "member, and --data FOLDER for what it makes");
        return EX_USAGE;
    }
    if (!config_load_all(options->config, 1, &job->file, error) ||
        !node_config_check(&job->file.node, error)) {
        operator_complain(NULL, "%s", error);
        return EX_CONFIG;
    }
    if (!job->file.durable) {
        operator_complain(options->config[0], "says durability = volatile: a node with it would "
                                              "not read what is restored");
        return EX_CONFIG;
    }
    job->path = options->data;
    int length = snprintf(job->part, sizeof job->part, "%s.new", job->path);
    bool fits = length > 0 && (size_t)length + 64 < sizeof job->part;
    if (!fits || lstat(job->path, &there) == 0 || lstat(job->part, &there) == 0) {
        operator_complain(job->path, fits
                                         ? "it, or what an earlier attempt has left under its name "
                                           "with .new behind, is there already: remove it, or "
                                           "name another"
                                         : "this name is too long");
        return EX_CANTCREAT;
    }
    return choose_members(options, job);
}

/* ---- what was saved -------------------------------------------------------------------------- */

/* Every node will have to do just that. */
static int try_load(const struct restoration *job, const char *name,
                    const struct snapshot_head *head)
{
    const struct state_config *config = &job->file.node.state;
    size_t bytes = state_footprint(config);
    void *memory = bytes == 0 ? MAP_FAILED
                              : mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return snapshot_complain(name, SNAPSHOT_REFUSED_MEMORY);
    struct snapshot_about about;
    struct state *state;
    enum state_load_refusal why;
    enum snapshot_refusal refusal =
        snapshot_file_load(job->from, name, head, memory, config, &about, &state, &why);
    (void)munmap(memory, bytes);
    if (refusal == SNAPSHOT_OK)
        return EX_OK;
    if (refusal != SNAPSHOT_REFUSED_STATE)
        return snapshot_complain(name, refusal);
    operator_complain(name, "with the settings in --config: %s", state_load_refusal_sentence(why));
    return EX_DATAERR;
}

static int look_at_group(struct restoration *job, uint32_t group)
{
    char name[SNAPSHOT_FILE_NAME_MAX];
    struct snapshot_about about;
    snapshot_file_name(group, name);
    errno = 0;
    enum snapshot_refusal refusal = snapshot_file_check(job->from, name, &about);
    if (refusal == SNAPSHOT_REFUSED_FILE && errno == ENOENT) {
        operator_complain(name, "is not there, and the configuration has groups = %u",
                          (unsigned)job->file.node.group_count);
        return EX_DATAERR;
    }
    if (refusal != SNAPSHOT_OK)
        return snapshot_complain(name, refusal);
    const struct snapshot_head *head = &about.head;
    if (group == 0)
        job->old = *head;
    if (head->group != group || head->cluster != job->old.cluster ||
        head->config_hash != job->old.config_hash)
        return snapshot_complain(name, SNAPSHOT_REFUSED_FOREIGN);
    job->index[group] = head->index;
    return try_load(job, name, head);
}

static int look_at_all(struct restoration *job)
{
    uint32_t groups = job->file.node.group_count;
    char name[SNAPSHOT_FILE_NAME_MAX];
    struct stat there;
    snapshot_file_name(groups, name);
    if (fstatat(job->from, name, &there, 0) == 0) {
        operator_complain(name,
                          "is there, and the configuration has groups = %u: where a key is "
                          "depends on how many there are",
                          groups);
        return EX_DATAERR;
    }
    int code = EX_OK;
    for (uint32_t group = 0; group < groups && code == EX_OK; group++)
        code = look_at_group(job, group);
    return code;
}

/* ---- what is made ---------------------------------------------------------------------------- */

static bool draw(uint64_t *number)
{
    *number = 0;
    while (*number == 0)
        if (getrandom(number, sizeof *number, 0) != (ssize_t)sizeof *number)
            return false;
    return true;
}

/* Nobody has met them: neither the cluster nor any of its members. */
static bool draw_all(struct restoration *job)
{
    struct snapshot_head *as = &job->as;
    bool drawn = draw(&as->cluster);
    for (uint32_t i = 0; i < as->members.count; i++)
        drawn = drawn && draw(&as->members.member[i].nonce);
    as->config_hash = agreed_configuration(as->cluster, &as->members, agreed_hash(&job->file.node));
    return drawn;
}

/* Where the files of a member go, while they are made. */
static void name_folder(struct restoration *job, uint32_t member, char path[sizeof job->part])
{
    unsigned id = job->as.members.member[member].id;
    (void)snprintf(path, sizeof job->part, "%.480s/node-%u", job->part, id);
    job->config = job->file.node;
    job->config.id = (uint16_t)id;
    job->config.data = path;
}

static int write_identity(const struct restoration *job, uint32_t member)
{
    char path[sizeof job->part + 32], error[HOST_ERROR_MAX];
    struct identity_file file;
    struct identity identity;
    const struct wire_members *members = &job->as.members;
    if (!node_identity_path(&job->config, path, sizeof path) ||
        !identity_open(&file, path, &identity, error)) {
        operator_complain(NULL, "%s", error);
        return EX_CANTCREAT;
    }
    identity = (struct identity){
        .incarnation = members->member[member].nonce,
        .cluster = job->as.cluster,
        .agreed = agreed_hash(&job->config),
        .node = job->config.id,
        .member_count = members->count,
    };
    for (uint32_t i = 0; i < members->count; i++) {
        identity.member[i] = members->member[i].id;
        identity.member_incarnation[i] = members->member[i].nonce;
    }
    bool written = identity_write(&file, &identity);
    if (!written)
        operator_complain(path, "%s", strerrordesc_np(errno));
    identity_close(&file);
    return written ? EX_OK : EX_CANTCREAT;
}

/* Its snapshots first: an identity says that they are there. */
static int make_member(struct restoration *job, uint32_t member)
{
    char path[sizeof job->part];
    enum snapshot_refusal refusal = SNAPSHOT_OK;
    name_folder(job, member, path);
    if (mkdir(path, 0700) != 0) {
        operator_complain(path, "%s", strerrordesc_np(errno));
        return EX_CANTCREAT;
    }
    int folder = snapshot_open_folder(path);
    if (folder < 0)
        return EX_CANTCREAT;
    for (uint32_t g = 0; g < job->config.group_count && refusal == SNAPSHOT_OK; g++) {
        char from[SNAPSHOT_FILE_NAME_MAX], to[SNAPSHOT_NAME_BYTES];
        struct snapshot_about about;
        snapshot_file_name(g, from);
        if (!node_snapshot_name(&job->config, g, job->index[g], to, sizeof to))
            refusal = SNAPSHOT_REFUSED_FILE;
        else
            refusal = snapshot_file_restore(job->from, from, folder, to, &job->as, &about);
    }
    int code = EX_CANTCREAT;
    if (refusal != SNAPSHOT_OK)
        (void)snapshot_complain(path, refusal);
    else
        code = write_identity(job, member);
    if (code == EX_OK && fsync(folder) != 0)
        code = EX_CANTCREAT;
    (void)close(folder);
    return code;
}

/* What there is of it: our names alone. */
static void unmake(struct restoration *job)
{
    for (uint32_t i = 0; i < job->as.members.count; i++) {
        char path[sizeof job->part], name[sizeof job->part + SNAPSHOT_NAME_BYTES];
        name_folder(job, i, path);
        if (node_identity_path(&job->config, name, sizeof name))
            (void)unlink(name);
        for (uint32_t g = 0; g < job->config.group_count; g++) {
            char file[SNAPSHOT_NAME_BYTES];
            (void)node_snapshot_name(&job->config, g, job->index[g], file, sizeof file);
            (void)snprintf(name, sizeof name, "%s/%s", path, file);
            (void)unlink(name);
        }
        (void)rmdir(path);
    }
    (void)rmdir(job->part);
}

static bool sync_parent(const char *path)
{
    char parent[512];
    const char *slash = strrchr(path, '/');
    (void)snprintf(parent, sizeof parent, "%.*s", slash == NULL ? 1 : (int)(slash - path) + 1,
                   slash == NULL ? "." : path);
    int folder = snapshot_open_folder(parent);
    bool synced = folder >= 0 && fsync(folder) == 0;
    if (folder >= 0)
        (void)close(folder);
    return synced;
}

static int make_all(struct restoration *job)
{
    if (!draw_all(job)) {
        operator_complain(NULL, "the kernel gives no random number");
        return EX_OSERR;
    }
    if (mkdir(job->part, 0700) != 0) {
        operator_complain(job->part, "%s", strerrordesc_np(errno));
        return EX_CANTCREAT;
    }
    int code = EX_OK;
    for (uint32_t i = 0; i < job->as.members.count && code == EX_OK; i++)
        code = make_member(job, i);
    if (code == EX_OK && (rename(job->part, job->path) != 0 || !sync_parent(job->path))) {
        operator_complain(job->path, "%s", strerrordesc_np(errno));
        code = EX_CANTCREAT;
    }
    if (code != EX_OK)
        unmake(job);
    return code;
}

static void say_json(const struct restoration *job)
{
    char cluster[17], from[17], incarnation[17], folder[sizeof job->part];
    const struct wire_members *members = &job->as.members;
    json_t *list = json_array();
    (void)snprintf(cluster, sizeof cluster, "%016" PRIx64, job->as.cluster);
    (void)snprintf(from, sizeof from, "%016" PRIx64, job->old.cluster);
    for (uint32_t i = 0; i < members->count; i++) {
        const struct wire_member *member = &members->member[i];
        (void)snprintf(incarnation, sizeof incarnation, "%016" PRIx64, member->nonce);
        (void)snprintf(folder, sizeof folder, "%.480s/node-%u", job->path, (unsigned)member->id);
        (void)json_array_append_new(list, json_pack("{s:i, s:s, s:s}", "id", (int)member->id,
                                                    "incarnation", incarnation, "folder", folder));
    }
    json_t *all = json_pack("{s:s, s:s, s:i, s:o}", "cluster", cluster, "from", from, "groups",
                            (int)job->file.node.group_count, "members", list);
    (void)json_dumpf(all, stdout, JSON_COMPACT);
    (void)printf("\n");
    json_decref(all);
}

static void say(const struct restoration *job, bool table)
{
    const struct wire_members *members = &job->as.members;
    if (table)
        (void)printf("cluster %016" PRIx64 " has %u members and what %016" PRIx64 " had\n",
                     job->as.cluster, (unsigned)members->count, job->old.cluster);
    for (uint32_t i = 0; i < members->count; i++) {
        const struct wire_member *member = &members->member[i];
        (void)printf(table ? "node %u, incarnation %016" PRIx64
                             ": what is in %s/node-%u is for its [storage] data, which is empty\n"
                           : "%u\t%016" PRIx64 "\t%s/node-%u\n",
                     (unsigned)member->id, member->nonce, job->path, (unsigned)member->id);
    }
    if (table)
        (void)printf("then start them, without bootstrap\n");
}

int snapshot_restore(const struct operator_options *options)
{
    static struct restoration job;
    int code = read_words(options, &job);
    if (code != EX_OK)
        return code;
    job.from = snapshot_open_folder(options->word[2]);
    if (job.from < 0)
        return EX_DATAERR;
    code = look_at_all(&job);
    if (code == EX_OK)
        code = make_all(&job);
    (void)close(job.from);
    if (code == EX_OK && options->output == OUTPUT_JSON)
        say_json(&job);
    else if (code == EX_OK)
        say(&job, options->output == OUTPUT_TABLE);
    return code;
}
