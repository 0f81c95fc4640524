/*
 * Rows as text: goldens for table and CSV, and for raw the round trip: captured logs are read, written as audit text
 * and read again, and each event must come back as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "event/decoder.h"
#include "query/render.h"

static xt_slice list_of(xt_arena *arena, const xt_slice *items, size_t n)
{
    xt_buf out = XT_BUF_INIT;

    xt_list_put(&out, items, n);
    xt_slice s = xt_arena_copy(arena, xt_buf_slice(&out));
    xt_buf_fini(&out);
    return s;
}

static void example(xt_arena *arena, xt_event *event)
{
    const xt_slice args[] = {XT_S("sh"), XT_S("-c"), XT_S("echo \"a,b\" \x1b[31m\xe2\x80\xaex\n")};

    xt_event_reset(event);
    xt_event_set_num(event, XT_F_TIME, 1795401043120);
    xt_event_set_num(event, XT_F_SERIAL, 7);
    xt_event_set_bytes(event, XT_F_HOST, XT_S("a-host-with-a-long-name-\xc3\xa4"));
    xt_event_set_bytes(event, XT_F_HOST_ID, XT_S("0123"));
    xt_event_set_bytes(event, XT_F_LOGIN, XT_S("alice"));
    xt_event_set_num(event, XT_F_UID, 0);
    xt_event_set_bytes(event, XT_F_USER, XT_S("root"));
    xt_event_set_bytes(event, XT_F_TTY, XT_S("pts0"));
    xt_event_set_num(event, XT_F_SES, 5);
    xt_event_set_num(event, XT_F_EXIT, (uint64_t)INT64_C(-13));
    xt_event_set_bytes(event, XT_F_CWD, XT_S("=cmd|x"));
    xt_event_set_bytes(event, XT_F_ARGS, list_of(arena, args, 3));
}

static void render_is(xt_format format, const xt_field *fields, size_t n, const char *want)
{
    xt_arena arena;
    xt_buf out = XT_BUF_INIT;
    xt_render render = {.format = format, .fields = fields, .n_fields = n, .out = &out};
    xt_event event;

    xt_arena_init(&arena, 1 << 20);
    example(&arena, &event);
    xt_render_begin(&render);
    assert_int_equal(xt_render_row(&render, &event, &arena), 0);
    xt_buf_putc(&out, '\0');
    assert_string_equal(out.p, want);
    xt_buf_fini(&out);
    xt_arena_fini(&arena);
}

static void test_table(void **state)
{
    static const xt_field fields[] = {XT_F_USER, XT_F_EXIT, XT_F_CMD, XT_F_SES};

    render_is(
        XT_FORMAT_TABLE, NULL, 0,
        "time                     host             login>user       tty    ses     cwd                      exit    "
        "ended      command\n"
        "2026-11-23T02:30:43.120Z a-host-with-a-l\xe2\x80\xa6 alice>root       pts0   5       =cmd|x      "
        "             -13                sh -c echo \"a,b\" \\x1b[31m\\u{202e}x\\x0a\n");
    render_is(XT_FORMAT_TABLE, fields, 4,
              "user             exit    cmd                                      ses\n"
              "root             -13     sh -c echo \"a,b\" \\x1b[31m\\u{202e}x\\x0a   5\n");
}

static void test_csv(void **state)
{
    static const xt_field fields[] = {XT_F_USER, XT_F_EXIT, XT_F_CWD, XT_F_CMD, XT_F_EUSER};

    render_is(XT_FORMAT_CSV, fields, 5,
              "user.name,auditd.data.exit,process.working_directory,process.command_line,user.effective.name\r\n"
              "root,-13,'=cmd|x,\"sh -c echo \"\"a,b\"\" \\x1b[31m\xe2\x80\xaex\\x0a\",\r\n");
}

static void test_ndjson_fields(void **state)
{
    static const xt_field fields[] = {XT_F_USER, XT_F_ARGC};

    render_is(XT_FORMAT_NDJSON, fields, 2, "{\"user.name\":\"root\",\"process.args_count\":3}\n");
}

static void test_fields_parse(void **state)
{
    xt_field fields[3];
    size_t n = 77;
    xt_problem problem = XT_PROBLEM_INIT;

    assert_int_equal(xt_fields_parse(XT_S("user, process.executable,CMD"), fields, 3, &n, &problem), 0);
    assert_int_equal(n, 3);
    assert_int_equal(fields[0], XT_F_USER);
    assert_int_equal(fields[1], XT_F_EXE);
    assert_int_equal(fields[2], XT_F_CMD);
    n = 77;
    assert_int_equal(xt_fields_parse(XT_S("user,hots"), fields, 3, &n, &problem), XT_RENDER_E_FIELD);
    assert_int_equal(n, 77);
    assert_int_equal(problem.column, 6);
    assert_string_equal(problem.hint, "did you mean host?");
    assert_int_equal(xt_fields_parse(XT_S("user,user,user,user"), fields, 3, &n, &problem), XT_RENDER_E_FIELD);
}

static void test_formats(void **state)
{
    xt_format format = XT_FORMAT_CSV;

    assert_true(xt_format_by_name(XT_S("raw"), &format));
    assert_int_equal(format, XT_FORMAT_RAW);
    assert_false(xt_format_by_name(XT_S("xml"), &format));
    assert_int_equal(format, XT_FORMAT_RAW);
}

/* ------------------------------------------------------------------------------------------------ raw */

/* Events of one reading, encoded one behind the other. */
typedef struct reading {
    xt_buf encoded, text;
    size_t n;
} reading;

static int on_event(void *context, xt_event *event, xt_arena *arena)
{
    reading *r = context;

    xt_event_batch_put(&r->encoded, event);
    xt_render render = {.format = XT_FORMAT_RAW, .out = &r->text};
    r->n++;
    return xt_render_row(&render, event, arena);
}

static void read_text(xt_slice text, reading *ret)
{
    xt_decoder_settings settings = {
        .origin = {.host_name = {"web-1", 5}}, .source = "test", .on_event = on_event, .context = ret};
    xt_decoder *decoder;

    *ret = (reading){XT_BUF_INIT, XT_BUF_INIT, 0};
    assert_int_equal(xt_decoder_new(&settings, &decoder), 0);
    assert_int_equal(xt_decoder_feed(decoder, text), 0);
    assert_int_equal(xt_decoder_finish(decoder), 0);
    xt_decoder_free(decoder);
    assert_int_equal(xt_buf_done(&ret->text), 0);
}

static void reading_fini(reading *r)
{
    xt_buf_fini(&r->encoded);
    xt_buf_fini(&r->text);
}

static void compare_events(xt_slice a, xt_slice b)
{
    xt_event x, y;
    xt_problem problem = XT_PROBLEM_INIT;

    assert_int_equal(xt_event_decode(a, &x, &problem), 0);
    assert_int_equal(xt_event_decode(b, &y, &problem), 0);
    bool lost = xt_slice_find(xt_event_bytes(&x, XT_F_FLAGS), XT_S("args-mismatch")) >= 0; /* lengths are not kept */
    for (unsigned f = 1; f < XT_F_END; f++) {
        if (lost && (f == XT_F_FLAGS || f == XT_F_RECORDS))
            continue;
        xt_buf was = XT_BUF_INIT, is = XT_BUF_INIT;
        if (!xt_field_find(f) ||
            (xt_event_has(&x, (xt_field)f) == xt_event_has(&y, (xt_field)f) &&
             (!xt_event_has(&x, (xt_field)f) ||
              (xt_field_find(f)->type <= XT_INT ? x.values[f].num == y.values[f].num
                                                : xt_slice_eq(x.values[f].bytes, y.values[f].bytes)))))
            continue;
        xt_event_field_text(&x, (xt_field)f, &was);
        xt_event_field_text(&y, (xt_field)f, &is);
        fail_msg("%s: %zu bytes [%.*s]\nis now %zu bytes [%.*s]\nof serial %llu", xt_field_find(f)->name, was.n,
                 XT_S_ARGS(xt_slice_head(xt_buf_slice(&was), 3000)), is.n,
                 XT_S_ARGS(xt_slice_head(xt_buf_slice(&is), 3000)),
                 (unsigned long long)xt_event_num(&x, XT_F_SERIAL, 0));
    }
}

/* By time and serial: in which order groups end depends on what stands between them. */
static int by_stamp(const void *a, const void *b)
{
    xt_event x, y;
    xt_problem problem = XT_PROBLEM_INIT;

    assert_int_equal(xt_event_decode(*(const xt_slice *)a, &x, &problem), 0);
    assert_int_equal(xt_event_decode(*(const xt_slice *)b, &y, &problem), 0);
    int64_t t = (int64_t)x.values[XT_F_TIME].num - (int64_t)y.values[XT_F_TIME].num;
    int64_t n = (int64_t)xt_event_num(&x, XT_F_SERIAL, 0) - (int64_t)xt_event_num(&y, XT_F_SERIAL, 0);
    return t ? (t > 0) - (t < 0) : n ? (n > 0) - (n < 0) : xt_slice_cmp(*(const xt_slice *)a, *(const xt_slice *)b);
}

static xt_slice *sorted_events(const reading *r)
{
    xt_slice *events = calloc(r->n + 1, sizeof *events), rest = xt_buf_slice(&r->encoded);

    for (size_t i = 0; i < r->n; i++)
        assert_true(xt_event_batch_next(&rest, &events[i]));
    qsort(events, r->n, sizeof *events, by_stamp);
    return events;
}

static size_t round_trip(xt_slice log)
{
    reading first, second;

    read_text(log, &first);
    read_text(xt_buf_slice(&first.text), &second);
    assert_int_equal(first.n, second.n);
    xt_slice *a = sorted_events(&first), *b = sorted_events(&second);
    for (size_t i = 0; i < first.n; i++)
        if (!xt_slice_eq(a[i], b[i]))
            compare_events(a[i], b[i]);
    size_t n = first.n;
    free(a);
    free(b);
    reading_fini(&first);
    reading_fini(&second);
    return n;
}

#define STAMP "msg=audit(1795401043.120:7): "
#define CALL                                                                                                      \
    "arch=c000003e syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 a3=4 items=1 ppid=1 pid=2 auid=1000 uid=0 gid=0 " \
    "euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=(none) ses=3 comm=\"sh\" exe=\"/bin/sh\" subj=unconfined "

static void test_raw_cases(void **state)
{
    static const char *const logs[] = {
        /* an exec with all that may belong to it */
        "type=SYSCALL " STAMP CALL "key=61016220\x1d"
        "AUID=\"alice\" UID=\"root\"\n"
        "type=EXECVE " STAMP "argc=3 a0=\"sh\" a1=\"\" a2=6120622274C3A4\n"
        "type=CWD " STAMP "cwd=2F612062\n"
        "type=PATH " STAMP "item=0 name=\"/bin/sh\" inode=12 dev=fd:01 mode=0100755 ouid=0 ogid=0 rdev=00:00 "
        "nametype=NORMAL cap_fp=0 cap_fi=1 cap_fe=0 cap_fver=0 cap_frootid=0 obj=x:y\n"
        "type=PROCTITLE " STAMP "proctitle=\"other\"\n",
        /* a failed one: exe is the caller's in the record, the path tried in the event */
        "type=SYSCALL " STAMP "arch=c000003e syscall=59 success=no exit=-2 a0=1 a1=2 a2=3 a3=4 items=1 ppid=1 pid=2 "
        "auid=4294967295 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=4294967295 comm=\"sh\" "
        "exe=\"/bin/sh\" key=(null)\n"
        "type=CWD " STAMP "cwd=\"/root\"\n"
        "type=PATH " STAMP "item=0 name=\"./nothing\" nametype=UNKNOWN\n"
        "type=PROCTITLE " STAMP "proctitle=2D62617368\n",
        /* execveat: a path that counts from the working directory, and one that does not */
        "type=SYSCALL " STAMP "arch=c000003e syscall=322 success=no exit=-2 a0=ffffff9c a1=2 a2=3 a3=4 items=1 ppid=1 "
        "pid=2 auid=0 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=1 comm=\"sh\" "
        "exe=\"/bin/sh\" key=(null)\n"
        "type=CWD " STAMP "cwd=\"/root\"\ntype=PATH " STAMP "item=0 name=\"x\" nametype=UNKNOWN\n",
        "type=SYSCALL " STAMP "arch=c000003e syscall=322 success=no exit=-2 a0=5 a1=2 a2=3 a3=4 items=1 ppid=1 "
        "pid=2 auid=0 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=1 comm=\"sh\" "
        "exe=\"/bin/sh\" key=(null)\n"
        "type=CWD " STAMP "cwd=\"/root\"\ntype=PATH " STAMP "item=0 name=\"x\" nametype=UNKNOWN\n",
        /* another call keeps its arguments; a socket address */
        "type=SYSCALL " STAMP
        "arch=c000003e syscall=42 success=yes exit=0 a0=3 a1=7ffe a2=10 a3=0 items=0 ppid=1 pid=2 "
        "auid=0 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=(none) ses=1 comm=\"x\" exe=\"/x\" "
        "key=\"net\"\n"
        "type=SOCKADDR " STAMP "saddr=020000350A000001\x1d"
        "SADDR={ saddr_fam=inet laddr=10.0.0.1 lport=53 }\n"
        "type=PROCTITLE " STAMP "proctitle=\"x\"\n",
        /* what a program says */
        "type=USER_CMD " STAMP "pid=9 uid=1000 auid=1000 ses=3 msg='cwd=\"/root\" cmd=6C73202D6C exe=\"/usr/bin/sudo\" "
        "terminal=pts/0 res=success'\n",
        "type=USER_LOGIN " STAMP "pid=9 uid=0 auid=1000 ses=3 subj=x msg='op=login id=1000 exe=\"/usr/sbin/sshd\" "
        "hostname=h addr=10.1.2.3 terminal=ssh res=success'\x1dUID=\"root\" AUID=\"alice\" ID=\"alice\"\n",
        /* several heads, a type without a name, and a line that is no record */
        "type=LOGIN " STAMP "pid=2 uid=0 old-auid=4294967295 auid=1000 tty=(none) old-ses=4294967295 ses=3 res=1\n"
        "type=SYSCALL " STAMP CALL "key=(null)\n",
        "type=UNKNOWN[1999] " STAMP "op=\"x y\" n=5\n",
        "type=AVC " STAMP "avc:  denied  { read } for  pid=5 comm=\"x\" name=\"y\" tclass=file permissive=1\n"
        "type=SYSCALL " STAMP CALL "key=(null)\n",
    };

    for (size_t i = 0; i < XT_COUNT_OF(logs); i++)
        assert_int_equal(round_trip(xt_slice_str(logs[i])), 1);
}

/* ausearch finds fields in the kernel's order alone, and those of LOGIN in that record. */
static void test_raw_order(void **state)
{
    static const char *const lines[] = {
        "type=USER_CMD " STAMP "pid=9 uid=0 auid=1000 ses=3 msg='cmd=\"id\" res=success'\n",
        "type=LOGIN " STAMP "pid=2 uid=0 old-auid=4294967295 auid=1000 old-ses=4294967295 ses=3 res=1\n",
    };

    for (size_t i = 0; i < XT_COUNT_OF(lines); i++) {
        reading r;
        xt_buf log = XT_BUF_INIT;
        xt_buf_puts(&log, lines[i]);
        if (i == 1)
            xt_buf_puts(&log, "type=SYSCALL " STAMP CALL "key=(null)\n");
        read_text(xt_buf_slice(&log), &r);
        assert_int_equal(r.n, 1);
        xt_slice wanted = xt_slice_skip(xt_slice_str(lines[i]), 5);
        assert_true(xt_slice_find(xt_buf_slice(&r.text), wanted) >= 0);
        xt_buf_fini(&log);
        reading_fini(&r);
    }
}

/* A line that is no record comes out as it went in. */
static void test_raw_unparsed(void **state)
{
    reading r;

    read_text(XT_S("not a \xff record\n"), &r);
    assert_int_equal(r.n, 1);
    assert_true(xt_slice_eq(xt_buf_slice(&r.text), XT_S("not a \xff record\n")));
    reading_fini(&r);
}

/* Arguments at the edges of fragments and records. */
static void test_raw_arguments(void **state)
{
    static const size_t sizes[] = {0, 1, 3600, 3700, 7300, 7498, 7499, 7500, 7501, 9000, 20000, 131071};

    for (unsigned i = 0; i < 3 * XT_COUNT_OF(sizes); i++) {
        xt_buf log = XT_BUF_INIT;
        size_t n = sizes[i / 3];
        xt_buf_puts(&log, "type=SYSCALL " STAMP CALL "key=(null)\ntype=EXECVE " STAMP "argc=3 a0=\"x\" a1=");
        for (size_t k = 0; k < n; k++)
            xt_buf_puts(&log, i % 3 == 0 ? "41" : i % 3 == 1 ? "20" : k % 5 ? "41" : "FF");
        xt_buf_puts(&log, n ? " a2=\"end\"\n" : "\"\" a2=\"end\"\n");
        reading first, second;
        read_text(xt_buf_slice(&log), &first);
        read_text(xt_buf_slice(&first.text), &second);
        xt_event a, b;
        xt_problem problem = XT_PROBLEM_INIT;
        xt_slice rest_a = xt_buf_slice(&first.encoded), rest_b = xt_buf_slice(&second.encoded);
        xt_slice bytes_a = XT_S_NULL, bytes_b = XT_S_NULL;
        assert_true(xt_event_batch_next(&rest_a, &bytes_a) && xt_event_batch_next(&rest_b, &bytes_b));
        assert_int_equal(xt_event_decode(bytes_a, &a, &problem), 0);
        assert_int_equal(xt_event_decode(bytes_b, &b, &problem), 0);
        assert_true(a.values[XT_F_ARGS].bytes.n > n);
        assert_true(xt_slice_eq(xt_event_bytes(&a, XT_F_ARGS), xt_event_bytes(&b, XT_F_ARGS)));
        assert_false(xt_event_has(&b, XT_F_MISSING));
        assert_true(xt_slice_find(xt_buf_slice(&first.text), XT_S(" exit=0 a0=0 a1=0 a2=0 a3=0 items=1")) > 0);
        for (xt_slice text = xt_buf_slice(&first.text), line; xt_slice_cut(&text, '\n', &line);)
            assert_true(line.n < 8000); /* what readers of audit logs take */
        reading_fini(&first);
        reading_fini(&second);
        xt_buf_fini(&log);
    }
}

static void test_raw_corpus(void **state)
{
    static const char *const names[] = {"session.log", "sudo.log", "tty.log",       "webshell.log",     "tamper.log",
                                        "bypass.log",  "args.log", "argv-head.log", "compat32-head.log"};
    const char *data = getenv("XT_TEST_DATA");
    unsigned n_read = 0;

    for (size_t i = 0; i < XT_COUNT_OF(names); i++) {
        char path[1024], piece[4096];
        xt_buf log = XT_BUF_INIT;
        snprintf(path, sizeof path, "%s/capture/%s", data ? data : "tests/data", names[i]);
        FILE *f = fopen(path, "rb");
        if (!f)
            continue;
        for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;)
            xt_buf_put(&log, xt_slice_of(piece, n));
        fclose(f);
        print_message("%s\n", names[i]);
        assert_true(round_trip(xt_buf_slice(&log)) > 5);
        xt_buf_fini(&log);
        n_read++;
    }
    if (n_read == 0)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),         cmocka_unit_test(test_csv),          cmocka_unit_test(test_ndjson_fields),
        cmocka_unit_test(test_fields_parse),  cmocka_unit_test(test_formats),      cmocka_unit_test(test_raw_cases),
        cmocka_unit_test(test_raw_arguments), cmocka_unit_test(test_raw_unparsed), cmocka_unit_test(test_raw_order),
        cmocka_unit_test(test_raw_corpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
