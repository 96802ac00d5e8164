/* snapshot.c: snapshot save, restore, check: the first two have files of their own. */
#include "dataplane/operator/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

void snapshot_file_name(uint32_t group, char name[SNAPSHOT_FILE_NAME_MAX])
{
    (void)snprintf(name, SNAPSHOT_FILE_NAME_MAX, "group-%u.snapshot", group);
}

int snapshot_complain(const char *name, enum snapshot_refusal refusal)
{
    if (refusal == SNAPSHOT_REFUSED_FILE)
        operator_complain(name, "%s", strerrordesc_np(errno));
    else
        operator_complain(name, "%s", snapshot_refusal_sentence(refusal));
    return EX_DATAERR;
}

int snapshot_open_folder(const char *path)
{
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        operator_complain(path, "%s", strerrordesc_np(errno));
    return folder;
}

/* ---- check ----------------------------------------------------------------------------------- */

void snapshot_show_json(const char *name, const struct snapshot_about *about)
{
    char cluster[17], digest[17], sum[17];
    const struct snapshot_head *head = &about->head;
    (void)snprintf(cluster, sizeof cluster, "%016" PRIx64, head->cluster);
    (void)snprintf(digest, sizeof digest, "%016" PRIx64, head->digest);
    (void)snprintf(sum, sizeof sum, "%016" PRIx64, about->sum);
    json_t *json =
        json_pack("{s:s, s:s, s:i, s:I, s:I, s:i, s:I, s:s, s:s}", "file", name, "cluster", cluster,
                  "group", (int)head->group, "index", (json_int_t)head->index, "term",
                  (json_int_t)head->term, "members", (int)head->members.count, "bytes",
                  (json_int_t)about->bytes, "digest", digest, "sum", sum);
    (void)json_dumpf(json, stdout, JSON_COMPACT);
    (void)printf("\n");
    json_decref(json);
}

static void show_row(struct operator_table *table, const char *name,
                     const struct snapshot_about *about)
{
    const struct snapshot_head *head = &about->head;
    if (!operator_table_row(table))
        return;
    operator_cell(table, 0, "%s", name);
    operator_cell(table, 1, "%016" PRIx64, head->cluster);
    operator_cell(table, 2, "%u", (unsigned)head->group);
    operator_cell(table, 3, "%" PRIu64, head->index);
    operator_cell(table, 4, "%" PRIu64, head->term);
    operator_cell(table, 5, "%u", (unsigned)head->members.count);
    operator_cell(table, 6, "%" PRIu64, about->bytes);
    operator_cell(table, 7, "%016" PRIx64, head->digest);
    operator_cell(table, 8, "%016" PRIx64, about->sum);
}

int snapshot_show(const struct operator_options *options)
{
    static const char *const titles[] = {"file",    "cluster", "group",  "index", "term",
                                         "members", "bytes",   "digest", "sum",   NULL};
    struct operator_table table;
    int code = options->word_count > 2 ? EX_OK : EX_USAGE;
    operator_table_init(&table, titles);
    for (uint32_t i = 2; i < options->word_count; i++) {
        struct snapshot_about about;
        enum snapshot_refusal refusal = snapshot_file_check(AT_FDCWD, options->word[i], &about);
        if (refusal != SNAPSHOT_OK)
            code = snapshot_complain(options->word[i], refusal);
        else if (options->output == OUTPUT_JSON)
            snapshot_show_json(options->word[i], &about);
        else
            show_row(&table, options->word[i], &about);
    }
    if (code == EX_USAGE)
        operator_complain("snapshot", "check wants one file or more, see --help");
    if (options->output != OUTPUT_JSON)
        operator_table_print(&table, options->output, stdout);
    return code;
}

int operator_snapshot(const struct operator_options *options)
{
    if (strcmp(options->word[1], "save") == 0)
        return snapshot_save(options);
    return strcmp(options->word[1], "restore") == 0 ? snapshot_restore(options)
                                                    : snapshot_show(options);
}
