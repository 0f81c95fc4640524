/* The rows are read first, as text, and changed after: the table is not changed while it is read. */
#include "server/backup_rows.h"

#include <stdlib.h>

typedef struct settling {
    const xt_backup_folder *folder;
    xt_backup_names names;
    bool *known;  /* of each name: it has a row */
    xt_buf extra; /* names of rows that have no generation, each NUL-ended */
} settling;

static int on_row(void *context, const xt_backup_row *row)
{
    settling *s = context;

    if (!xt_slice_eq(row->place, xt_slice_str(s->folder->path)))
        return 0;
    for (size_t i = 0; i < s->names.n; i++)
        if (xt_slice_eq(row->generation, xt_slice_str(s->names.names[i]))) {
            s->known[i] = true;
            return 0;
        }
    xt_buf_put(&s->extra, row->generation);
    xt_buf_putc(&s->extra, '\0');
    return xt_buf_done(&s->extra);
}

static int row_add(const settling *s, xt_state *state, const char *name, xt_problem *reterr_problem)
{
    xt_backup_manifest manifest;
    int r = xt_backup_folder_manifest(s->folder, name, &manifest, reterr_problem);

    if (r == 0)
        r = xt_backup_table_add(state,
                                &(xt_backup_row){.at_us = manifest.at_ms * 1000,
                                                 .place = xt_slice_str(s->folder->path),
                                                 .generation = xt_slice_str(name),
                                                 .ledger_id = manifest.ledger_id},
                                reterr_problem);
    xt_backup_manifest_fini(&manifest);
    return r;
}

static int rows_change(const settling *s, xt_state *state, xt_problem *reterr_problem)
{
    xt_slice rest = xt_buf_slice(&s->extra), name;
    int r = 0;

    while (r == 0 && rest.n && xt_slice_cut(&rest, '\0', &name) && name.n)
        r = xt_backup_table_remove(state, xt_slice_str(s->folder->path), name, reterr_problem);
    for (size_t i = 0; i < s->names.n && r == 0; i++)
        if (!s->known[i])
            r = row_add(s, state, s->names.names[i], reterr_problem);
    return r;
}

int xt_backup_rows_settle(xt_state *state, const xt_backup_folder *folder, xt_problem *reterr_problem)
{
    settling s = {.folder = folder};
    int r = xt_backup_folder_names(folder, &s.names, reterr_problem);

    if (r < 0)
        return xt_error_trace(r);
    s.known = calloc(s.names.n + 1, sizeof *s.known);
    r = s.known ? xt_backup_table_each(state, on_row, &s, reterr_problem) : xt_error_origin(-ENOMEM);
    if (r == 0)
        r = rows_change(&s, state, reterr_problem);
    xt_buf_fini(&s.extra);
    free(s.known);
    free(s.names.names);
    return r;
}
