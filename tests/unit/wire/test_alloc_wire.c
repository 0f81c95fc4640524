/*
 * The agent's spool, batches and messages with every request for memory refused in turn: an error, and what was taken
 * before is there afterwards, once and whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include "../alloc_faults.h"
#include "event/event.h"
#include "wire/batch.h"
#include "wire/message.h"
#include "wire/spool.h"

#define N_BATCHES 3

static void put_event(xt_buf *out, const char *text)
{
    xt_event event;
    xt_event_reset(&event);
    xt_event_set_bytes(&event, XT_F_MESSAGE, xt_slice_str(text));
    xt_event_batch_put(out, &event);
}

static void tombstone(void *context, const xt_spool_loss *loss, xt_buf *out)
{
    put_event(out, "dropped");
}

static void empty(const char *dir)
{
    char path[512];
    DIR *folder = opendir(dir);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(path);
    }
    closedir(folder);
}

/* The payload holds the event that names its number. */
static int check_batch(xt_slice payload, uint64_t number)
{
    char text[32];
    xt_batch batch;
    xt_buf events = XT_BUF_INIT, wanted = XT_BUF_INIT;
    int r = xt_batch_decode(payload, &batch, NULL);
    if (r == 0)
        r = xt_batch_events(&batch, &events, NULL);
    bool was_armed = alloc_pause();
    assert_true(r == 0 || r == -ENOMEM);
    snprintf(text, sizeof text, "batch %u", (unsigned)number);
    put_event(&wanted, text);
    if (r == 0)
        assert_true(batch.number == number && xt_slice_eq(xt_buf_slice(&events), xt_buf_slice(&wanted)));
    xt_buf_fini(&wanted);
    alloc_resume(was_armed);
    xt_buf_fini(&events);
    return r;
}

static int put_all(xt_spool *spool, unsigned *ret_n)
{
    int r = 0;
    for (unsigned i = 1; r == 0 && i <= N_BATCHES; i++) {
        char text[32];
        xt_buf events = XT_BUF_INIT;
        bool was_armed = alloc_pause();
        snprintf(text, sizeof text, "batch %u", i);
        put_event(&events, text);
        alloc_resume(was_armed);
        r = xt_spool_put(spool, xt_buf_slice(&events), 1, NULL);
        *ret_n += r == 0;
        xt_buf_fini(&events);
    }
    return r;
}

/* Reads what waits, from the first on; the number of batches. */
static int take_all(xt_spool *spool, unsigned *ret_n)
{
    uint64_t number = 0, next = 1;
    int r = 0;
    while (r == 0 && next != 0) {
        xt_buf payload = XT_BUF_INIT;
        r = xt_spool_next(spool, number, &next, &payload, NULL);
        if (r == 0 && next != 0) {
            r = check_batch(xt_buf_slice(&payload), next);
            number = next;
            *ret_n += r == 0;
        }
        xt_buf_fini(&payload);
    }
    return r;
}

static int use_spool(void *context)
{
    const xt_spool_settings settings = {
        .vfs = &xt_vfs_system, .dir = context, .max_bytes = 1 << 20, .tombstone = tombstone};
    xt_spool *spool = NULL;
    unsigned n_put = 0, n_taken = 0;
    bool was_armed = alloc_pause();
    empty(context);
    alloc_resume(was_armed);
    int r = xt_spool_open(&settings, &spool, NULL);
    if (r == 0)
        r = put_all(spool, &n_put);
    if (r == 0)
        r = take_all(spool, &n_taken);
    xt_spool_close(spool);
    was_armed = alloc_pause();
    assert_true(r == 0 || r == -ENOMEM);
    assert_true(r != 0 || n_taken == N_BATCHES);
    spool = NULL;
    n_taken = 0;
    assert_int_equal(xt_spool_open(&settings, &spool, NULL), 0); /* after it, with memory */
    assert_int_equal(take_all(spool, &n_taken), 0);
    assert_int_equal(n_taken, n_put);
    xt_spool_close(spool);
    alloc_resume(was_armed);
    return r;
}

static void test_spool(void **state)
{
    char dir[] = "/tmp/xt-alloc-XXXXXX";
    assert_non_null(mkdtemp(dir));
    assert_true(alloc_fail_each(use_spool, dir) > 5);
    empty(dir);
    assert_int_equal(rmdir(dir), 0);
}

static int send_hello(void *context)
{
    const xt_hello hello = {.version = 1, .host_id = XT_S("0123"), .host_name = XT_S("web-1"), .os = XT_S("Debian 12")};
    xt_hello back;
    xt_buf out = XT_BUF_INIT;
    xt_hello_put(&out, &hello);
    int r = xt_buf_done(&out);
    if (r == 0) {
        assert_int_equal(xt_hello_decode(xt_buf_slice(&out), &back, NULL), 0);
        assert_true(xt_slice_eq(back.host_name, hello.host_name) && xt_slice_eq(back.os, hello.os));
    }
    xt_buf_fini(&out);
    return r;
}

static int pack_batch(void *context)
{
    xt_buf events = XT_BUF_INIT, payload = XT_BUF_INIT, back = XT_BUF_INIT;
    xt_batch batch;
    bool was_armed = alloc_pause();
    for (int i = 0; i < 200; i++)
        put_event(&events, "one and the same text, which packs well");
    alloc_resume(was_armed);
    int r = xt_batch_encode((xt_hash128){{7}}, 5, 200, (xt_hash128){{9}}, xt_buf_slice(&events), &payload);
    if (r == 0)
        r = xt_batch_decode(xt_buf_slice(&payload), &batch, NULL);
    if (r == 0)
        r = xt_batch_events(&batch, &back, NULL);
    assert_true(r == 0 || r == -ENOMEM);
    assert_true(r != 0 || xt_slice_eq(xt_buf_slice(&back), xt_buf_slice(&events)));
    xt_buf_fini(&events);
    xt_buf_fini(&payload);
    xt_buf_fini(&back);
    return r;
}

static void test_messages(void **state)
{
    assert_true(alloc_fail_each(send_hello, NULL) > 0);
    assert_true(alloc_fail_each(pack_batch, NULL) > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spool),
        cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
