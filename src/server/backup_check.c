/*
 * A generation's problems all begin with its name. A segment needs no look inside: when its bytes have the SHA-256 of the
 * ledger it is what was sealed.
 */
#include "server/backup_check.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/store_verify.h"

typedef struct checking {
    xt_backup_folder folder;
    xt_backup_report report;
    int (*progress)(void *context, uint64_t n_done, uint64_t n_total);
    void *context;
    xt_backup_manifest *manifests; /* of the generations that have one */
    size_t n_manifests;
    const xt_backup_manifest *manifest; /* of the generation at hand */
    xt_map good;                        /* digests of files that were read and are right; keys live in the manifests */
    uint64_t n_done, n_total;
    xt_backup_checked result;
} checking;

static void report(checking *c, const char *generation, const char *name, const xt_problem *problem)
{
    xt_problem full = *problem;

    c->result.n_problems++;
    snprintf(full.sentence, sizeof full.sentence, "generation %s: %.80s%s%.250s", generation, name, name[0] ? ": " : "",
             problem->sentence);
    if (c->report)
        c->report(c->context, &full);
}

static void report_text(checking *c, const char *name, const char *sentence)
{
    xt_problem problem = XT_PROBLEM_INIT;

    xt_problem_set(&problem, "%s", sentence);
    xt_problem_source(&problem, c->folder.path);
    report(c, c->manifest->generation, name, &problem);
}

static int on_piece(void *context, uint64_t n_bytes)
{
    checking *c = context;

    c->n_done += n_bytes;
    return c->progress ? c->progress(c->context, c->n_done, c->n_total) : 0;
}

/* ------------------------------------------------------------------------------------------------ files */

static xt_slice key_of(const xt_backup_entry *entry)
{
    return xt_slice_of(entry->digest.b, sizeof entry->digest.b);
}

static int file_check(checking *c, const xt_backup_entry *entry)
{
    xt_problem problem = XT_PROBLEM_INIT;

    if (xt_map_find(&c->good, key_of(entry)))
        return 0;
    int r = xt_backup_files_check(&c->folder.files, &entry->digest, entry->n_bytes, &problem);
    if (r > 0) {
        report(c, c->manifest->generation, entry->name.p, &problem);
        return 0;
    }
    c->result.n_files += r == 0;
    c->result.n_bytes += r == 0 ? entry->n_bytes : 0;
    return r == 0 ? xt_map_put(&c->good, key_of(entry), c, NULL) : xt_error_trace(r);
}

/* ------------------------------------------------------------------------------------------------ records */

static void on_records(void *context, const xt_problem *problem)
{
    checking *c = context;

    report(c, c->manifest->generation, problem->source, problem);
}

/* The manifest's segments are those of the catalog, with the bytes that the ledger has. */
static void segments_check(checking *c, const xt_buf *named)
{
    for (size_t at = 0; at < named->n; at += sizeof(xt_named_segment)) {
        const xt_named_segment *segment = (const xt_named_segment *)(named->p + at);
        char name[40];
        snprintf(name, sizeof name, "segments/%016llx.xts", (unsigned long long)segment->row.id);
        const xt_backup_entry *entry = xt_backup_manifest_find(c->manifest, xt_slice_str(name));
        if (!entry)
            report_text(c, name, "it could not be read when the backup was taken, and is not in it");
        else if (!xt_digest_eq(&entry->digest, &segment->digest))
            report_text(c, name, "it was damaged when the backup was taken, and was copied as it was");
    }
}

static void head_check(checking *c, const xt_ledger_check *check)
{
    xt_problem problem = XT_PROBLEM_INIT;
    unsigned char chain[32];
    uint64_t id;

    if (!c->manifest->head.n)
        report_text(c, "", "the ledger's head is not signed: its chain was broken when the backup was taken");
    else if (xt_app_ledger_head_read(c->manifest->head, &id, chain, &problem) != 0)
        report(c, c->manifest->generation, "head", &problem);
    else if (id != check->head_id || memcmp(chain, check->chain, sizeof chain) != 0)
        report_text(c, "head", "it is not the last row of the ledger in pending.db");
}

static int records_check(checking *c, const char *path)
{
    XT_CLEANUP(xt_buf_fini) xt_buf named = XT_BUF_INIT;
    const xt_backup_manifest *m = c->manifest;
    xt_ledger_check check = {.n_rows = 0};
    xt_pending *pending = NULL;
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_pending_open_still(path, &pending, &problem);

    if (r == 0)
        r = xt_verify_records(pending, on_records, c, &check, &named, &problem);
    xt_pending_close(pending);
    if (r == -ENOMEM)
        return xt_error_trace(r);
    if (r < 0) {
        report(c, m->generation, "pending.db", &problem);
        return 0;
    }
    segments_check(c, &named);
    head_check(c, &check);
    if (named.n / sizeof(xt_named_segment) != m->n_segments || check.head_id != m->ledger_id ||
        check.n_received - check.n_retired - check.n_erased != m->n_events || check.n_pending != m->n_pending)
        report_text(c, "", "the manifest's counts are not those of pending.db");
    return 0;
}

/* ------------------------------------------------------------------------------------------------ generations */

static int generation_check(checking *c)
{
    static const char *const needed[] = {"pending.db", "state.db"};
    int r = 0;

    for (size_t i = 0; i < c->manifest->n_entries && r == 0; i++)
        r = file_check(c, &c->manifest->entries[i]);
    for (size_t i = 0; i < XT_COUNT_OF(needed) && r == 0; i++)
        if (!xt_backup_manifest_find(c->manifest, xt_slice_str(needed[i])))
            report_text(c, needed[i], "it is not in the manifest");
    const xt_backup_entry *pending = xt_backup_manifest_find(c->manifest, XT_S("pending.db"));
    if (r < 0 || !pending || !xt_map_find(&c->good, key_of(pending)))
        return r;
    char *path = xt_backup_files_path(&c->folder.files, &pending->digest);
    r = path ? records_check(c, path) : xt_error_origin(-ENOMEM);
    free(path);
    return r;
}

static int manifest_load(checking *c, const char *name, xt_problem *reterr_problem)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_backup_manifest *m = &c->manifests[c->n_manifests];
    int r = xt_backup_folder_manifest(&c->folder, name, m, &problem);

    if (r == 0) {
        c->n_manifests++;
        c->n_total += xt_backup_manifest_bytes(m);
        return 0;
    }
    xt_backup_manifest_fini(m);
    if (r == XT_BACKUP_FOLDER_E_BAD) {
        c->result.n_bad++;
        report(c, name, "", &problem);
        return 0;
    }
    if (reterr_problem)
        *reterr_problem = problem;
    return r;
}

static int all_load(checking *c, const char *generation, xt_problem *reterr_problem)
{
    xt_backup_names names = {.n = 0};
    int r = generation ? 0 : xt_backup_folder_names(&c->folder, &names, reterr_problem);

    if (r == 0 && !generation && names.n == 0) {
        xt_problem_set(reterr_problem, "there is no generation in this folder of backups");
        xt_problem_source(reterr_problem, c->folder.path);
        r = XT_BACKUP_FOLDER_E_UNKNOWN;
    }
    c->result.n_generations = generation ? 1 : names.n;
    c->manifests = calloc(c->result.n_generations + 1, sizeof *c->manifests);
    if (r == 0 && !c->manifests)
        r = xt_error_origin(-ENOMEM);
    for (size_t i = 0; i < c->result.n_generations && r == 0; i++)
        r = manifest_load(c, generation ? generation : names.names[i], reterr_problem);
    free(names.names);
    return r;
}

int xt_backup_check(const xt_vfs *vfs, const char *place, const char *generation, xt_backup_report report_fn,
                    int (*progress)(void *context, uint64_t n_done, uint64_t n_total), void *context,
                    xt_backup_checked *ret, xt_problem *reterr_problem)
{
    checking c = {.report = report_fn, .progress = progress, .context = context};
    int r = xt_backup_folder_open_to_read(&c.folder, vfs, place, reterr_problem);

    if (r != 0)
        return xt_backup_outcome(r);
    c.folder.files.step = on_piece;
    c.folder.files.context = &c;
    r = all_load(&c, generation, reterr_problem);
    for (size_t i = 0; i < c.n_manifests && r == 0; i++) {
        uint64_t before = c.result.n_problems;
        c.manifest = &c.manifests[i];
        r = generation_check(&c);
        c.result.n_bad += c.result.n_problems > before;
    }
    for (size_t i = 0; i < c.n_manifests; i++)
        xt_backup_manifest_fini(&c.manifests[i]);
    free(c.manifests);
    xt_map_fini(&c.good);
    xt_backup_folder_close(&c.folder);
    if (r == 0)
        *ret = c.result;
    return xt_backup_outcome(r);
}
