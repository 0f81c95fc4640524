/* What the tests of src/detect share: rule texts, problems as lines, and exec events made by hand. */
#pragma once
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "detect/detect.h"

#define RULE_HEAD          \
    "title: T\n"           \
    "id: r1\n"             \
    "logsource:\n"         \
    "    product: linux\n" \
    "    category: process_creation\n"

/* Problems without the file's name, one a line. */
static inline void note_problem(void *context, const xt_problem *problem)
{
    xt_problem copy = *problem;

    copy.source[0] = '\0';
    xt_problem_format(&copy, context);
    xt_buf_putc(context, '\n');
}

/* Loads one rule text through a file of its own. */
static inline xt_ruleset *load_text(const char *text, xt_buf *problems)
{
    char path[] = "/tmp/xt-detect-test-XXXXXX.yml";
    const char *paths[] = {path};
    xt_ruleset *set = NULL;
    xt_problem problem = XT_PROBLEM_INIT;
    int fd = mkstemps(path, 4);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    assert_int_equal(xt_ruleset_load(paths, 1, note_problem, problems, &set, &problem), 0);
    unlink(path);
    return set;
}

/* The problem that refuses this text, which must be the only one: "3:5: sentence". */
static inline void assert_refused(const char *text, const char *expected)
{
    xt_buf problems = XT_BUF_INIT;
    xt_ruleset *set = load_text(text, &problems);

    xt_buf_putc(&problems, '\0');
    if (xt_ruleset_stats_get(set).n_refused != 1 || !problems.p || !strstr(problems.p, expected))
        fail_msg("expected \"%s\", got \"%s\" for\n%s", expected, problems.p, text);
    xt_ruleset_unref(set);
    xt_buf_fini(&problems);
}

static inline xt_ruleset *load_good(const char *text)
{
    xt_buf problems = XT_BUF_INIT;
    xt_ruleset *set = load_text(text, &problems);

    xt_buf_putc(&problems, '\0');
    if (problems.n > 1)
        fail_msg("refused: %s", problems.p);
    xt_buf_fini(&problems);
    return set;
}

/* An exec as the kernel would tell it; more can be set on it. args: words divided by single spaces, or NULL: failed. */
static inline void set_exec(xt_event *event, xt_arena *arena, const char *exe, const char *args)
{
    xt_slice words[64], rest = xt_slice_str(args);
    xt_buf list = XT_BUF_INIT;
    size_t n = 0;

    xt_event_reset(event);
    xt_event_set_bytes(event, XT_F_ACTION, XT_S("executed"));
    xt_event_set_bytes(event, XT_F_OUTCOME, args ? XT_S("success") : XT_S("failure"));
    xt_event_set_bytes(event, XT_F_CODE, XT_S("SYSCALL"));
    xt_event_set_bytes(event, XT_F_HOST_ID, XT_S("h"));
    xt_event_set_num(event, XT_F_TIME, 1000000);
    xt_event_set_num(event, XT_F_SERIAL, 7);
    xt_event_set_bytes(event, XT_F_EXE, xt_slice_str(exe));
    while (args && n < 64 && xt_slice_cut(&rest, ' ', &words[n]))
        n++;
    if (!args)
        return;
    xt_list_put(&list, words, n);
    xt_event_set_bytes(event, XT_F_ARGS, xt_arena_copy(arena, xt_buf_slice(&list)));
    xt_buf_fini(&list);
}

static inline size_t count_matches(const xt_ruleset *set, const xt_event *event)
{
    xt_match matches[XT_DETECT_MAX_MATCHES];
    xt_arena arena;
    size_t n = 0;

    xt_arena_init(&arena, 64u << 20);
    assert_int_equal(xt_ruleset_match(set, event, &arena, matches, &n), 0);
    xt_arena_fini(&arena);
    return n;
}
