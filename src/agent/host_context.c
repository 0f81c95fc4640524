/*
 * How it works: labels stand on each event, since they are asked for like any field, also of events of the past; equal
 * texts that follow each other cost nearly nothing in a batch and in a column. A label goes to everybody who may search, so
 * the rules that take secrets out of arguments are asked about it once, at the start.
 */
#include "agent/host_context.h"

#include "event/event.h"
#include "event/secret_redact.h"

#define MAX_NAME  64
#define MAX_VALUE 256

static bool is_name(xt_slice name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i], small = c | 0x20;
        if (!(small >= 'a' && small <= 'z') && !(c >= '0' && c <= '9') && !memchr("_-./", c, 4))
            return false;
    }
    return name.n > 0 && name.n <= MAX_NAME;
}

static bool is_value(xt_slice value)
{
    for (size_t i = 0; i < value.n; i++)
        if ((uint8_t)value.p[i] < ' ' || value.p[i] == 0x7f)
            return false;
    return value.n > 0 && value.n <= MAX_VALUE;
}

static bool is_secret(const xt_secret_rules *secrets, xt_slice text)
{
    XT_CLEANUP(xt_buf_fini) xt_buf argv = XT_BUF_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf marks = XT_BUF_INIT;
    xt_arena arena;
    xt_arena_init(&arena, 1 << 20);
    xt_buf_put(&argv, XT_S("env"));
    xt_buf_putc(&argv, '\0');
    xt_buf_put(&argv, text);
    xt_buf_putc(&argv, '\0');
    int r = secrets ? xt_secret_redact_argv(secrets, xt_buf_slice(&argv), &arena, &out, &marks) : 0;
    xt_arena_fini(&arena);
    return r < 0 || marks.n > 0;
}

int xt_label_check(const xt_secret_rules *secrets, xt_slice text, xt_problem *reterr_problem)
{
    xt_slice value = text, name;
    if (!xt_slice_cut(&value, '=', &name) || name.n == text.n || !is_name(name) || !is_value(value)) {
        xt_problem_set(reterr_problem, "this is no label");
        xt_problem_excerpt(reterr_problem, text);
        xt_problem_hint(reterr_problem, "a label is NAME=VALUE: a name of letters, digits and _ - . /, a value of 1 to "
                                        "256 bytes");
        return XT_HOST_CONTEXT_E_LABEL;
    }
    if (is_secret(secrets, text)) {
        xt_problem_set(reterr_problem, "the label %.*s holds a secret, and labels stand on every event",
                       XT_S_ARGS(name));
        xt_problem_hint(reterr_problem, "take it out, or call it otherwise");
        return XT_HOST_CONTEXT_E_LABEL;
    }
    return 0;
}

static xt_slice name_of(xt_slice label)
{
    xt_slice name = label;
    (void)xt_slice_cut(&label, '=', &name);
    return name;
}

void xt_labels_put(xt_buf *out, const xt_slice *labels, size_t n)
{
    xt_slice last[XT_MAX_LABELS];
    size_t n_last = 0;
    for (size_t i = 0; i < n; i++) {
        bool is_again = false;
        for (size_t k = i + 1; k < n; k++)
            is_again |= xt_slice_eq(name_of(labels[k]), name_of(labels[i]));
        if (!is_again && n_last < XT_MAX_LABELS)
            last[n_last++] = labels[i];
    }
    xt_list_put(out, last, n_last);
}
