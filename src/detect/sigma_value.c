/*
 * A text with wildcards is first a row of 16-bit units: bytes, and two units that no byte is. `contains`, `startswith`
 * and `endswith` then only add an any-run at the ends, so that wildcards inside them need no thought. Last, a row that
 * is a plain text with any-runs at its ends alone becomes the cheap operator for it, and only what is left is a glob.
 *
 * Numbers stay text: `a0: 4` is compared with the token as it was logged, so 00 and 4e0 differ from 0 and 4.
 */
#include "detect/sigma_value.h"

#include <errno.h>

static const char *const known_modifiers[] = {
    "windash", "base64", "base64offset", "utf16", "utf16le", "utf16be", "wide",  "expand", "fieldref",
    "neq",     "cidr",   "minute",       "hour",  "day",     "week",    "month", "year",
};

/* Where byte i of a scalar stands, as far as it stands on one line. */
static void at_byte(xt_problem *problem, const xt_yaml_node *node, size_t i)
{
    xt_problem_at(problem, node->line, node->column + (node->plain ? 0 : 1) + i);
}

static bool is_known(xt_slice name)
{
    for (size_t i = 0; i < XT_COUNT_OF(known_modifiers); i++)
        if (xt_slice_eq(name, xt_slice_str(known_modifiers[i])))
            return true;
    return false;
}

static bool find_op(xt_slice name, xt_sigma_op *ret)
{
    static const struct {
        const char *name;
        xt_sigma_op op;
    } ops[] = {
        {"contains", XT_SIGMA_CONTAINS}, {"startswith", XT_SIGMA_PREFIX},
        {"endswith", XT_SIGMA_SUFFIX},   {"re", XT_SIGMA_RE},
        {"exists", XT_SIGMA_EXISTS},     {"lt", XT_SIGMA_LT},
        {"lte", XT_SIGMA_LTE},           {"gt", XT_SIGMA_GT},
        {"gte", XT_SIGMA_GTE},
    };

    for (size_t i = 0; i < XT_COUNT_OF(ops); i++)
        if (xt_slice_eq(name, xt_slice_str(ops[i].name))) {
            *ret = ops[i].op;
            return true;
        }
    return false;
}

static uint32_t re_option(xt_slice name)
{
    if (xt_slice_eq(name, XT_S("i")) || xt_slice_eq(name, XT_S("ignorecase")))
        return PCRE2_CASELESS;
    if (xt_slice_eq(name, XT_S("m")) || xt_slice_eq(name, XT_S("multiline")))
        return PCRE2_MULTILINE;
    if (xt_slice_eq(name, XT_S("s")) || xt_slice_eq(name, XT_S("dotall")))
        return PCRE2_DOTALL;
    return 0;
}

/* NULL when the modifier was taken, else what is wrong with it. */
static const char *take_modifier(xt_slice name, xt_sigma_modifiers *m)
{
    xt_sigma_op op;

    if (find_op(name, &op)) {
        if (m->op != XT_SIGMA_EQ)
            return "cannot follow the one before it";
        m->op = op;
        return NULL;
    }
    if (xt_slice_eq(name, XT_S("all"))) {
        m->all = true;
        return NULL;
    }
    if (xt_slice_eq(name, XT_S("cased"))) {
        m->cased = true;
        return NULL;
    }
    if (re_option(name)) {
        m->re_options |= re_option(name);
        return m->op == XT_SIGMA_RE ? NULL : "belongs behind re";
    }
    return is_known(name) ? "is not supported yet" : "is unknown";
}

int xt_sigma_modifiers_parse(const xt_yaml_node *key, xt_slice *ret_name, xt_sigma_modifiers *ret,
                             xt_problem *reterr_problem)
{
    xt_slice rest = key->text, name, modifier;
    xt_sigma_modifiers m = {.op = XT_SIGMA_EQ};

    if (!xt_slice_cut(&rest, '|', &name))
        name = XT_S("");
    while (xt_slice_cut(&rest, '|', &modifier)) {
        const char *why = take_modifier(modifier, &m);
        if (!why && m.cased && m.op >= XT_SIGMA_RE)
            why = "does not go with the others";
        if (why) {
            xt_problem_set(reterr_problem, "modifier %.*s %s", (int)(modifier.n < 40 ? modifier.n : 40), modifier.p,
                           why);
            at_byte(reterr_problem, key, (size_t)(modifier.p - key->text.p));
            return XT_SIGMA_E_BAD;
        }
    }
    *ret_name = name;
    *ret = m;
    return 0;
}

static int refuse(xt_problem *problem, const xt_yaml_node *value, const char *sentence)
{
    xt_problem_set(problem, "%s", sentence);
    xt_yaml_at(problem, value);
    xt_problem_excerpt(problem, value->text);
    return XT_SIGMA_E_BAD;
}

/* Reads Sigma's escapes and wildcards; room for text.n + 2 units stands behind *out. Returns the number of units. */
static size_t read_wildcards(xt_slice text, uint16_t *out)
{
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\\' && i + 1 < text.n && (text.p[i + 1] == '*' || text.p[i + 1] == '?' || text.p[i + 1] == '\\'))
            out[n++] = (uint8_t)text.p[++i];
        else if (c == '?')
            out[n++] = XT_SIGMA_ANY_ONE;
        else if (c != '*')
            out[n++] = (uint8_t)c;
        else if (n == 0 || out[n - 1] != XT_SIGMA_ANY_RUN)
            out[n++] = XT_SIGMA_ANY_RUN;
    }
    return n;
}

/* Adds the any-runs that the operator means. */
static size_t widen(uint16_t *units, size_t n, xt_sigma_op op)
{
    if ((op == XT_SIGMA_SUFFIX || op == XT_SIGMA_CONTAINS) && (n == 0 || units[0] != XT_SIGMA_ANY_RUN)) {
        memmove(units + 1, units, n * sizeof *units);
        units[0] = XT_SIGMA_ANY_RUN;
        n++;
    }
    if ((op == XT_SIGMA_PREFIX || op == XT_SIGMA_CONTAINS) && (n == 0 || units[n - 1] != XT_SIGMA_ANY_RUN))
        units[n++] = XT_SIGMA_ANY_RUN;
    return n;
}

/* The longest run of plain bytes. */
static void longest_plain(const uint16_t *units, size_t n, size_t *ret_from, size_t *ret_n)
{
    *ret_from = *ret_n = 0;
    for (size_t from = 0, i = 0; i <= n; i++) {
        if (i < n && units[i] < XT_SIGMA_ANY_RUN)
            continue;
        if (i - from > *ret_n) {
            *ret_from = from;
            *ret_n = i - from;
        }
        from = i + 1;
    }
}

static int narrow(xt_arena *arena, const uint16_t *units, size_t n, xt_sigma_test *test)
{
    bool head = n > 0 && units[0] == XT_SIGMA_ANY_RUN, tail = n > head && units[n - 1] == XT_SIGMA_ANY_RUN;
    size_t from, n_plain;
    char *text;

    longest_plain(units, n, &from, &n_plain);
    text = xt_arena_alloc(arena, n_plain + 1);
    if (!text)
        return xt_error_origin(-ENOMEM);
    for (size_t i = 0; i < n_plain; i++)
        text[i] = (char)units[from + i];
    test->text = xt_slice_of(text, n_plain);
    if (n_plain + head + tail == n && (n_plain || !head)) {
        test->op = head ? tail ? XT_SIGMA_CONTAINS : XT_SIGMA_SUFFIX : tail ? XT_SIGMA_PREFIX : XT_SIGMA_EQ;
        return 0;
    }
    test->op = XT_SIGMA_GLOB;
    test->glob = units;
    test->n_glob = n;
    return 0;
}

static int compile_text(xt_arena *arena, xt_slice text, xt_sigma_test *test)
{
    uint16_t *units = xt_arena_array(arena, text.n + 2, sizeof *units);
    size_t n;

    if (!units)
        return xt_error_origin(-ENOMEM);
    n = widen(units, read_wildcards(text, units), test->op);
    for (size_t i = 0; i < n && !test->cased; i++)
        if (units[i] < XT_SIGMA_ANY_RUN)
            units[i] = (uint8_t)xt_sigma_lower((char)units[i]);
    return narrow(arena, units, n, test);
}

static int compile_re(xt_arena *arena, const xt_yaml_node *value, uint32_t options, xt_sigma_test *test,
                      xt_problem *problem)
{
    char why[120];
    int code;
    size_t offset;

    test->cased = true;
    test->number = options; /* tells equal texts of other options apart */
    test->text = xt_arena_copy(arena, value->text);
    if (!test->text.p)
        return xt_error_origin(-ENOMEM);
    test->re = pcre2_compile((PCRE2_SPTR)value->text.p, value->text.n,
                             options | PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &offset, NULL);
    if (test->re) {
        (void)pcre2_jit_compile(test->re, PCRE2_JIT_COMPLETE); /* without it the interpreter runs */
        return 0;
    }
    if (code == PCRE2_ERROR_HEAP_FAILED)
        return xt_error_origin(-ENOMEM);
    pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
    xt_problem_set(problem, "this regular expression cannot be read at byte %zu: %s", offset, why);
    xt_yaml_at(problem, value);
    xt_problem_excerpt(problem, value->text);
    return XT_SIGMA_E_BAD;
}

static int compile_exists(const xt_yaml_node *value, bool *ret_negated, xt_problem *problem)
{
    if (xt_slice_eq_nocase(value->text, XT_S("false")))
        *ret_negated = true;
    else if (!xt_slice_eq_nocase(value->text, XT_S("true")))
        return refuse(problem, value, "exists needs true or false");
    return 0;
}

static int fill(xt_sigma_program *program, const xt_sigma_modifiers *m, const xt_yaml_node *value, xt_sigma_test *test,
                bool *ret_negated, xt_problem *problem)
{
    if (m->op == XT_SIGMA_EXISTS)
        return compile_exists(value, ret_negated, problem);
    if (xt_yaml_is_null(value)) {
        test->op = XT_SIGMA_ABSENT;
        return m->op == XT_SIGMA_EQ ? 0 : refuse(problem, value, "null goes with no modifier");
    }
    if (m->op == XT_SIGMA_RE)
        return compile_re(&program->arena, value, m->re_options, test, problem);
    if (m->op >= XT_SIGMA_LT)
        return xt_slice_parse_i64(value->text, &test->number) ? 0
                                                              : refuse(problem, value, "this modifier needs a number");
    return compile_text(&program->arena, value->text, test);
}

int xt_sigma_value_compile(xt_sigma_program *program, uint32_t field, const xt_sigma_modifiers *modifiers,
                           const xt_yaml_node *value, uint32_t *ret_test, bool *ret_negated, xt_problem *reterr_problem)
{
    xt_sigma_test test = {.field = field, .op = modifiers->op, .cased = modifiers->cased};
    bool negated = false;
    int r;

    if (value->kind != XT_YAML_SCALAR)
        return refuse(reterr_problem, value, "a value must be a text or a number");
    r = fill(program, modifiers, value, &test, &negated, reterr_problem);
    if (!r)
        r = xt_sigma_test_add(program, &test, ret_test);
    if (r)
        return r < 0 ? xt_error_trace(r) : r;
    *ret_negated = negated;
    return 0;
}
