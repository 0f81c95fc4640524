/*
 * The decoder with every request for memory refused in turn, over the first lines of each capture, with secrets and
 * typed lines, to JSON. A run ends with -ENOMEM, or goes on and says what it could not hold: an event that comes out is
 * the one that comes out when memory is there, byte for byte, or an unparsed one in its place with a problem reported.
 * Nothing leaks (the build with AddressSanitizer).
 */
#include "support.h"

#include <dirent.h>
#include <errno.h>

#include "../alloc_faults.h"

#define N_LINES 28

typedef struct work {
    xt_slice text;
    xt_secret_rules *secrets;
    xt_buf whole, whole_json; /* blocks: what comes out when nothing is refused */
    xt_buf events, json;      /* what came out of the run at hand */
    size_t n_problems;
    bool is_reference;
} work;

static void put_event(work *w, const xt_event *event)
{
    xt_buf bytes = XT_BUF_INIT;
    xt_event_encode(event, &bytes);
    xt_buf_put_block(&w->events, xt_buf_slice(&bytes));
    xt_buf_fini(&bytes);
}

/* The document is made with memory that may be refused; what is kept of it is not. */
static int take_event(void *context, xt_event *event, xt_arena *arena)
{
    work *w = context;
    xt_buf json = XT_BUF_INIT;
    int r = xt_event_json(event, XT_EVENT_JSON_RECORDS, arena, &json);
    bool was_armed = alloc_pause();
    assert_true(r == 0 || (r == -ENOMEM && !w->is_reference));
    put_event(w, event);
    xt_buf_put_block(&w->json, r == 0 ? xt_buf_slice(&json) : XT_S_NULL);
    xt_buf_fini(&json);
    alloc_resume(was_armed);
    return 0;
}

static void take_problem(void *context, const xt_problem *problem)
{
    ((work *)context)->n_problems++;
}

static bool is_derived(xt_field f)
{
    return f == XT_F_PARENT_ENTITY || f == XT_F_PARENT_EXE || f == XT_F_PARENT_CMD || f == XT_F_PARENT_COMM ||
           f == XT_F_TTY_LINE || f == XT_F_TTY_UNFINISHED || f == XT_F_ENTITY;
}

/* Behind a problem what other events tell may be missing, the event's own may not. */
static void assert_same_event(xt_slice bytes, xt_slice wanted)
{
    xt_event a, z;
    assert_int_equal(xt_event_decode(bytes, &a, NULL), 0);
    assert_int_equal(xt_event_decode(wanted, &z, NULL), 0);
    for (xt_field f = XT_F_INVALID + 1; f < XT_F_END; f++) {
        if (!xt_field_find(f) || is_derived(f) || (!xt_event_has(&a, f) && !xt_event_has(&z, f)))
            continue;
        bool is_same = xt_event_has(&a, f) == xt_event_has(&z, f);
        if (is_same)
            is_same = xt_field_find(f)->type <= XT_INT ? a.values[f].num == z.values[f].num
                                                       : xt_slice_eq(a.values[f].bytes, z.values[f].bytes);
        if (!is_same)
            fail_msg("request %u, serial %u: %s is another: %.*s instead of %.*s", alloc_faults.fail_at,
                     (unsigned)xt_event_num(&z, XT_F_SERIAL, 0), xt_field_find(f)->name,
                     XT_S_ARGS(xt_event_bytes(&a, f)), XT_S_ARGS(xt_event_bytes(&z, f)));
    }
}

static bool is_unparsed(xt_slice bytes)
{
    xt_event event;
    assert_int_equal(xt_event_decode(bytes, &event, NULL), 0);
    return xt_slice_eq(xt_event_bytes(&event, XT_F_ACTION), XT_S("unparsed"));
}

/* One event at a time, in the order of the whole run. */
static void check_events(const work *w, int r)
{
    xt_reader events = xt_reader_of(xt_buf_slice(&w->events)), json = xt_reader_of(xt_buf_slice(&w->json));
    xt_reader whole = xt_reader_of(xt_buf_slice(&w->whole)), whole_json = xt_reader_of(xt_buf_slice(&w->whole_json));
    while (xt_reader_left(&events) > 0) {
        assert_true(xt_reader_left(&whole) > 0);
        xt_slice event = xt_reader_block(&events), document = xt_reader_block(&json);
        xt_slice wanted = xt_reader_block(&whole), wanted_document = xt_reader_block(&whole_json);
        if (is_unparsed(event) && !is_unparsed(wanted)) {
            assert_true(w->n_problems > 0);
        } else if (w->n_problems > 0) {
            assert_same_event(event, wanted);
        } else {
            assert_true(xt_slice_eq(event, wanted));
            assert_true(document.n == 0 || xt_slice_eq(document, wanted_document));
        }
    }
    assert_true(r != 0 || xt_reader_left(&whole) == 0);
}

static int run_decoder(work *w)
{
    xt_decoder_settings settings = {.origin = {.host_name = XT_S("web-1")},
                                    .secrets = w->secrets,
                                    .source = "test",
                                    .on_event = take_event,
                                    .on_problem = take_problem,
                                    .context = w};
    xt_decoder *decoder = NULL;
    int r = xt_decoder_new(&settings, &decoder);
    for (size_t at = 0; r == 0 && at < w->text.n; at += 1000)
        r = xt_decoder_feed(decoder, xt_slice_head(xt_slice_skip(w->text, at), 1000));
    if (r == 0)
        r = xt_decoder_finish(decoder);
    xt_decoder_free(decoder);
    return r;
}

static int decode_once(void *context)
{
    work *w = context;
    w->n_problems = 0;
    xt_buf_reset(&w->events);
    xt_buf_reset(&w->json);
    int r = run_decoder(w);
    bool was_armed = alloc_pause();
    assert_true(r == 0 || r == -ENOMEM);
    if (!w->is_reference)
        check_events(w, r);
    alloc_resume(was_armed);
    return r;
}

static void check_text(xt_slice text, xt_secret_rules *secrets)
{
    work w = {.text = text, .secrets = secrets, .is_reference = true};
    assert_int_equal(decode_once(&w), 0);
    w.whole = w.events;
    w.whole_json = w.json;
    memset(&w.events, 0, sizeof w.events);
    memset(&w.json, 0, sizeof w.json);
    w.is_reference = false;
    assert_true(w.whole.n > 0);
    assert_true(alloc_fail_each(decode_once, &w) > 20);
    xt_buf_fini(&w.whole);
    xt_buf_fini(&w.whole_json);
    xt_buf_fini(&w.events);
    xt_buf_fini(&w.json);
}

static xt_slice first_lines(xt_slice text)
{
    size_t n = 0;
    for (size_t i = 0; i < N_LINES && n < text.n; i++) {
        const char *newline = memchr(text.p + n, '\n', text.n - n);
        n = newline ? (size_t)(newline - text.p) + 1 : text.n;
    }
    return xt_slice_head(text, n);
}

static size_t read_file(const char *path, char *to, size_t cap)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(to, 1, cap, f);
    fclose(f);
    return n;
}

static void check_capture(const char *path, xt_secret_rules *secrets)
{
    static char text[1 << 21];
    xt_slice all = xt_slice_of(text, read_file(path, text, sizeof text));
    check_text(first_lines(all), secrets);
    const char *typed = memmem(all.p, all.n, "type=TTY ", 9); /* and where keys were typed, if they were */
    if (typed)
        check_text(first_lines(xt_slice_skip(all, (size_t)(typed - all.p))), secrets);
}

static void test_captures(void **state)
{
    char folder[4096], path[4096 + 300];
    const char *data = getenv("XT_TEST_DATA");
    unsigned n = 0;
    xt_secret_rules *secrets;
    assert_int_equal(xt_secret_rules_builtin(&secrets), 0);
    snprintf(folder, sizeof folder, "%s/capture", data ? data : "tests/data");
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 4, ".log") != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        check_capture(path, secrets);
        n++;
    }
    closedir(dir);
    xt_secret_rules_unref(secrets);
    assert_true(n >= 6);
}

/* What no capture has at its beginning: secrets, several hosts, damage, a late record, keys in another's hands. */
static void test_odd_text(void **state)
{
    xt_secret_rules *secrets;
    assert_int_equal(xt_secret_rules_builtin(&secrets), 0);
    check_text(
        XT_S("garbage before any record\n"
             "node=a type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=59 success=yes exit=0 items=2 ppid=1 "
             "pid=2 auid=1 uid=0 gid=0 euid=0 ses=3 comm=\"mysql\" exe=\"/usr/bin/mysql\" key=\"a\"\n"
             "node=b type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=42 success=yes exit=0 items=0 "
             "pid=9 key=\"net\"\n"
             "node=a type=EXECVE msg=audit(1.000:1): argc=4 a0=\"mysql\" a1=\"-psecret\" a2_len=8 a2[0]=41424344 "
             "a2[1]=45464748\n"
             "node=a type=CWD msg=audit(1.000:1): cwd=\"/\"\n"
             "node=a type=PATH msg=audit(1.000:1): item=0 name=\"/usr/bin/mysql\" inode=1 dev=00:01 mode=0100755 "
             "ouid=0 ogid=0 rdev=00:00 nametype=NORMAL\n"
             "node=a type=PROCTITLE msg=audit(1.000:1): proctitle=6D7973716C002D70736563726574\n"
             "node=a type=USER_CMD msg=audit(1.100:2): pid=2 uid=0 auid=1 ses=3 msg='cwd=\"/\" "
             "cmd=6D7973716C202D70736563726574 exe=\"/usr/bin/sudo\" terminal=pts/0 res=success'\x1dUID=\"root\"\n"
             "node=a type=CWD msg=audit(1.000:1): cwd=\"/late\"\n"
             "type=TTY msg=audit(2.000:3): tty pid=7 uid=1 auid=1 ses=3 major=136 minor=2 comm=\"bash\" data=6C73\n"
             "type=TTY msg=audit(2.000:4): tty pid=8 uid=1 auid=1 ses=3 major=136 minor=2 comm=\"sudo\" "
             "data=68756E746572320A\n"
             "type=TTY msg=audit(2.000:5): tty pid=7 uid=1 auid=1 ses=3 major=136 minor=2 comm=\"bash\" data=0D\n"
             "type=CWD msg=audit(3.000:6): cwd=\"/tytype=CWD msg=audit(3.000:7): cwd=\"/x\"\n"
             "type=PATH msg=audit(3.000:8): item=0 name=\"/cut"),
        secrets);
    xt_secret_rules_unref(secrets);
}

static int load_secrets(void *context)
{
    xt_secret_rules *secrets = NULL;
    int r = xt_secret_rules_builtin(&secrets);
    assert_true(r == 0 ? secrets != NULL : r == -ENOMEM && !secrets);
    xt_secret_rules_unref(secrets);
    return r;
}

static void test_secret_rules(void **state)
{
    assert_true(alloc_fail_each(load_secrets, NULL) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_captures),
        cmocka_unit_test(test_odd_text),
        cmocka_unit_test(test_secret_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
