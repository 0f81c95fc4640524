/*
 * Queries -> trees, against tests/golden/query/kql.txt; XT_GOLDEN_UPDATE=1 rewrites it, and the difference is read.
 * Lines of the file: `? query`, then what comes out: `= tree` and `> printed`, or `! column: sentence; hint`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/timestamp.h"
#include "base/utf8.h"
#include "query/kql.h"
#include "query/pipe.h"
#include "unit/query/golden_queries.h"

#define NOW_MS INT64_C(1795401043120) /* 2026-11-23T02:30:43.120Z */

static const char *const kind_names[] = {"all",   "and",    "or", "not", "equal", "glob", "part",
                                         "regex", "exists", "<",  "<=",  ">",     ">="};

static void put_tree(const xt_kql_node *node, xt_buf *out)
{
    xt_buf_puts(out, kind_names[node->kind]);
    if (node->kind == XT_KQL_ALL)
        return;
    xt_buf_putc(out, '(');
    if (node->left) {
        put_tree(node->left, out);
        if (node->right) {
            xt_buf_puts(out, ", ");
            put_tree(node->right, out);
        }
    } else {
        bool number = node->field && node->field->type <= XT_INT && !node->text.n && node->kind != XT_KQL_EXISTS;
        xt_buf_printf(out, "%s", node->field ? node->field->name : "data:");
        xt_buf_put(out, node->data_name);
        if (number)
            xt_buf_printf(out, " %lld", (long long)node->number);
        else if (node->kind != XT_KQL_EXISTS) {
            xt_buf_puts(out, " [");
            xt_buf_put(out, node->text);
            xt_buf_putc(out, ']');
        }
    }
    xt_buf_putc(out, ')');
}

static void put_case(xt_slice query, xt_arena *arena, xt_buf *out)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_kql_node *tree = NULL;

    xt_arena_reset(arena);
    int r = xt_kql_parse(query, NOW_MS, arena, &tree, &problem);
    xt_buf_puts(out, "? ");
    xt_buf_put(out, query);
    if (r == 0) {
        xt_buf_puts(out, "\n= ");
        put_tree(tree, out);
        xt_buf_puts(out, "\n> ");
        xt_kql_print(tree, out);
    } else {
        assert_int_equal(r, XT_KQL_E_SYNTAX);
        assert_true(problem.column > 0);
        xt_buf_printf(out, "\n! %llu: %s%s%s", (unsigned long long)problem.column, problem.sentence,
                      problem.hint[0] ? "; " : "", problem.hint);
    }
    xt_buf_putc(out, '\n');
}

static void test_goldens(void **state)
{
    golden_queries("tests/golden/query/kql.txt", 50, put_case);
}

/* A small generator of trees: what it prints must parse to the tree itself. */
typedef struct maker {
    uint64_t seed;
    xt_arena *arena;
} maker;

static uint32_t next_random(maker *m, uint32_t below)
{
    m->seed = m->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(m->seed >> 33) % below;
}

static xt_slice random_text(maker *m, const char *alphabet, size_t min)
{
    char text[12];
    size_t n = min + next_random(m, 8);

    for (size_t i = 0; i < n; i++)
        text[i] = alphabet[next_random(m, (uint32_t)strlen(alphabet))];
    return xt_arena_copy(m->arena, xt_slice_of(text, n));
}

static xt_slice random_pattern(maker *m)
{
    xt_buf out = XT_BUF_INIT;
    xt_slice text = random_text(m, "ab/ \\*:()\"{}<>", 1);

    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '*' || text.p[i] == '\\')
            xt_buf_putc(&out, '\\');
        xt_buf_putc(&out, text.p[i]);
    }
    xt_buf_puts(&out, next_random(m, 2) ? "*x" : "x*");
    xt_slice pattern = xt_arena_copy(m->arena, xt_buf_slice(&out));
    xt_buf_fini(&out);
    return pattern;
}

static xt_kql_node *random_leaf(maker *m)
{
    static const xt_field texts[] = {XT_F_USER, XT_F_EXE, XT_F_KEY, XT_F_PATH, XT_F_TTY};
    static const xt_field numbers[] = {XT_F_UID, XT_F_EXIT, XT_F_ARGC, XT_F_TIME};
    xt_kql_node *node = xt_arena_new(m->arena, xt_kql_node);
    uint32_t kind = next_random(m, 7);

    assert_non_null(node);
    node->field = xt_field_find(texts[next_random(m, XT_COUNT_OF(texts))]);
    if (next_random(m, 6) == 0) {
        node->field = NULL;
        node->data_name = random_text(m, "abc_-*:\\ (", 1);
    }
    if (kind < 2) {
        node->kind = XT_KQL_EQUAL;
        node->text = random_text(m, "andor/ \\*:()\"'\t\n\x01\xc3{}<>", 0);
    } else if (kind == 2) {
        node->kind = XT_KQL_GLOB;
        node->text = random_pattern(m);
    } else if (kind == 3) {
        node->kind = XT_KQL_EXISTS;
    } else if (kind == 4) {
        node->kind = XT_KQL_REGEX;
        node->text = random_text(m, "ab .|x", 1);
        if (node->text.p[0] == ' ')
            node->text = XT_S("a b");
    } else if (kind == 5) {
        node->kind = XT_KQL_SUBSTRING;
        node->field = xt_field_find(XT_F_CMD);
        node->data_name = XT_S_NULL;
        node->text = random_text(m, "ab -\"\\*/", 0);
    } else {
        node->field = xt_field_find(numbers[next_random(m, XT_COUNT_OF(numbers))]);
        node->data_name = XT_S_NULL;
        node->kind = next_random(m, 2) ? XT_KQL_EQUAL : (xt_kql_kind)(XT_KQL_LESS + next_random(m, 4));
        node->number = next_random(m, 100000);
    }
    return node;
}

static xt_kql_node *random_tree(maker *m, unsigned depth)
{
    uint32_t kind = next_random(m, 6);

    if (depth == 0 || kind < 2)
        return random_leaf(m);
    xt_kql_node *node = xt_arena_new(m->arena, xt_kql_node);
    assert_non_null(node);
    node->kind = kind < 4 ? XT_KQL_AND : kind < 5 ? XT_KQL_OR : XT_KQL_NOT;
    node->left = random_tree(m, depth - 1);
    if (node->kind != XT_KQL_NOT)
        node->right = random_tree(m, depth - 1);
    return node;
}

static void test_print_back(void **state)
{
    xt_arena arena;
    maker m = {20261123, &arena};

    xt_arena_init(&arena, 1 << 20);
    for (unsigned i = 0; i < 20000; i++) {
        xt_arena_reset(&arena);
        xt_buf text = XT_BUF_INIT;
        xt_problem problem = XT_PROBLEM_INIT;
        xt_kql_node *tree = random_tree(&m, 5), *again = NULL;
        xt_kql_print(tree, &text);
        int r = xt_kql_parse(xt_buf_slice(&text), NOW_MS, &arena, &again, &problem);
        if (r != 0)
            fail_msg("%.*s\nis refused: column %llu: %s", XT_S_ARGS(xt_buf_slice(&text)),
                     (unsigned long long)problem.column, problem.sentence);
        if (!xt_kql_equal(tree, again)) {
            xt_buf_puts(&text, "\n");
            put_tree(tree, &text);
            xt_buf_puts(&text, "\n");
            put_tree(again, &text);
            fail_msg("printed and parsed again it is another tree:\n%.*s", XT_S_ARGS(xt_buf_slice(&text)));
        }
        xt_buf_fini(&text);
    }
    xt_arena_fini(&arena);
}

static int parse_repeated(const char *before, const char *middle, const char *after, unsigned n, xt_problem *problem)
{
    xt_buf text = XT_BUF_INIT;
    xt_arena arena;
    xt_kql_node *tree;

    for (unsigned i = 0; i < n; i++)
        xt_buf_puts(&text, before);
    xt_buf_puts(&text, middle);
    for (unsigned i = 0; i < n; i++)
        xt_buf_puts(&text, after);
    xt_arena_init(&arena, 16 << 20);
    int r = xt_kql_parse(xt_buf_slice(&text), NOW_MS, &arena, &tree, problem);
    xt_buf_fini(&text);
    xt_arena_fini(&arena);
    return r;
}

static void test_limits(void **state)
{
    xt_problem problem = XT_PROBLEM_INIT;

    assert_int_equal(parse_repeated("(", "a", ")", XT_KQL_MAX_DEPTH - 1, &problem), 0);
    assert_int_equal(parse_repeated("(", "a", ")", XT_KQL_MAX_DEPTH, &problem), XT_KQL_E_SYNTAX);
    assert_non_null(strstr(problem.sentence, "deep"));
    assert_int_equal(parse_repeated("not ", "a", "", 10000, &problem), XT_KQL_E_SYNTAX);
    assert_int_equal(parse_repeated("a or ", "a", "", XT_KQL_MAX_TERMS - 1, &problem), 0);
    assert_int_equal(parse_repeated("a or ", "a", "", XT_KQL_MAX_TERMS, &problem), XT_KQL_E_SYNTAX);
    assert_non_null(strstr(problem.sentence, "terms"));
    assert_int_equal(parse_repeated("aaaaaaaa", "", "", XT_KQL_MAX_BYTES / 8 + 1, &problem), XT_KQL_E_SYNTAX);
    assert_non_null(strstr(problem.sentence, "bytes"));
}

static void test_arena_full(void **state)
{
    xt_slice query = XT_S("user:alice and (uid < 1000 or cmd:*nmap* or auid:unset) and time:\"2026-11-23\"");
    unsigned n_failed = 0;

    for (size_t limit = 0; limit < 8192; limit += 16) {
        xt_arena arena;
        xt_kql_node *tree = NULL;
        xt_arena_init(&arena, limit);
        int r = xt_kql_parse(query, NOW_MS, &arena, &tree, NULL);
        assert_true(r == 0 || r < 0);
        assert_true((r == 0) == (tree != NULL));
        n_failed += r < 0;
        xt_arena_fini(&arena);
    }
    assert_in_range(n_failed, 10, 500);
}

/* Each line that begins with four spaces in docs/query.md is a query; those behind `!` are refused. */
static void test_manual(void **state)
{
    char path[1024];
    xt_buf text = XT_BUF_INIT;
    xt_slice line;
    unsigned n = 0;

    golden_path("docs/query.md", path, sizeof path);
    golden_read(path, &text);
    for (xt_slice rest = xt_buf_slice(&text); xt_slice_cut(&rest, '\n', &line);) {
        if (!xt_slice_starts(line, XT_S("    ")))
            continue;
        xt_problem problem = XT_PROBLEM_INIT;
        xt_pipe *pipe = NULL;
        xt_slice query = xt_slice_trim(line);
        bool refused = xt_slice_starts(query, XT_S("! "));
        int r = xt_pipe_compile(refused ? xt_slice_skip(query, 2) : query, NOW_MS, &pipe, &problem);
        if ((r != 0) != refused)
            fail_msg("docs/query.md: %.*s\n%s", XT_S_ARGS(query), r ? problem.sentence : "is not refused");
        xt_pipe_free(pipe);
        n++;
    }
    assert_true(n > 20);
    xt_buf_fini(&text);
}

static void test_fields(void **state)
{
    xt_arena arena;
    xt_kql_node *tree;

    xt_arena_init(&arena, 1 << 20);
    assert_int_equal(xt_kql_parse(XT_S("nmap and (path:x or auditd.data.op:y) and not uid:1"), 0, &arena, &tree, NULL),
                     0);
    xt_field_set set = xt_kql_fields(tree), want = {{0, 0}};
    xt_field_set_add(&want, XT_F_ARGS);
    xt_field_set_add(&want, XT_F_PATHS);
    xt_field_set_add(&want, XT_F_RECORDS);
    xt_field_set_add(&want, XT_F_UID);
    assert_memory_equal(&set, &want, sizeof set);
    xt_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goldens),    cmocka_unit_test(test_print_back), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_arena_full), cmocka_unit_test(test_manual),     cmocka_unit_test(test_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
