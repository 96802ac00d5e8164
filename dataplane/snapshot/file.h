/* file.h: snapshots on disk: taken from a state that goes on, loaded, checked, saved, restored.
 *
 * Shape: whatever is written is written under a name of its own, synced, renamed, and its folder
 *   synced: under the name that counts there is a whole snapshot or none.
 *
 *   take:     state_capture_ask ─(owner: begin)─► snapshot_take_step ... ─► NAME
 *   receive:  chunks into NAME.part (transfer.h) ─► snapshot_file_check ─► _keep
 *   load:     NAME ─► snapshot_file_load ─► a state in memory of its own, which the owner puts
 *             in the old one's place between two entries; readers of the old one go on until
 *             they report
 *
 * Memory: a job allocates its buffers (4.5 MiB, and 8 bytes per key of address space). An install
 *   needs two states of one group until the old one's readers have reported: one spare region per
 *   process, reused for group after group, is enough.
 * Threads: control; snapshot_take_step reports for the caller (view.h is the caller's affair: it
 *   calls view_quiescent between two steps). Time: none; system calls may block.
 * Limits: format.h. Refusals: enum snapshot_refusal; nothing is left behind under the final name,
 *   and the partial file is removed.
 * Cost: README.md.
 */
#ifndef DATAPLANE_SNAPSHOT_FILE_H
#define DATAPLANE_SNAPSHOT_FILE_H

#include "dataplane/snapshot/format.h"
#include "dataplane/state/load.h"

#define SNAPSHOT_NAME_BYTES 128u

/* What a whole snapshot is, once all of it has been read or written. */
struct snapshot_about {
    struct snapshot_head head;
    uint64_t sum; /* names it */
    uint64_t bytes;
    uint64_t raw_bytes;
    uint32_t blocks;
};

struct snapshot_take;

/* The state's phase is WALKING, and head says what the owner knew when it began; digest and log
 * time are filled in from the mark. `folder` is a directory's descriptor. NULL: *refusal says why
 * not; the walk is stopped then. */
struct snapshot_take *snapshot_take_begin(struct state *state, const struct state_config *config,
                                          int folder, const char *name,
                                          const struct snapshot_head *head,
                                          enum snapshot_refusal *refusal);

/* Does the next step look at the state? The others write, and may last: whoever is a reader of
 * view.h goes offline for them. */
bool snapshot_take_reads(const struct snapshot_take *take);
/* One part, at most, or the writing of one: call it until it says false. Then
 * *refusal tells; if SNAPSHOT_OK the file is durable. The job is freed. */
bool snapshot_take_step(struct snapshot_take *take, enum snapshot_refusal *refusal,
                        struct snapshot_about *about);
/* Gives it up; the job is freed. */
void snapshot_take_stop(struct snapshot_take *take);

/* Reads all of it, unpacks nothing: is it whole? */
enum snapshot_refusal snapshot_file_check(int folder, const char *name,
                                          struct snapshot_about *about);

/* Into state_footprint bytes of the caller; cluster, config hash and group must be those of `of`.
 * With STATE, *load_refusal says why. */
enum snapshot_refusal snapshot_file_load(int folder, const char *name,
                                         const struct snapshot_head *of, void *memory,
                                         const struct state_config *config,
                                         struct snapshot_about *about, struct state **state,
                                         enum state_load_refusal *load_refusal);

/* What was received under `from` becomes durable under `to`. */
enum snapshot_refusal snapshot_file_keep(int folder, const char *from, const char *to);

/* A checked copy, for `quorate snapshot save`. */
enum snapshot_refusal snapshot_file_save(int folder, const char *name, int to_folder,
                                         const char *to_name, struct snapshot_about *about);

/* The same state for a new cluster, for `quorate snapshot restore`: cluster, configuration and
 * members are those of `as`, so that nobody of the old cluster is heard or believed; index and term
 * stay, and the members count from the beginning (members_index 0). The new cluster id must
 * differ. */
enum snapshot_refusal snapshot_file_restore(int folder, const char *name, int to_folder,
                                            const char *to_name, const struct snapshot_head *as,
                                            struct snapshot_about *about);

#endif
