/* snapshot.h: what the parts of `quorate snapshot` share. For this folder alone.
 *
 * Shape: a folder holds what was saved of a cluster, a file for each group; every file is whole
 *   under its name, or not there.
 *
 *   nodes ─► save.c ─► SAVED/group-0.snapshot, ... ─► restore.c ─► NEW/node-1/, NEW/node-2/, ...
 *
 * Memory: a restoration loads group after group into memory of its own. Threads: one. Time:
 *   see connection.h. Limits: those of dataplane/snapshot. Refusals: exit codes, with a sentence on
 *   standard error. Cost: reads every byte, of a restoration once for each member and twice more.
 */
#ifndef DATAPLANE_OPERATOR_SNAPSHOT_H
#define DATAPLANE_OPERATOR_SNAPSHOT_H

#include "dataplane/operator/operator.h"
#include "dataplane/snapshot/file.h"

operator_verb snapshot_save, snapshot_restore, snapshot_show;

#define SNAPSHOT_FILE_NAME_MAX 32u
void snapshot_file_name(uint32_t group, char name[SNAPSHOT_FILE_NAME_MAX]);

/* Says it, and what the system says if it was a file; EX_DATAERR. */
int snapshot_complain(const char *name, enum snapshot_refusal refusal);
/* What a file is, on a line of its own. */
void snapshot_show_json(const char *name, const struct snapshot_about *about);
/* A descriptor of the folder, -1: said why. */
int snapshot_open_folder(const char *path);

#endif
