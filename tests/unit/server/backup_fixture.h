/* A store with its state beside it, a folder for backups and one to restore to. Each test program includes this once. */
#pragma once
#include <fcntl.h>

#include "../store/store_fixture.h"

#include "server/backup_check.h"
#include "server/backup_table.h"
#include "server/restore.h"
#include "store/segment.h"

typedef struct box {
    char *dir, *data, *to, *back;
    xt_store_settings settings;
    const xt_vfs *vfs; /* of the backup */
    xt_store *store;
    xt_state *state;
    truth truth;
    sender s;
    xt_buf told; /* what was reported, a line each */
} box;

static UNUSED char *path_join(const char *dir, const char *name)
{
    char *path;
    assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
    return path;
}

static UNUSED void file_make(const char *dir, const char *name, const char *text, mode_t mode)
{
    char *path = path_join(dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    free(path);
}

static UNUSED void box_open(box *b)
{
    char *path = path_join(b->data, "state.db");
    xt_problem problem = XT_PROBLEM_INIT;
    b->store = store_open(b->data, &b->settings);
    must(xt_state_open(path, &b->state, &problem), &problem);
    free(path);
}

static UNUSED void box_close(box *b)
{
    b->store = xt_store_close(b->store);
    b->state = xt_state_close(b->state);
}

static UNUSED void box_init(box *b, uint64_t seed)
{
    *b = (box){.dir = folder_new(), .vfs = &xt_vfs_system};
    b->data = path_join(b->dir, "data");
    b->to = path_join(b->dir, "to");
    b->back = path_join(b->dir, "back");
    truth_init(&b->truth);
    sender_init(&b->s, seed);
    box_open(b);
    file_make(b->data, "ca.pem", "the CA\n", 0644);
    file_make(b->data, "ca.key", "its key\n", 0600);
}

static UNUSED void box_fini(box *b)
{
    box_close(b);
    truth_fini(&b->truth);
    sender_fini(&b->s);
    xt_buf_fini(&b->told);
    free(b->data);
    free(b->to);
    free(b->back);
    folder_drop(b->dir);
}

static UNUSED void box_append(box *b, uint64_t n)
{
    xt_store_batch batch = sender_next(&b->s, n, &b->truth);
    assert_int_equal(append_one(b->store, &batch), 0);
}

static UNUSED void box_seal(box *b)
{
    xt_problem problem = XT_PROBLEM_INIT;
    must(xt_store_seal(b->store, &problem), &problem);
}

static UNUSED void box_tell(void *context, const xt_problem *problem)
{
    box *b = context;
    xt_problem_format(problem, &b->told);
    xt_buf_putc(&b->told, '\n');
}

static UNUSED bool was_told(const box *b, const char *text)
{
    return xt_slice_find(xt_buf_slice(&b->told), xt_slice_str(text)) >= 0;
}

static UNUSED int take_with(box *b, const char *to, unsigned keep, xt_backup_result *ret, xt_problem *problem)
{
    xt_backup_source source = {b->vfs, &xt_clock_system, b->data, b->store, b->state};
    xt_backup_wish wish = {.to = to, .keep = keep, .report = box_tell, .context = b};
    xt_buf_reset(&b->told);
    return xt_backup_take(&source, &wish, ret, problem);
}

static UNUSED xt_backup_result take(box *b)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_backup_result result;
    must(take_with(b, b->to, 0, &result, &problem), &problem);
    return result;
}

static UNUSED xt_backup_checked check(box *b, const char *generation)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_backup_checked checked;
    xt_buf_reset(&b->told);
    must(xt_backup_check(&xt_vfs_system, b->to, generation, box_tell, NULL, b, &checked, &problem), &problem);
    return checked;
}

static UNUSED int restore_with(box *b, const char *generation, xt_restored *ret, xt_problem *problem)
{
    xt_restore_wish wish = {.from = b->to, .generation = generation, .data = b->back, .report = box_tell, .context = b};
    xt_buf_reset(&b->told);
    return xt_restore(b->vfs, &wish, ret, problem);
}

/* The generation, restored, is whole and has the first n events of the truth. */
static UNUSED void must_restore(box *b, const char *generation, size_t n)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_ledger_check ledger;
    xt_restored restored;
    xt_scan_info info;

    must(restore_with(b, generation, &restored, &problem), &problem);
    xt_store *store = store_open(b->back, NULL);
    assert_int_equal(truth_compare(&b->truth, store, &info), n);
    assert_int_equal(info.n_damaged, 0);
    assert_int_equal(restored.n_events, n);
    must(xt_store_verify(store, NULL, NULL, &ledger, &problem), &problem);
    assert_true(ledger.chain_ok && ledger.counts_ok);
    xt_store_close(store);
    folder_remove(b->back);
}

static UNUSED size_t files_below(const char *dir)
{
    DIR *d = opendir(dir);
    size_t n = 0;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}
