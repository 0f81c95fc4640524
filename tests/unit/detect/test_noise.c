/* What a login runs is tagged, what a person runs is not: on a capture, and on made-up sessions where each rule decides. */
#include "detect/noise.h"
#include "detect_stream.h"

static xt_ruleset *load_rules(const char *name, size_t n_noise)
{
    char path[400];
    const char *paths[] = {source_path(path, name)};
    xt_ruleset *set = NULL;
    xt_buf problems = XT_BUF_INIT;

    assert_int_equal(xt_ruleset_load(paths, 1, note_problem, &problems, &set, NULL), 0);
    xt_buf_putc(&problems, '\0');
    if (problems.n > 1)
        fail_msg("%s", problems.p);
    assert_int_equal(xt_ruleset_stats_get(set).n_noise, n_noise);
    assert_int_equal(xt_ruleset_count(set), 0);
    xt_buf_fini(&problems);
    return set;
}

static xt_ruleset *load_noise(void)
{
    return load_rules("rules/noise/login-shell.yml", 1);
}

struct capture {
    const xt_ruleset *set;
    xt_noise_state *state;
    xt_buf tagged, shown; /* " SERIAL" of execs */
};

static void on_event(void *context, xt_event *event, xt_arena *arena)
{
    struct capture *c = context;
    xt_slice tag = XT_S("untouched");

    assert_int_equal(xt_noise_tag(c->set, c->state, event, arena, &tag), 0);
    if (tag.n)
        assert_true(xt_slice_eq(tag, XT_S("login-shell")));
    if (xt_slice_eq(xt_event_bytes(event, XT_F_ACTION), XT_S("executed")))
        xt_buf_printf(tag.n ? &c->tagged : &c->shown, " %llu", (unsigned long long)xt_event_num(event, XT_F_SERIAL, 0));
    else
        assert_int_equal(tag.n, 0);
}

static void put_range(xt_buf *out, unsigned from, unsigned to)
{
    for (unsigned i = from; i <= to; i++)
        xt_buf_printf(out, " %u", i);
}

static void assert_serials(const xt_buf *have, const xt_buf *want)
{
    if (!xt_slice_eq(xt_buf_slice(have), xt_buf_slice(want)))
        fail_msg("have%.*s\nwant%.*s", XT_S_ARGS(xt_buf_slice(have)), XT_S_ARGS(xt_buf_slice(want)));
}

/* Two logins and one `ssh HOST COMMAND`; the people's commands were sent without a pause. */
static void test_capture(void **state)
{
    struct capture c = {.set = load_noise()};
    xt_buf tagged = XT_BUF_INIT, shown = XT_BUF_INIT;
    char path[400];

    if (!corpus_path(path, "session.log"))
        skip();
    put_range(&tagged, 67267, 67274); /* PAM's message of the day, failed attempts of env included */
    put_range(&tagged, 67279, 67280); /* id -u, dircolors -b */
    put_range(&tagged, 67292, 67299);
    put_range(&tagged, 67304, 67306); /* zsh-newuser-install */
    put_range(&tagged, 67320, 67327);
    put_range(&shown, 67278, 67278); /* -bash */
    put_range(&shown, 67281, 67285); /* whoami, uname -a, ls, cat; clear_console at the end */
    put_range(&shown, 67303, 67303); /* -zsh */
    put_range(&shown, 67307, 67313); /* what bob typed */
    put_range(&shown, 67330, 67332); /* ssh HOST 'uptime; hostname' */
    assert_int_equal(xt_noise_state_new(&c.state), 0);
    stream_file(path, on_event, &c);
    assert_serials(&c.tagged, &tagged);
    assert_serials(&c.shown, &shown);
    xt_noise_state_free(c.state);
    xt_ruleset_unref((xt_ruleset *)(uintptr_t)c.set);
    xt_buf_fini(&c.tagged);
    xt_buf_fini(&c.shown);
    xt_buf_fini(&tagged);
    xt_buf_fini(&shown);
}

struct step {
    int64_t at_ms;
    unsigned pid, ppid;
    const char *tty, *exe, *args; /* exe NULL: the LOGIN record of pid; args NULL: a failed exec */
    bool tagged;
};

#define MOTD                                                                                                          \
    "sh -c /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin run-parts --lsbsysinit " \
    "/etc/update-motd.d > /run/motd.dynamic.new"

static void make_event(const struct step *s, unsigned ses, xt_arena *arena, xt_event *event)
{
    set_exec(event, arena, s->exe ? s->exe : "/usr/sbin/sshd", s->args);
    if (!s->exe)
        xt_event_set_bytes(event, XT_F_ACTION, XT_S("changed-login-id"));
    xt_event_set_num(event, XT_F_TIME, (uint64_t)(1000000 + s->at_ms));
    xt_event_set_num(event, XT_F_PID, s->pid);
    xt_event_set_num(event, XT_F_PPID, s->ppid);
    xt_event_set_num(event, XT_F_SES, ses);
    xt_event_set_bytes(event, XT_F_TTY, xt_slice_str(s->tty));
}

static void run_steps(const xt_ruleset *set, xt_noise_state *noise, const struct step *steps, size_t n, unsigned ses)
{
    for (size_t i = 0; i < n; i++) {
        xt_slice tag = XT_S("untouched");
        xt_arena arena;
        xt_event event;

        xt_arena_init(&arena, 1u << 20);
        make_event(&steps[i], ses, &arena, &event);
        assert_int_equal(xt_noise_tag(set, noise, &event, &arena, &tag), 0);
        if ((tag.n > 0) != steps[i].tagged)
            fail_msg("step %zu (%s): %s", i, steps[i].args ? steps[i].args : "-", tag.n ? "tagged" : "not tagged");
        xt_arena_fini(&arena);
    }
}

static void check_steps(const struct step *steps, size_t n)
{
    xt_ruleset *set = load_noise();
    xt_noise_state *noise = NULL;

    assert_int_equal(xt_noise_state_new(&noise), 0);
    run_steps(set, noise, steps, n, 5);
    xt_noise_state_free(noise);
    xt_ruleset_unref(set);
}

#define ID "/usr/bin/id", "id -u"
#define SH "/usr/bin/bash", "-bash"
#define CHECK(...)                                        \
    do {                                                  \
        static const struct step steps[] = {__VA_ARGS__}; \
        check_steps(steps, XT_COUNT_OF(steps));           \
    } while (0)

static void test_when(void **state)
{
    /* a pause ends it; so does the whole time, however short the pauses */
    CHECK({0, 10, 9, "pts0", SH, false}, {300, 11, 10, "pts0", ID, true}, {600, 12, 10, "pts0", ID, true},
          {901, 13, 10, "pts0", ID, false}, {902, 14, 10, "pts0", ID, false});
    CHECK({0, 10, 9, "pts0", SH, false}, {301, 11, 10, "pts0", ID, false});
    struct step many[52] = {{0, 10, 9, "pts0", SH, false}};
    for (unsigned i = 1; i < 52; i++)
        many[i] = (struct step){i * 200, 10 + i, 10, "pts0", ID, i <= 50};
    check_steps(many, 52);
    /* an event that comes late, of an earlier time, changes nothing */
    CHECK({0, 10, 9, "pts0", SH, false}, {300, 11, 10, "pts0", ID, true}, {100, 12, 10, "pts0", ID, true},
          {590, 13, 10, "pts0", ID, true});
}

static void test_order(void **state)
{
    /* the first that is not on the list ends it */
    CHECK({0, 10, 9, "pts0", SH, false}, {4, 11, 10, "pts0", ID, true},
          {8, 12, 10, "pts0", "/usr/bin/whoami", "whoami", false}, {12, 13, 10, "pts0", ID, false});
    /* failed attempts end nothing, and are shown */
    CHECK({0, 10, 9, "pts0", SH, false}, {4, 11, 10, "pts0", "/usr/local/bin/id", NULL, false},
          {4, 11, 10, "pts0", ID, true});
    /* children of what was tagged are tagged, but not network tools */
    CHECK({0, 10, 9, "pts0", SH, false}, {4, 11, 10, "pts0", "/usr/bin/lesspipe", "/bin/sh /usr/bin/lesspipe", true},
          {8, 12, 11, "pts0", "/usr/bin/basename", "basename /usr/bin/lesspipe", true},
          {8, 13, 12, "pts0", "/usr/bin/dirname", "dirname /usr/bin/lesspipe", true},
          {8, 14, 11, "pts0", "/usr/bin/curl", "curl http://x/", false}, {9, 15, 11, "pts0", ID, false});
}

static void test_what(void **state)
{
    /* the same name in another place, or other arguments */
    CHECK({0, 10, 9, "pts0", SH, false}, {4, 11, 10, "pts0", "/home/alice/bin/id", "id -u", false});
    CHECK({0, 10, 9, "pts0", SH, false}, {4, 11, 10, "pts0", "/usr/bin/id", "id", false});
    CHECK({0, 10, 9, "pts0", SH, false}, {4, 11, 10, "pts0", "/usr/bin/rm", "rm -f /tmp/zsh-zni-1* /etc/x", false});
    /* no login shell: with arguments, without a terminal, under an ordinary name; ssh HOST 'id -u' */
    CHECK({0, 10, 9, "pts0", "/usr/bin/bash", "-bash -c id", false}, {4, 11, 10, "pts0", ID, false});
    CHECK({0, 10, 9, "(none)", SH, false}, {4, 11, 10, "(none)", ID, false});
    CHECK({0, 10, 9, "pts0", "/usr/bin/bash", "bash", false}, {4, 11, 10, "pts0", ID, false});
    CHECK({0, 9, 1, "(none)", NULL, NULL, false}, {4, 11, 10, "(none)", ID, false});
    /* sudo -i in the same session begins anew */
    CHECK({0, 10, 9, "pts0", SH, false}, {4, 11, 10, "pts0", "/usr/bin/sudo", "sudo -i", false},
          {9000, 12, 11, "pts0", SH, false}, {9004, 13, 12, "pts0", "/usr/bin/mesg", "mesg n", true});
}

static void test_session(void **state)
{
    /* the message of the day, run by the process of the LOGIN record, with what it runs in turn */
    CHECK({0, 9, 1, "(none)", NULL, NULL, false}, {4, 11, 9, "(none)", "/usr/bin/dash", MOTD, true},
          {5, 12, 11, "(none)", "/usr/bin/run-parts", "run-parts /etc/update-motd.d", true},
          {6, 13, 12, "(none)", "/usr/bin/dash", "/bin/sh /etc/update-motd.d/10-x", true},
          {7, 14, 13, "(none)", "/tmp/x", "x", false}, {8, 15, 13, "(none)", "/usr/bin/uname", "uname -a", false});
    /* run by any other process, without a LOGIN, or late */
    CHECK({0, 9, 1, "(none)", NULL, NULL, false}, {4, 11, 10, "(none)", "/usr/bin/dash", MOTD, false});
    CHECK({4, 11, 9, "(none)", "/usr/bin/dash", MOTD, false});
    CHECK({0, 9, 1, "(none)", NULL, NULL, false}, {10001, 11, 9, "(none)", "/usr/bin/dash", MOTD, false});
    CHECK({0, 9, 1, "(none)", NULL, NULL, false}, {4, 10, 9, "(none)", "/usr/bin/bash", "bash -c id", false},
          {8, 11, 9, "(none)", "/usr/bin/dash", MOTD, false});
}

/* More sessions than are kept: the oldest is forgotten and shown, the newest is known. */
static void test_many_sessions(void **state)
{
    static const struct step shell[] = {{0, 10, 9, "pts0", SH, false}};
    static const struct step tagged[] = {{4, 11, 10, "pts0", ID, true}};
    static const struct step shown[] = {{4, 11, 10, "pts0", ID, false}};
    xt_ruleset *set = load_noise();
    xt_noise_state *noise = NULL;

    assert_int_equal(xt_noise_state_new(&noise), 0);
    for (unsigned ses = 1; ses <= 16385; ses++)
        run_steps(set, noise, shell, 1, ses);
    run_steps(set, noise, shown, 1, 1);
    run_steps(set, noise, tagged, 1, 2);
    run_steps(set, noise, tagged, 1, 16385);
    run_steps(set, noise, shown, 1, 99999);
    xt_noise_state_free(noise);
    xt_ruleset_unref(set);
}

/* A rule of kind `match`, beside a detection rule in the same folder. */
static void test_match_rule(void **state)
{
    xt_ruleset *set = load_good("title: T\nnoise: {name: probes, kind: match, owner: o, reason: r}\n"
                                "logsource: {product: linux, category: process_creation}\n"
                                "detection: {s: {Image: /usr/bin/true}, condition: s}\n");
    xt_noise_state *noise = NULL;
    xt_slice tag = XT_S_NULL;
    xt_arena arena;
    xt_event event;

    assert_int_equal(xt_noise_state_new(&noise), 0);
    xt_arena_init(&arena, 1u << 20);
    set_exec(&event, &arena, "/usr/bin/true", "true");
    assert_int_equal(xt_noise_tag(set, noise, &event, &arena, &tag), 0);
    assert_true(xt_slice_eq(tag, XT_S("probes")));
    set_exec(&event, &arena, "/usr/bin/true", NULL);
    assert_int_equal(xt_noise_tag(set, noise, &event, &arena, &tag), 0);
    assert_int_equal(tag.n, 0);
    xt_arena_fini(&arena);
    xt_noise_state_free(noise);
    xt_ruleset_unref(set);
}

struct session_records {
    const xt_ruleset *set;
    xt_noise_state *state;
    unsigned n_tagged, n_logins, n_failures, n_consoles;
};

/* What opens and closes a session is tagged; that somebody logged in, and every failure, is not. */
static void on_session_record(void *context, xt_event *event, xt_arena *arena)
{
    struct session_records *c = context;
    xt_slice action = xt_event_bytes(event, XT_F_ACTION), tag = XT_S_NULL;

    assert_int_equal(xt_noise_tag(c->set, c->state, event, arena, &tag), 0);
    bool failed = xt_slice_eq(xt_event_bytes(event, XT_F_OUTCOME), XT_S("failure"));
    if (xt_slice_eq(tag, XT_S("login-session"))) {
        c->n_tagged++;
        assert_false(failed);
    }
    c->n_consoles += xt_slice_eq(tag, XT_S("logout"));
    if (xt_slice_eq(action, XT_S("logged-in"))) {
        c->n_logins++;
        c->n_failures += failed;
        assert_int_equal(tag.n, 0);
    }
    if (xt_slice_eq(action, XT_S("acquired-credentials")) && !failed)
        assert_true(xt_slice_eq(tag, XT_S("login-session")));
}

static void test_session_records(void **state)
{
    struct session_records c = {.set = load_rules("rules/noise", 6)};
    char path[400];

    if (!corpus_path(path, "session.log"))
        skip();
    assert_int_equal(xt_noise_state_new(&c.state), 0);
    stream_file(path, on_session_record, &c);
    assert_true(c.n_tagged > 10);
    assert_true(c.n_logins > c.n_failures && c.n_failures > 0);
    assert_int_equal(c.n_consoles, 1);
    xt_noise_state_free(c.state);
    xt_ruleset_unref((xt_ruleset *)(uintptr_t)c.set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_capture),    cmocka_unit_test(test_when),
        cmocka_unit_test(test_order),      cmocka_unit_test(test_what),
        cmocka_unit_test(test_session),    cmocka_unit_test(test_many_sessions),
        cmocka_unit_test(test_match_rule), cmocka_unit_test(test_session_records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
