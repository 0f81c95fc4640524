/* What a backup holds, what of it is copied, and that it comes back as it was. */
#include "backup_fixture.h"

static uint64_t size_of(const char *dir, const char *name)
{
    char *path = path_join(dir, name);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    free(path);
    return (uint64_t)st.st_size;
}

static uint64_t bytes_in(const char *dir)
{
    DIR *d = opendir(dir);
    uint64_t n = 0;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += e->d_name[0] == '.' ? 0 : size_of(dir, e->d_name);
    closedir(d);
    return n;
}

/* Of the files that the later manifest names and the former does not. */
static uint64_t bytes_more_in(const box *b, const xt_backup_result *former, const xt_backup_result *later)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_backup_folder folder;
    xt_backup_manifest one, two;
    uint64_t n = 0;

    must(xt_backup_folder_open_to_read(&folder, &xt_vfs_system, b->to, &problem), &problem);
    must(xt_backup_folder_manifest(&folder, former->generation, &one, &problem), &problem);
    must(xt_backup_folder_manifest(&folder, later->generation, &two, &problem), &problem);
    for (size_t i = 0; i < two.n_entries; i++) {
        bool known = false;
        for (size_t k = 0; k < one.n_entries; k++)
            known |= xt_digest_eq(&one.entries[k].digest, &two.entries[i].digest);
        n += known ? 0 : two.entries[i].n_bytes;
    }
    xt_backup_manifest_fini(&one);
    xt_backup_manifest_fini(&two);
    xt_backup_folder_close(&folder);
    return n;
}

static int n_rows;
static uint64_t last_ledger_id;

static int count_row(void *context, const xt_backup_row *row)
{
    const box *b = context;
    assert_true(xt_slice_eq(row->place, xt_slice_str(b->to)));
    last_ledger_id = row->ledger_id;
    n_rows++;
    return 0;
}

static int rows_of(const box *b, xt_state *state)
{
    n_rows = 0;
    assert_int_equal(xt_backup_table_each(state, count_row, (void *)(uintptr_t)b, NULL), 0);
    return n_rows;
}

static void only_what_is_new_is_copied(void **state)
{
    box b;
    box_init(&b, 1);
    char *files = path_join(b.to, "files"), *segments = path_join(b.data, "segments");

    box_append(&b, 3000);
    box_seal(&b);
    box_append(&b, 20);
    xt_backup_result first = take(&b);
    uint64_t bytes = bytes_in(files), segment = bytes_in(segments);
    assert_int_equal(first.n_events, 3020);
    assert_int_equal(first.n_pending, 20);
    assert_int_equal(first.n_segments, 1);
    assert_int_equal(first.bytes_copied, bytes);
    assert_int_equal(first.n_copied, files_below(files));
    assert_int_equal(first.n_files, 6); /* two databases, a segment, ca.pem, ca.key, ledger.key */

    box_append(&b, 500);
    box_seal(&b);
    xt_backup_result second = take(&b);
    assert_int_equal(second.n_copied, 3); /* two databases, a segment */
    assert_int_equal(second.bytes_copied, bytes_in(files) - bytes);
    assert_int_equal(bytes_more_in(&b, &first, &second), second.bytes_copied);
    assert_true(bytes_in(segments) > segment);

    xt_backup_result third = take(&b);
    assert_int_equal(third.n_copied, 1); /* state.db, which lists one more */
    assert_true(strcmp(first.generation, second.generation) < 0 && strcmp(second.generation, third.generation) < 0);
    assert_int_equal(rows_of(&b, b.state), 3);
    assert_int_equal(last_ledger_id, third.ledger_id);
    assert_int_equal(check(&b, NULL).n_problems, 0);
    must_restore(&b, first.generation, 3020);
    must_restore(&b, second.generation, 3520);
    must_restore(&b, NULL, 3520);
    free(segments);
    free(files);
    box_fini(&b);
}

static mode_t mode_of(const char *dir, const char *name)
{
    char *path = path_join(dir, name);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    free(path);
    return st.st_mode & 0777;
}

static void is_text(const char *dir, const char *name, const char *text)
{
    char *path = path_join(dir, name);
    xt_buf out = XT_BUF_INIT;
    assert_int_equal(xt_vfs_read_file(&xt_vfs_system, path, 1000, &out), 0);
    assert_true(xt_slice_eq(xt_buf_slice(&out), xt_slice_str(text)));
    xt_buf_fini(&out);
    free(path);
}

static bool is_there(const char *dir, const char *name)
{
    char *path = path_join(dir, name);
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

/* Keys and rules too, as secret as they were; not what is a running server's alone. */
static void the_other_files_come_back(void **state)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_restored restored;
    box b;
    box_init(&b, 2);
    char *rules = path_join(b.data, "rules"), *link = path_join(b.data, "link"), *path;

    assert_int_equal(mkdir(rules, 0755), 0);
    file_make(rules, "mine.yml", "title: x\n", 0644);
    file_make(b.data, "server.json", "{}", 0600);
    file_make(b.data, "half.tmp", "half", 0600);
    assert_int_equal(symlink("/etc/passwd", link), 0);
    assert_int_equal(
        xt_state_run(b.state, &problem, NULL,
                     "INSERT INTO tokens(id, secret, made_ms, expires_ms, max_uses) VALUES(x'01',x'02',1,2,3)", ""),
        0);
    assert_int_equal(take(&b).n_problems, 1);
    assert_true(was_told(&b, "/link"));
    must(restore_with(&b, NULL, &restored, &problem), &problem);
    is_text(b.back, "ca.key", "its key\n");
    is_text(b.back, "rules/mine.yml", "title: x\n");
    assert_int_equal(mode_of(b.back, "ca.key"), 0600);
    assert_int_equal(mode_of(b.back, "ca.pem"), 0644);
    assert_int_equal(mode_of(b.back, "ledger.key"), 0600);
    assert_int_equal(mode_of(b.back, "pending.db"), 0600);
    assert_int_equal(mode_of(b.back, "."), 0700);
    assert_int_equal(mode_of(b.to, "."), 0700);
    assert_false(is_there(b.back, "link") || is_there(b.back, "server.json") || is_there(b.back, "half.tmp") ||
                 is_there(b.back, "lock") || is_there(b.back, XT_STORE_RESTORING));
    path = path_join(b.back, "state.db");
    xt_state *back = NULL;
    int64_t n_tokens = -1;
    must(xt_state_open(path, &back, &problem), &problem);
    assert_int_equal(xt_state_number(back, NULL, &n_tokens, "SELECT count(*) FROM tokens", ""), 0);
    assert_int_equal(n_tokens, 0);
    assert_int_equal(rows_of(&b, back), 1); /* the one that it was restored from, which could not list itself */
    xt_state_close(back);
    free(path);
    free(link);
    free(rules);
    box_fini(&b);
}

/* ------------------------------------------------------------------------------------------------ beside others */

typedef struct meddling {
    box *b;
    unsigned n;
} meddling;

/* With each piece that is copied all segments are merged, and what was there is unlinked. */
static int meddle(void *context, uint64_t n_done, uint64_t n_total)
{
    meddling *m = context;
    xt_problem problem = XT_PROBLEM_INIT;

    assert_true(n_done <= n_total);
    m->n++;
    box_append(m->b, 7);
    must(xt_store_compact(m->b->store, &problem), &problem);
    return 0;
}

static void merging_meanwhile_changes_nothing(void **state)
{
    box b;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_backup_result result;
    xt_store_stats stats;

    box_init(&b, 3);
    for (int i = 0; i < 4; i++) {
        box_append(&b, 100);
        box_seal(&b);
    }
    meddling m = {&b, 0};
    xt_backup_source source = {&xt_vfs_system, &xt_clock_system, b.data, b.store, b.state};
    xt_backup_wish wish = {.to = b.to, .progress = meddle, .context = &m};
    must(xt_backup_take(&source, &wish, &result, &problem), &problem);
    must(xt_store_stats_get(b.store, &stats), &problem);
    assert_true(m.n > 4 && stats.n_events == 400 + 7 * m.n); /* it did happen, */
    assert_false(is_there(b.data, "segments/0000000000000001.xts"));
    assert_int_equal(result.n_segments, 4);
    assert_int_equal(result.n_problems, 0);
    assert_int_equal(check(&b, NULL).n_problems, 0);
    must_restore(&b, NULL, 400);
    box_fini(&b);
}

static int end_it(void *context, uint64_t n_done, uint64_t n_total)
{
    return ++*(unsigned *)context == 3;
}

static void one_that_is_ended_leaves_the_former(void **state)
{
    box b;
    unsigned n = 0;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_backup_result result;

    box_init(&b, 4);
    box_append(&b, 100);
    take(&b);
    for (int i = 0; i < 4; i++) {
        box_append(&b, 100);
        box_seal(&b);
    }
    xt_backup_source source = {&xt_vfs_system, &xt_clock_system, b.data, b.store, b.state};
    xt_backup_wish wish = {.to = b.to, .progress = end_it, .context = &n};
    assert_int_equal(xt_backup_take(&source, &wish, &result, &problem), -ECANCELED);
    assert_int_equal(check(&b, NULL).n_generations, 1);
    must_restore(&b, NULL, 100);
    assert_true(take(&b).n_copied < 6); /* some of it was there already */
    must_restore(&b, NULL, 500);
    box_fini(&b);
}

/* ------------------------------------------------------------------------------------------------ damage */

static void flip(const char *path, off_t at)
{
    char byte;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void must_refuse(box *b, const char *generation, const char *what)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_restored restored;

    assert_int_equal(restore_with(b, generation, &restored, &problem), XT_APP_E_INVALID);
    if (!strstr(problem.sentence, what))
        fail_msg("\"%s\" is not in: %s", what, problem.sentence);
    assert_false(is_there(b->dir, "back"));
}

/* Each file of a generation in turn: a byte flipped, then the file gone. */
static void a_flipped_byte_is_named_and_not_restored(void **state)
{
    box b;
    xt_backup_folder folder;
    xt_backup_manifest m;
    xt_problem problem = XT_PROBLEM_INIT;

    box_init(&b, 5);
    box_append(&b, 50);
    box_seal(&b);
    box_append(&b, 7);
    take(&b);
    must(xt_backup_folder_open_to_read(&folder, &xt_vfs_system, b.to, &problem), &problem);
    must(xt_backup_folder_manifest(&folder, NULL, &m, &problem), &problem);
    assert_int_equal(m.n_entries, 6);
    for (size_t i = 0; i < m.n_entries; i++) {
        const xt_backup_entry *entry = &m.entries[i];
        char *path = xt_backup_files_path(&folder.files, &entry->digest), *aside = path_join(b.dir, "aside");
        for (uint64_t at = 0; at < entry->n_bytes; at += entry->n_bytes / 7 + 1) {
            flip(path, (off_t)at);
            assert_int_equal(check(&b, NULL).n_bad, 1);
            assert_true(was_told(&b, entry->name.p));
            must_refuse(&b, NULL, entry->name.p);
            flip(path, (off_t)at);
        }
        assert_int_equal(rename(path, aside), 0);
        assert_int_equal(check(&b, NULL).n_bad, 1);
        assert_true(was_told(&b, entry->name.p) && was_told(&b, "not there"));
        must_refuse(&b, NULL, entry->name.p);
        assert_int_equal(rename(aside, path), 0);
        free(path);
        free(aside);
    }
    assert_int_equal(check(&b, NULL).n_problems, 0);
    must_restore(&b, NULL, 57);
    xt_backup_manifest_fini(&m);
    xt_backup_folder_close(&folder);
    box_fini(&b);
}

static char *manifest_path(const box *b, const char *generation)
{
    char *path;
    assert_true(asprintf(&path, "%s/generations/%s.json", b->to, generation) > 0);
    return path;
}

/* Every byte of the manifest; and no file goes while a manifest cannot be read. */
static void a_manifest_cannot_be_changed_unseen(void **state)
{
    box b;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_backup_result result;

    box_init(&b, 6);
    box_append(&b, 50);
    xt_backup_result first = take(&b);
    box_append(&b, 5);
    xt_backup_result second = take(&b);
    char *path = manifest_path(&b, second.generation);
    xt_buf text = XT_BUF_INIT;
    assert_int_equal(xt_vfs_read_file(&xt_vfs_system, path, 1 << 20, &text), 0);
    for (size_t at = 0; at < text.n - 1; at++) { /* the last is a newline */
        xt_backup_manifest read;
        xt_backup_manifest_init(&read);
        text.p[at] ^= 0x10;
        if (xt_backup_manifest_decode(xt_buf_slice(&text), &read, &problem) != XT_BACKUP_MANIFEST_E_BAD)
            fail_msg("byte %zu", at);
        text.p[at] ^= 0x10;
        xt_backup_manifest_fini(&read);
    }
    for (size_t at = 0; at < text.n - 1; at += 97) {
        flip(path, (off_t)at);
        assert_int_equal(check(&b, NULL).n_bad, 1);
        must_refuse(&b, second.generation, "manifest");
        flip(path, (off_t)at);
    }
    xt_buf_fini(&text);
    flip(path, 40);
    must(take_with(&b, b.to, 0, &result, &problem), &problem); /* and does not keep the next from being taken */
    assert_true(was_told(&b, "manifest") && strcmp(result.generation, second.generation) > 0);
    flip(path, 40);
    must_restore(&b, second.generation, 55);
    must_restore(&b, first.generation, 50);
    free(path);
    box_fini(&b);
}

/* The store's own damage: a good copy that the backup has is taken for it, a bad one is marked. */
static void what_is_damaged_is_told_and_the_rest_is_kept(void **state)
{
    box b;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_restored restored;
    xt_scan_info info;

    box_init(&b, 7);
    box_append(&b, 3000);
    box_seal(&b);
    box_append(&b, 40);
    box_seal(&b);
    take(&b);
    box_close(&b);
    char *path = path_join(b.data, "segments/0000000000000002.xts");
    flip(path, 100);
    box_open(&b);
    assert_int_equal(take(&b).n_problems, 0); /* the good copy of before */
    must_restore(&b, NULL, 3040);
    folder_remove(b.to);
    xt_backup_result bad = take(&b);
    assert_int_equal(bad.n_problems, 1);
    assert_true(was_told(&b, "segments/0000000000000002.xts") && was_told(&b, "as it is"));
    xt_backup_checked checked = check(&b, NULL);
    assert_int_equal(checked.n_problems, 1);
    assert_true(was_told(&b, "segments/0000000000000002.xts"));
    must(restore_with(&b, NULL, &restored, &problem), &problem); /* as it was */
    folder_remove(b.back);
    box_close(&b);
    assert_int_equal(unlink(path), 0);
    box_open(&b);
    folder_remove(b.to);
    assert_int_equal(take(&b).n_problems, 1);
    assert_int_equal(check(&b, NULL).n_problems, 1);
    must(restore_with(&b, NULL, &restored, &problem), &problem);
    assert_int_equal(restored.n_problems, 1);
    xt_store *store = store_open(b.back, NULL);
    assert_int_equal(truth_compare(&b.truth, store, &info), 3000);
    xt_store_close(store);
    free(path);
    box_fini(&b);
}

/* ------------------------------------------------------------------------------------------------ generations */

static void old_generations_go_with_their_files(void **state)
{
    box b;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_backup_result results[5];
    xt_ledger_check ledger;

    box_init(&b, 8);
    char *files = path_join(b.to, "files");
    for (int i = 0; i < 5; i++) {
        box_append(&b, 100);
        box_seal(&b);
        if (i == 3)
            must(xt_store_compact(b.store, &problem), &problem); /* four segments that only older ones name */
        must(take_with(&b, b.to, 2, &results[i], &problem), &problem);
        assert_int_equal(results[i].n_pruned, i >= 2);
        assert_int_equal(results[i].n_problems, 0);
    }
    assert_int_equal(rows_of(&b, b.state), 2);
    assert_int_equal(files_below(files), 2 * 2 + 2 + 3); /* databases, segments, keys */
    assert_int_equal(check(&b, NULL).n_generations, 2);
    assert_int_equal(check(&b, NULL).n_problems, 0);
    must_restore(&b, results[3].generation, 400);
    must_restore(&b, results[4].generation, 500);
    assert_int_equal(xt_backup_check(&xt_vfs_system, b.to, results[0].generation, NULL, NULL, NULL,
                                     &(xt_backup_checked){0}, &problem),
                     XT_APP_E_NOT_FOUND);
    /* A file whose manifest cannot be read might be the only one that names it. */
    char *path = manifest_path(&b, results[3].generation);
    flip(path, 50);
    size_t n = files_below(files);
    must(take_with(&b, b.to, 9, &results[0], &problem), &problem);
    assert_int_equal(results[0].n_problems, 1);
    assert_true(files_below(files) >= n);
    flip(path, 50);
    must_restore(&b, results[3].generation, 400);
    must(xt_store_verify(b.store, NULL, NULL, &ledger, &problem), &problem);
    assert_true(ledger.chain_ok && ledger.counts_ok);
    free(path);
    free(files);
    box_fini(&b);
}

static void must_not_take(box *b, const char *to, int outcome)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_backup_result result;
    assert_int_equal(take_with(b, to, 0, &result, &problem), outcome);
    assert_true(xt_problem_is_set(&problem));
}

static void places_that_are_none(void **state)
{
    box b, other;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_restored restored;
    xt_backup_folder folder;
    xt_store *store = NULL;

    box_init(&b, 9);
    box_append(&b, 10);
    char *inside = path_join(b.data, "backup"), *away = path_join(b.dir, "no/such"), *full = path_join(b.dir, "full");
    must_not_take(&b, inside, XT_APP_E_INVALID);
    must_not_take(&b, b.data, XT_APP_E_INVALID);
    must_not_take(&b, "relative", XT_APP_E_INVALID);
    must_not_take(&b, away, XT_APP_E_INVALID);
    assert_int_equal(mkdir(full, 0700), 0);
    file_make(full, "letter.txt", "Dear", 0600);
    must_not_take(&b, full, XT_APP_E_INVALID);
    take(&b);
    box_init(&other, 10);
    file_make(other.data, "ca.pem", "another CA\n", 0644);
    must_not_take(&other, b.to, XT_APP_E_INVALID);
    must(xt_backup_folder_open_to_read(&folder, &xt_vfs_system, b.to, &problem), &problem);
    must_not_take(&b, b.to, XT_APP_E_LOCKED);
    xt_backup_folder_close(&folder);
    /* restoring */
    assert_int_equal(mkdir(b.back, 0700), 0);
    file_make(b.back, "letter.txt", "Dear", 0600);
    assert_int_equal(restore_with(&b, NULL, &restored, &problem), XT_APP_E_INVALID);
    assert_true(is_there(b.back, "letter.txt"));
    folder_remove(b.back);
    assert_int_equal(mkdir(b.back, 0700), 0); /* an empty one will do */
    must_restore(&b, NULL, 10);
    assert_int_equal(restore_with(&b, "20200101T000000.000Z", &restored, &problem), XT_APP_E_NOT_FOUND);
    assert_int_equal(restore_with(&b, "../../x", &restored, &problem), XT_APP_E_NOT_FOUND);
    assert_int_equal(mkdir(b.back, 0700), 0);
    file_make(b.back, XT_STORE_RESTORING, "", 0600);
    assert_int_equal(xt_store_open(b.back, NULL, &store, &problem), XT_STORE_E_RESTORING);
    free(inside);
    free(away);
    free(full);
    box_fini(&other);
    box_fini(&b);
}

/* ------------------------------------------------------------------------------------------------ manifests */

static void names_that_lead_elsewhere_are_refused(void **state)
{
    static const char *const bad[] = {"../x", "/etc/passwd", "a//b", "a/../b", "", ".", "a/"};
    for (size_t i = 0; i <= XT_COUNT_OF(bad); i++) {
        xt_backup_manifest m, read;
        xt_buf text = XT_BUF_INIT;
        xt_problem problem = XT_PROBLEM_INIT;
        xt_backup_entry entry = {.name = xt_slice_str(i ? bad[i - 1] : "a/b.c"), .mode = 04777, .n_bytes = 5};
        xt_backup_manifest_init(&m);
        xt_backup_manifest_init(&read);
        m.at_ms = 1790000000123;
        xt_backup_name_format(m.at_ms, m.generation);
        assert_int_equal(xt_backup_manifest_add(&m, &entry), 0);
        assert_int_equal(xt_backup_manifest_encode(&m, &text), 0);
        assert_int_equal(xt_backup_manifest_decode(xt_buf_slice(&text), &read, &problem),
                         i ? XT_BACKUP_MANIFEST_E_BAD : 0);
        if (i == 0) {
            assert_string_equal(read.generation, "20260921T141320.123Z");
            assert_int_equal(read.at_ms, m.at_ms);
            assert_int_equal(read.entries[0].mode, 0777);
            assert_int_equal(read.entries[0].n_bytes, 5);
        }
        xt_backup_manifest_fini(&m);
        xt_backup_manifest_fini(&read);
        xt_buf_fini(&text);
    }
}

/* What an earlier version wrote, through a backup: the events that stand beside it. */
static void a_golden_folder_comes_back(void **state)
{
    const char *tests = getenv("XT_TEST_DATA");
    xt_buf bytes = XT_BUF_INIT;
    xt_event event;
    box b;

    box_init(&b, 11);
    box_close(&b);
    char *golden = path_join(tests ? tests : "tests/data", "store/version-2"),
         *beside = path_join(golden, "events.bin");
    folder_remove(b.data);
    assert_int_equal(mkdir(b.data, 0700), 0);
    folder_copy(golden, b.data);
    assert_int_equal(xt_vfs_read_file(&xt_vfs_system, beside, SIZE_MAX, &bytes), 0);
    for (xt_reader reader = xt_reader_of(xt_buf_slice(&bytes)); xt_reader_left(&reader) && !reader.failed;) {
        assert_int_equal(xt_event_decode(xt_reader_block(&reader), &event, NULL), 0);
        truth_add(&b.truth, &event);
    }
    box_open(&b);
    xt_backup_result result = take(&b);
    assert_int_equal(result.n_problems, 0);
    assert_int_equal(result.n_events, 132);
    assert_int_equal(check(&b, NULL).n_problems, 0);
    must_restore(&b, NULL, 132);
    xt_buf_fini(&bytes);
    free(beside);
    free(golden);
    box_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_new_is_copied),
        cmocka_unit_test(the_other_files_come_back),
        cmocka_unit_test(merging_meanwhile_changes_nothing),
        cmocka_unit_test(one_that_is_ended_leaves_the_former),
        cmocka_unit_test(a_flipped_byte_is_named_and_not_restored),
        cmocka_unit_test(a_manifest_cannot_be_changed_unseen),
        cmocka_unit_test(what_is_damaged_is_told_and_the_rest_is_kept),
        cmocka_unit_test(old_generations_go_with_their_files),
        cmocka_unit_test(places_that_are_none),
        cmocka_unit_test(names_that_lead_elsewhere_are_refused),
        cmocka_unit_test(a_golden_folder_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
