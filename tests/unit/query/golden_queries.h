/*
 * A golden file of queries: lines `? query`, each followed by what comes out of it; blank lines and comments (#) are kept.
 * XT_GOLDEN_UPDATE=1 rewrites it, and the difference is read.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"

static void golden_path(const char *name, char *ret, size_t n)
{
    const char *root = getenv("XT_SOURCE");

    snprintf(ret, n, "%s/%s", root ? root : ".", name);
}

static void golden_read(const char *path, xt_buf *out)
{
    FILE *f = fopen(path, "rb");
    char piece[4096];

    if (!f)
        fail_msg("%s cannot be read", path);
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;)
        xt_buf_put(out, xt_slice_of(piece, n));
    fclose(f);
}

static void golden_write(const char *path, xt_slice text)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
    fclose(f);
}

/* put_case writes the query's lines anew; the file has at least min of them. */
static void golden_queries(const char *name, unsigned min,
                           void (*put_case)(xt_slice query, xt_arena *arena, xt_buf *out))
{
    xt_buf golden = XT_BUF_INIT, now = XT_BUF_INIT;
    char path[1024];
    xt_arena arena;
    xt_slice line;
    unsigned n = 0;

    xt_arena_init(&arena, 1 << 20);
    golden_path(name, path, sizeof path);
    golden_read(path, &golden);
    for (xt_slice rest = xt_buf_slice(&golden); xt_slice_cut(&rest, '\n', &line);) {
        if (xt_slice_starts(line, XT_S("? ")))
            put_case(xt_slice_skip(line, 2), &arena, &now), n++;
        else if (line.n == 0 || line.p[0] == '#')
            xt_buf_put(&now, line), xt_buf_puts(&now, rest.p ? "\n" : "");
    }
    assert_true(n > min);
    if (getenv("XT_GOLDEN_UPDATE"))
        golden_write(path, xt_buf_slice(&now));
    else if (!xt_slice_eq(xt_buf_slice(&golden), xt_buf_slice(&now)))
        fail_msg("%s differs from what the parser says now:\n%.*s", path, XT_S_ARGS(xt_buf_slice(&now)));
    xt_buf_fini(&golden);
    xt_buf_fini(&now);
    xt_arena_fini(&arena);
}
