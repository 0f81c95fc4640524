/*
 * Records whose event waits for more are in no batch yet. Whoever was told that they are durable has them here: a row of
 * state.db a host, locked in a box whose key stands in a file beside it. So what was a secret in them is in no byte of the
 * database, its write-ahead log or a backup, which leaves the key out. A row lives as long as the records wait, and seconds more.
 *
 * What is written is numbered: of two requests that end at once, the later picture of a host stays.
 */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "base/log.h"
#include "io/vfs.h"
#include "server/app_parts.h"
#include "server/intake_private.h"

enum { BOX_BYTES = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES };

/* Read, or made where there is none; a file of another length is none. */
int xt_intake_key_get(xt_intake *in)
{
    XT_CLEANUP(xt_buf_fini) xt_buf path = XT_BUF_INIT, text = XT_BUF_INIT;
    xt_buf_printf(&path, "%s/senders.key", in->app->data);
    xt_buf_putc(&path, '\0');
    if (sodium_init() < 0 || xt_buf_done(&path))
        return xt_error_origin(-ENOMEM);
    int r = xt_vfs_read_file(&xt_vfs_system, path.p, sizeof in->key, &text);
    if (r == 0 && text.n == sizeof in->key) {
        memcpy(in->key, text.p, sizeof in->key);
        return 0;
    }
    randombytes_buf(in->key, sizeof in->key);
    return xt_error_trace(xt_vfs_replace_file(&xt_vfs_system, path.p, xt_slice_of(in->key, sizeof in->key), 0600));
}

static int box(const xt_intake *in, xt_slice lines, xt_buf *out)
{
    unsigned char nonce[crypto_secretbox_NONCEBYTES];
    if (lines.n == 0)
        return 0;
    randombytes_buf(nonce, sizeof nonce);
    xt_buf_put(out, xt_slice_of(nonce, sizeof nonce));
    char *to = xt_buf_reserve(out, lines.n + crypto_secretbox_MACBYTES);
    if (!to)
        return xt_error_origin(-ENOMEM);
    crypto_secretbox_easy((unsigned char *)to, (const unsigned char *)lines.p, lines.n, nonce, in->key);
    out->n += lines.n + crypto_secretbox_MACBYTES;
    return 0;
}

static int unbox(const xt_intake *in, xt_slice boxed, xt_buf *out)
{
    const unsigned char *nonce = (const unsigned char *)boxed.p, *locked = nonce + crypto_secretbox_NONCEBYTES;
    if (boxed.n < BOX_BYTES)
        return 0;
    char *to = xt_buf_reserve(out, boxed.n);
    if (!to)
        return xt_error_origin(-ENOMEM);
    if (crypto_secretbox_open_easy((unsigned char *)to, locked, boxed.n - crypto_secretbox_NONCEBYTES, nonce, in->key))
        return 0; /* of another key: restored from a backup; its sender sends it again, if it is one that waits for answers */
    out->n += boxed.n - BOX_BYTES;
    return 0;
}

/* ---- writing ---- */

/* Under the intake's lock: a block of the host's name and one of its lines. */
static int picture_one(void *context, xt_slice host, xt_slice lines)
{
    xt_buf *out = context;
    xt_buf_put_block(out, host);
    xt_buf_put_block(out, lines);
    return xt_buf_done(out);
}

static int write_one(xt_intake *in, xt_slice host, xt_slice lines, int64_t number, xt_problem *problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf boxed = XT_BUF_INIT;
    int r = box(in, lines, &boxed);
    if (r)
        return xt_error_trace(r);
    return xt_error_trace(
        xt_state_run(in->app->state, problem, NULL,
                     "INSERT INTO open_records(host, number, box) VALUES(?,?,?) ON CONFLICT(host) DO UPDATE"
                     " SET number = excluded.number, box = excluded.box WHERE excluded.number > number",
                     "sib", host, number, boxed.n ? xt_buf_slice(&boxed) : XT_S("")));
}

static int write_all(xt_intake *in, xt_slice picture, int64_t number, xt_problem *problem)
{
    xt_reader reader = xt_reader_of(picture);
    int r = 0;
    while (r == 0 && xt_reader_left(&reader) > 0) {
        xt_slice host = xt_reader_block(&reader);
        r = write_one(in, host, xt_reader_block(&reader), number, problem);
    }
    return xt_error_trace(r);
}

static int commit(xt_intake *in, xt_slice picture, int64_t number)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_state_begin(in->app->state, &problem);
    if (r == 0)
        r = xt_state_end(in->app->state, write_all(in, picture, number, &problem), &problem);
    return xt_error_trace(r);
}

int xt_intake_keep(xt_intake *in, int64_t timeout_ms)
{
    XT_CLEANUP(xt_buf_fini) xt_buf picture = XT_BUF_INIT;
    pthread_mutex_lock(&in->lock);
    int r = xt_senders_finish_titled(in->senders);
    if (r == 0)
        r = xt_senders_open_each(in->senders, picture_one, &picture);
    int64_t number = ++in->picture_number;
    in->has_rows |= picture.n > 0;
    pthread_mutex_unlock(&in->lock);
    if (r == 0)
        r = xt_intake_settle(in, timeout_ms);
    if (r == 0 && picture.n > 0)
        r = commit(in, xt_buf_slice(&picture), number);
    return r;
}

void xt_intake_open_sweep(xt_intake *in)
{
    XT_CLEANUP(xt_buf_fini) xt_buf picture = XT_BUF_INIT;
    if (!in->has_rows)
        return;
    in->has_rows = xt_senders_stats_get(in->senders).n_open_bytes > 0;
    int r = xt_senders_open_each(in->senders, picture_one, &picture);
    int64_t number = ++in->picture_number;
    pthread_mutex_unlock(&in->lock);
    if (r == 0 && picture.n > 0)
        r = commit(in, xt_buf_slice(&picture), number);
    if (r < 0)
        xt_log(XT_LOG_ERROR, "records that wait for more: %s", strerror(-r));
    pthread_mutex_lock(&in->lock);
}

void xt_intake_open_clear(xt_intake *in)
{
    xt_problem problem = XT_PROBLEM_INIT;
    if (xt_state_run(in->app->state, &problem, NULL, "DELETE FROM open_records", ""))
        xt_log_problem(XT_LOG_ERROR, &problem);
}

/* ---- reading ---- */

static int feed_lines(xt_intake *in, xt_slice host, xt_slice lines)
{
    xt_slice line;
    int r = 0;
    while (r >= 0 && xt_slice_cut(&lines, '\n', &line))
        if (line.n > 0)
            r = xt_senders_feed_kept(in->senders, host, line, xt_clock_mono_ms(&xt_clock_system));
    return r < 0 ? xt_error_trace(r) : 0;
}

/* After a kill; before anything else comes. */
int xt_intake_open_records(xt_intake *in)
{
    XT_CLEANUP(xt_state_finish) sqlite3_stmt *stmt = NULL;
    xt_state_lock(in->app->state);
    int r = xt_state_select(in->app->state, NULL, &stmt, "SELECT host, number, box FROM open_records", "");
    while (r == 0 && (r = xt_state_next(in->app->state, stmt, NULL)) == 1) {
        XT_CLEANUP(xt_buf_fini) xt_buf lines = XT_BUF_INIT;
        int64_t number = sqlite3_column_int64(stmt, 1);
        in->picture_number = number > in->picture_number ? number : in->picture_number;
        r = unbox(in, xt_sqlite_slice(stmt, 2), &lines);
        in->has_rows = true;
        if (r == 0)
            r = feed_lines(in, xt_sqlite_slice(stmt, 0), xt_buf_slice(&lines));
    }
    xt_state_unlock(in->app->state);
    return xt_error_trace(r);
}
