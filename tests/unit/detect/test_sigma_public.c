/*
 * Every public rule for processes on real captures, against the plain evaluator of sigma_reference.py. XT_SIGMA_RULES
 * names the rules' folder and XT_CORPUS that of the captures; without them, or without PyYAML, the test is skipped.
 */
#include <sys/wait.h>

#include "detect/sigma_match.h"
#include "detect_stream.h"

static const char *const captures[] = {"args.log",   "bypass.log", "session.log",  "sudo.log",
                                       "tamper.log", "tty.log",    "webshell.log", "argv-head.log"};

struct run {
    const xt_ruleset *set;
    FILE *events;
    xt_buf ours;
    size_t n, n_matches;
};

static void put_value(FILE *out, xt_slice value)
{
    fputc('"', out);
    for (size_t i = 0; i < value.n; i++) {
        uint8_t c = (uint8_t)value.p[i];
        if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void put_field(FILE *out, const char *name, const xt_slice *values, size_t n)
{
    fprintf(out, "\"%s\": [", name);
    for (size_t i = 0; i < n; i++) {
        fputs(i ? ", " : "", out);
        put_value(out, values[i]);
    }
    fputs("], ", out);
}

static void put_text(FILE *out, const char *name, const xt_event *event, xt_field field)
{
    xt_slice value = xt_event_bytes(event, field);

    put_field(out, name, &value, xt_event_has(event, field));
}

/* Paths that Image has: the kernel's, and the one that was called. */
static size_t images_of(const xt_event *event, xt_slice ret[2])
{
    xt_path_iter iter = xt_paths_iterate(xt_event_bytes(event, XT_F_PATHS));
    xt_path path;
    size_t n = 0;

    ret[n++] = xt_event_bytes(event, XT_F_EXE);
    if (xt_event_has(event, XT_F_SCRIPT)) {
        ret[n++] = xt_event_bytes(event, XT_F_SCRIPT);
        return n;
    }
    while (n < 2 && xt_paths_next(&iter, &path))
        if (path.item == 0 && path.has_name)
            ret[n++] = path.name;
    return n;
}

static void put_event(FILE *out, const xt_event *event)
{
    xt_slice images[2], uid;
    xt_buf cmd = XT_BUF_INIT;
    char number[24];

    fputc('{', out);
    put_field(out, "Image", images, images_of(event, images));
    xt_list_join(xt_event_bytes(event, XT_F_ARGS), &cmd);
    assert_int_equal(xt_buf_done(&cmd), 0);
    put_field(out, "CommandLine", &(xt_slice){cmd.p, cmd.n}, 1);
    xt_buf_fini(&cmd);
    put_text(out, "ParentImage", event, XT_F_PARENT_EXE);
    put_text(out, "ParentCommandLine", event, XT_F_PARENT_CMD);
    put_text(out, "User", event, XT_F_USER);
    put_text(out, "CurrentDirectory", event, XT_F_CWD);
    snprintf(number, sizeof number, "%llu", (unsigned long long)xt_event_num(event, XT_F_UID, 0));
    uid = xt_slice_str(number);
    put_field(out, "LogonId", &uid, xt_event_has(event, XT_F_UID));
    fputs("\"-\": []}\n", out);
}

static int by_id(const void *a, const void *b)
{
    return xt_slice_cmp(((const xt_match *)a)->rule->id, ((const xt_match *)b)->rule->id);
}

static void on_event(void *context, xt_event *event, xt_arena *arena)
{
    struct run *run = context;
    xt_match matches[XT_DETECT_MAX_MATCHES];
    size_t n = 0;

    if (!xt_sigma_is_process(event))
        return;
    assert_int_equal(xt_ruleset_match(run->set, event, arena, matches, &n), 0);
    assert_true(n < XT_DETECT_MAX_MATCHES);
    qsort(matches, n, sizeof *matches, by_id);
    for (size_t i = 0; i < n; i++)
        xt_buf_printf(&run->ours, "%zu %.*s\n", run->n, XT_S_ARGS(matches[i].rule->id));
    put_event(run->events, event);
    run->n++;
    run->n_matches += n;
}

/* What the reference prints for this file; false when it cannot run. */
static bool run_reference(const char *rules, const char *events, xt_buf *out)
{
    char script[400];
    int ends[2], status;
    pid_t pid;

    source_path(script, "tests/unit/detect/sigma_reference.py");
    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execlp("python3", "python3", script, rules, events, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    for (;;) {
        char *to = xt_buf_reserve(out, 65536);
        ssize_t n = to ? read(ends[0], to, 65536) : -1;
        if (n <= 0)
            break;
        out->n += (size_t)n;
    }
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool has_yaml(void)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        execlp("python3", "python3", "-c", "import yaml", (char *)NULL);
        _exit(127);
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static xt_ruleset *load_public(const char *rules)
{
    const char *paths[] = {rules};
    xt_buf problems = XT_BUF_INIT;
    xt_ruleset *set = NULL;
    xt_ruleset_stats stats;

    assert_int_equal(xt_ruleset_load(paths, 1, note_problem, &problems, &set, NULL), 0);
    xt_buf_putc(&problems, '\0');
    stats = xt_ruleset_stats_get(set);
    if (stats.n_refused)
        fail_msg("%s", problems.p);
    print_message("%zu rules, %zu of other log sources\n", stats.n_rules, stats.n_not_ours);
    assert_true(stats.n_rules > 100);
    xt_buf_fini(&problems);
    return set;
}

/* The first line in which two texts differ, for the message. */
static void assert_same(const xt_buf *ours, const xt_buf *theirs, const char *what)
{
    xt_slice a = xt_buf_slice(ours), b = xt_buf_slice(theirs), x = XT_S_NULL, y = XT_S_NULL;

    while (a.n || b.n) {
        bool more_a = xt_slice_cut(&a, '\n', &x), more_b = xt_slice_cut(&b, '\n', &y);
        if (!more_a || !more_b || !xt_slice_eq(x, y))
            fail_msg("%s: here \"%.*s\", by the reference \"%.*s\"", what, XT_S_ARGS(x), XT_S_ARGS(y));
    }
}

static void compare(const xt_ruleset *set, const char *rules, const char *capture)
{
    char path[400], events[] = "/tmp/xt-detect-events-XXXXXX";
    struct run run = {.set = set};
    xt_buf theirs = XT_BUF_INIT;
    int fd;

    if (!corpus_path(path, capture))
        return;
    fd = mkstemp(events);
    assert_true(fd >= 0);
    run.events = fdopen(fd, "w");
    stream_file(path, on_event, &run);
    fclose(run.events);
    assert_true(run_reference(rules, events, &theirs));
    unlink(events);
    assert_same(&run.ours, &theirs, capture);
    print_message("%s: %zu execs, %zu matches\n", capture, run.n, run.n_matches);
    xt_buf_fini(&run.ours);
    xt_buf_fini(&theirs);
}

static void test_public(void **state)
{
    const char *rules = getenv("XT_SIGMA_RULES");
    xt_ruleset *set;

    if (!rules || !has_yaml())
        skip();
    set = load_public(rules);
    for (size_t i = 0; i < XT_COUNT_OF(captures); i++)
        compare(set, rules, captures[i]);
    xt_ruleset_unref(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_public),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
